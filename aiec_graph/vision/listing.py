"""Which pictures a data set holds, without decoding one: folders of classes, in parts or without.

Nothing here needs torch, so that `check` knows pictures from graphs at once.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.vision.classes import PARTS, differences, missing, named_as_parts, spelled
from aiec_graph.vision.stratify import TEST_SHARE, stratified
from aiec_graph.wording import counted, listed

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pbm", ".bmp", ".tif", ".tiff"}
    | {".webp", ".gif", ".avif"}
)
FOREIGN = frozenset({"__macosx", "@eadir"})
"""Folders that macOS and Synology add, with what are no pictures of the data set."""
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SHOWN = 10
"""Faults of names and links in a message."""


@dataclass(frozen=True)
class Pictures:
    """The files of one part of a data set, by class.

    Attributes:
        folder: the part's folder, which the files are below.
        paths: files, in the order of classes and names.
        labels: the number of each one's class [N].
        class_names: by number.
        left_out: files that are not read, because their suffix is no picture's.
    """

    folder: Path
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    left_out: tuple[Path, ...] = ()

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Some of the files, in the given order."""
        paths = tuple(self.paths[row] for row in rows)
        return replace(self, paths=paths, labels=self.labels[rows], left_out=())

    def read(self, row: int) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read.
        """
        return self.paths[row].read_bytes()

    def stamp(self, row: int) -> str:
        """Changes whenever the file does: its size and the time of its last change."""
        stat = self.paths[row].stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def names(self) -> list[str]:
        """The files below the part's folder, as they can be printed."""
        below = [path.is_relative_to(self.folder) for path in self.paths]
        return [
            printable(path.relative_to(self.folder) if is_below else path)
            for path, is_below in zip(self.paths, below, strict=True)
        ]


class Listing(NamedTuple):
    """The pictures of a data set by part, train first."""

    parts: Mapping[str, Pictures]
    notes: tuple[str, ...] = ()
    """What is to be told."""
    faults: tuple[str, ...] = ()
    """Why it cannot be used as it is."""

    def raise_faults(self) -> None:
        """Refuses a data set with faults.

        Raises:
            InputError: there is one; names the first ten.
        """
        if self.faults:
            more = len(self.faults) - SHOWN
            shown = "; ".join(self.faults[:SHOWN])
            raise InputError(f"{shown}; and {more} more" if more > 0 else shown)

    def with_missing(self, place: Path) -> "Listing":
        """Adds which classes are without pictures in a part, where nothing else is at fault."""
        if self.faults:
            return self
        names = self.parts["train"].class_names
        faults, notes = missing({part: own.labels for part, own in self.parts.items()}, names)
        told = (*self.notes, *notes)
        return Listing(self.parts, told, tuple(f"{place}: {fault}" for fault in faults))


def list_parts(place: Path, wanted: Sequence[str] | None = None) -> Listing:
    """Lists a folder with train/ and test/ (or val/); without parts, a test is drawn by class.

    Args:
        place: the folder.
        wanted: classes to read, in this order; all by default, by name.

    Raises:
        InputError: it is no such folder.
    """
    if not place.is_dir():
        raise InputError(f"{place}: there is no such folder")
    found, notes, faults = find_parts(place), list[str](), list[str]()
    if found and ("train" not in found or len(found) == 1):
        raise InputError(
            f"{place}: must hold train/<class>/ and test/<class>/ (or val/<class>/) with images; "
            f"{' and '.join(found)} alone is there. If that is a class, put all classes into train/"
        )
    if not found:
        return _of_classes(place, wanted)
    if "test" not in found:
        notes.append(f"no test/: {found['val'].name}/ is the test")
        found["test"] = found.pop("val")
    order = [name for name in ("train", "val", "test") if name in found]
    read = {folder.name for folder in found.values()}
    notes += [
        f"{printable(Path(folder.name))}/ is not read"
        for folder in folders_in(place)
        if folder.name not in read
    ]
    notes += _loose(place)
    parts = {name: _list(found[name], wanted, faults, notes) for name in order}
    names = parts["train"].class_names
    for name, part in parts.items():
        text = differences(names, name, part.class_names) if part.class_names else ""
        if text:
            faults.append(f"{place}: {text}")
    faults += _one_alone(place, names)
    return Listing(parts, tuple(notes), tuple(faults))


def _of_classes(place: Path, wanted: Sequence[str] | None) -> Listing:
    """A folder of classes without parts."""
    notes, faults = list[str](), list[str]()
    every = _list(place, wanted, faults, notes)
    alike = named_as_parts(every.class_names)
    if alike:
        faults.append(
            f"{place}: {listed(f'{name}/' for name in alike)} are named as parts, not as classes; "
            "call them train/, val/ and test/"
        )
    faults += _one_alone(place, every.class_names)
    if faults:
        return Listing({"train": every}, tuple(notes), tuple(faults))
    drawn = draw_test(every, "no train/ and test/", place)
    return drawn._replace(notes=(*drawn.notes, *notes))


def _one_alone(place: Path, names: Sequence[str]) -> list[str]:
    if len(names) != 1:
        return []
    inner = place / names[0]
    is_one = inner.is_dir() and (bool(find_parts(inner)) or len(folders_in(inner)) > 1)
    advice = f"; or do you mean {printable(inner)}?" if is_one else ""
    return [
        f"{place}: one class alone, {names[0]}; it must hold train/<class>/ and "
        f"test/<class>/, or a folder for each class{advice}"
    ]


