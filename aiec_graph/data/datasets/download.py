"""Fetching the published files of a data set, by gdown: resumed, checked, never overwritten."""

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import requests
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from aiec_graph.data.datasets.cards import Card, Download
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole

PARTIAL = ".download"
"""Folder within the data folder, for what is not whole yet."""
BLOCK = 2**20
MAX_UNZIPPED = 8 * 2**30
"""Largest unzipped size of a data file, in bytes; the real ones are far below."""


def download(
    card: Card,
    folder: Path,
    console: Console,
    *,
    accept_licence: bool = False,
    timeout: float = 30,
    retries: int = 3,
) -> list[Path]:
    """Fetches what is missing of a data set's files.

    Source, licence and terms are shown first. An interrupted download goes on when it is called
    again. A file that is there is left as it is.

    Args:
        card: the data set.
        folder: where the files go.
        console: for what there is to say, and progress.
        accept_licence: whether the card's terms, where it has any, are accepted.
        timeout: seconds to wait for the server between two bytes.
        retries: further tries after a network failure.

    Returns:
        The files, those that were there included.

    Raises:
        InputError: the terms are not accepted, the network or the server fails, what it sends is
            not the published file, or the folder cannot be written; says what to fetch by hand.
    """
    console.print(f"{card.title}\nfrom {card.source}\nlicence: {card.licence}", highlight=False)
    if card.terms:
        console.print(card.terms)
    if not card.downloads:
        raise InputError(
            f"{card.name} cannot be downloaded by a command: get it from {card.source} and put "
            f"{', '.join(card.files)} into {folder}"
        )
    if card.terms and not accept_licence:
        raise InputError(f"{card.terms} If that is how you will use it, add --accept-licence")
    existed = folder.is_dir()
    try:
        (folder / PARTIAL).mkdir(parents=True, exist_ok=True)
        with FileLock(folder / PARTIAL / "lock", timeout=0):
            for entry in card.downloads:
                _fetch_missing(card, entry, folder, console, timeout, retries)
    except Timeout:
        existed = True
        raise InputError(f"another process is downloading into {folder}") from None
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        if not _has_more_to_come(folder / PARTIAL):
            shutil.rmtree(folder / PARTIAL, ignore_errors=True)
            if not existed and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    return [folder / name for name in card.files]


def _has_more_to_come(partial: Path) -> bool:
    """Whether there is something to resume."""
    return any(p.stat().st_size for p in partial.glob("fetched-*"))


def _fetch_missing(
    card: Card, entry: Download, folder: Path, console: Console, timeout: float, retries: int
) -> None:
    fetched_name = entry.url.rsplit("/", 1)[-1]
    wanted = list(entry.unpack.values()) or [fetched_name]
    if all((folder / name).exists() for name in wanted):
        console.print(f"{', '.join(wanted)}: there already, left as it is", highlight=False)
        return
    key = hashlib.sha256(entry.url.encode()).hexdigest()[:8]
    fetched = folder / PARTIAL / f"fetched-{key}"
    advice = (
        f"fetch it by hand: {entry.url} ({card.source}), and put {', '.join(wanted)} into {folder}"
    )
    found = _fetch(entry.url, fetched, advice, timeout, retries, console)
    _check(fetched, found, entry.sha256, entry.url, advice)
    if not entry.sha256:
        console.print(f"SHA-256 of {entry.url}: {found}, none is published", highlight=False)
    if entry.unpack:
        for member, name in entry.unpack.items():
            if not (folder / name).exists():
                _unpack(fetched, member, folder / name, card.files.get(name), advice)
    else:
        _check(fetched, found, card.files.get(fetched_name), entry.url, advice)
        fetched.replace(folder / fetched_name)
    fetched.unlink(missing_ok=True)
    console.print(f"{', '.join(wanted)}: written to {folder}", highlight=False, soft_wrap=True)


def _fetch(
    url: str, target: Path, advice: str, timeout: float, retries: int, console: Console
) -> str:
    """Fetches a file, or the rest of it, and returns its SHA-256."""
    # Here, since the import takes a second and only a download needs it.
    import gdown
    from gdown.exceptions import DownloadError, FileURLRetrievalError

    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        def fetch() -> None:
            gdown.download(
                url,
                str(target),
                quiet=True,
                use_cookies=False,
                resume=True,
                progress=show,
                timeout=timeout,
                retries=retries,
            )

        partial = list(target.parent.glob(f"{target.name}*.part"))
        try:
            try:
                fetch()
            except DownloadError:
                if not partial:
                    raise
                for part in partial:  # the server cannot go on where it stopped: from the start
                    part.unlink(missing_ok=True)
                fetch()
        except (DownloadError, FileURLRetrievalError, requests.RequestException) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{url} cannot be fetched ({reason}); {advice}") from None
    with target.open("rb") as stream:
        if stream.read(BLOCK).lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
            target.unlink()
            raise InputError(f"{url} gave a web page instead of the file; {advice}")
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(fetched: Path, found: str, expected: str | None, what: str, advice: str) -> None:
    if expected not in (None, found):
        fetched.unlink()
        raise InputError(
            f"{what} is not the published file: its SHA-256 is {found}, expected {expected}; what "
            f"came was removed; try again, or {advice}"
        )


def _unpack(archive: Path, member: str, target: Path, sha256: str | None, advice: str) -> None:
    """Writes one member under a name of our own: what names it has inside cannot matter."""
    try:
        with zipfile.ZipFile(archive) as packed:
            names = [info for info in packed.infolist() if info.filename == member] or [
                info
                for info in packed.infolist()
                if PurePosixPath(info.filename).name == PurePosixPath(member).name
            ]
            if len(names) != 1:
                archive.unlink()
                raise InputError(f"the archive holds {len(names)} files named {member}; {advice}")
            size = names[0].file_size
            free = shutil.disk_usage(target.parent).free
            if size > min(MAX_UNZIPPED, free):
                archive.unlink()
                raise InputError(
                    f"{member} unzips to {size / 2**30:.1f} GiB; accepted are "
                    f"{MAX_UNZIPPED / 2**30:.1f}, free on the disk are {free / 2**30:.1f}"
                )
            write_whole(target, _copier(packed, names[0], size, sha256, advice))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        archive.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"what came is no sound zip file ({reason}); {advice}") from None


def _copier(
    packed: zipfile.ZipFile, member: zipfile.ZipInfo, size: int, sha256: str | None, advice: str
) -> Callable[[Path], None]:
    def write(draft: Path) -> None:
        found, written = hashlib.sha256(), 0
        with packed.open(member) as source, draft.open("wb") as target:
            while block := source.read(BLOCK):
                written += len(block)
                if written > size:
                    raise InputError(f"{member.filename} is larger than it says; {advice}")
                found.update(block)
                target.write(block)
        if sha256 not in (None, found.hexdigest()):
            raise InputError(
                f"{member.filename} is not the published file: its SHA-256 is "
                f"{found.hexdigest()}, expected {sha256}; {advice}"
            )

    return write