def draw_test(every: Pictures, why: str, place: Path) -> Listing:
    """Draws a fifth of the pictures for the test, by class.

    Args:
        every: of all parts.
        why: what is missing, for the note.
        place: the data set, for the fault where nothing can be drawn.
    """
    rows = np.arange(len(every.labels))
    train, test = stratified(every.labels, rows, 1 - TEST_SHARE)
    note = f"{why}: {len(test)} of {len(rows)} pictures drawn for the test"
    drawn = {
        "train": replace(every.take(train), left_out=every.left_out),
        "test": every.take(test),
    }
    few = f"{place}: {counted(len(rows), 'picture')} are too few to draw a test from"
    return Listing(drawn, (note,), () if len(test) else (few,))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in FOREIGN


def folders_in(place: Path) -> list[Path]:
    """The folders that are not hidden, by name."""
    return [p for p in sorted(place.iterdir()) if p.is_dir() and not _is_hidden(p.name)]


def _loose(folder: Path) -> list[str]:
    """What is to be told of pictures beside the folders of classes."""
    loose = [p.name for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.is_dir()]
    loose = [printable(Path(name)) for name in loose if not _is_hidden(name)]
    if not loose:
        return []
    what = f"not read, for want of a class's folder in {printable(folder)}"
    return [f"{counted(len(loose), 'picture')} {what}: {listed(loose)}"]


def find_parts(root: Path) -> dict[str, Path]:
    """The folders of train, val and test that are there.

    Raises:
        InputError: two folders would be one part.
    """
    folders = folders_in(root)
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        present = [folder for folder in folders if folder.name.lower() in names]
        if len(present) > 1:
            raise InputError(f"{root}: both {present[0].name}/ and {present[1].name}/; keep one")
        if present:
            found[part] = present[0]
    return found


def list_pictures(folder: Path, wanted: Sequence[str] | None = None) -> Pictures:
    """Lists the pictures of a folder with a sub-folder for each class.

    Hidden files and folders, such as `.ipynb_checkpoints` and macOS's `._` files, are passed over.
    A link that leads back to a folder above is not followed.

    Args:
        folder: with the classes' folders.
        wanted: classes to read, in this order; all by default, by name.

    Raises:
        InputError: there is no class, one is without pictures, or a link is broken; all at once.
    """
    faults: list[str] = []
    found = _list(folder, wanted, faults, [])
    Listing({}, faults=tuple(faults)).raise_faults()
    return found


def walk_pictures(folder: Path) -> tuple[list[Path], list[Path], list[str]]:
    """All pictures below a folder, whatever its form.

    Returns:
        Pictures, files whose suffix is no picture's, and links that lead nowhere.
    """
    faults: list[str] = []
    files = list(files_below(folder, faults))
    are = [path.suffix.lower() in SUFFIXES for path in files]
    pictures = [path for path, is_one in zip(files, are, strict=True) if is_one]
    return pictures, [path for path, is_one in zip(files, are, strict=True) if not is_one], faults


def _list(
    folder: Path, wanted: Sequence[str] | None, faults: list[str], notes: list[str]
) -> Pictures:
    found: dict[str, Path] = {}
    for path in folders_in(folder):
        name = printable(Path(spelled(path.name)))
        if name in found:
            both = f"{found[name].name!a} and {path.name!a}"
            faults.append(f"{folder}: {path.name!r} is there twice, as {both}; keep one")
        found[name] = path
    names = sorted(found) if wanted is None else list(wanted)
    loose = _loose(folder)
    faults += [
        f"{folder}: no folder for the class {name!r}.{did_you_mean(name, found)}"
        for name in names
        if name not in found
    ]
    if not names:
        faults.append("; ".join([f"{folder}: no folder for any class in it", *loose]))
    elif loose:
        notes += loose
    paths: list[Path] = []
    labels: list[int] = []
    left_out: list[Path] = []
    for number, name in enumerate(names):
        if name not in found:
            continue
        own, others, broken = walk_pictures(found[name])
        paths += own
        labels += [number] * len(own)
        left_out += others
        faults += broken
        if not own and not broken:
            faults.append(f"{printable(found[name])}: no picture in it")
    deeper = [path for path in paths if len(path.relative_to(folder).parts) > 2]
    if deeper:
        notes.append(
            f"{counted(len(deeper), 'picture')} in folders below a class's folder count as of that "
            f"class, such as {printable(deeper[0])}"
        )
    labelled = np.array(labels, np.int64)
    return Pictures(folder, tuple(paths), labelled, tuple(names), tuple(left_out))


def files_below(folder: Path, faults: list[str]) -> Iterator[Path]:
    """All files below a folder by name; links are followed, but never round in a circle."""
    above: dict[str, frozenset[str]] = {str(folder): frozenset({os.path.realpath(folder)})}

    def refuse(error: OSError) -> None:
        faults.append(f"{printable(Path(error.filename))}: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        seen = above[place]
        for name in list(folders):
            real = os.path.realpath(os.path.join(place, name))  # noqa: PTH118
            if _is_hidden(name) or real in seen:
                folders.remove(name)
            else:
                above[os.path.join(place, name)] = seen | {real}  # noqa: PTH118
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            if _is_hidden(name):
                continue
            if not path.exists():
                faults.append(f"{printable(path)}: a link that leads nowhere")
            elif not path.is_file():
                faults.append(f"{printable(path)}: neither a file nor a folder")
            else:
                yield path


def read_classes(path: Path) -> list[str]:
    """Reads a file with the name of a class on each line.

    Raises:
        InputError: it cannot be read, or does not hold at least two names, each once.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of classes ({error})") from None
    names = [spelled(line.strip()) for line in text.splitlines() if line.strip()]
    if len(set(names)) != len(names) or len(names) < 2:
        raise InputError(f"{path}: must hold the name of a class on each line, each once")
    return sorted(names)


def printable(path: Path) -> str:
    """A path for a message, on one line, whatever its name is made of."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return _BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
