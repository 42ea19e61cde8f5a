"""Atomic writes: nobody ever finds half of a file, and nothing half-written stays behind.

A draft is made in a hidden folder beside the target and takes its name by a rename. The folder is
locked while its writer lives; a writer that was killed leaves an unlocked one, which the next write
into the same folder removes.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiec_graph.errors import InputError

DRAFT = ".aiec-draft-"
"""What the names of the hidden folders begin with."""
NEW, OLD = "new", "old"
"""In a hidden folder: what is being written, and a folder that it replaces."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file atomically; on failure what was there stays, and nothing else.

    Args:
        path: the file; its folder is made where it is missing. Permissions follow the umask.
        write: writes to the path that it is given, which ends in the name of `path`.

    Raises:
        InputError: the file cannot be written.
    """
    with _draft_beside(path) as draft:
        write(draft)
        draft.replace(path)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, which becomes `target` atomically when all is done.

    A folder that was there under that name is replaced; on failure it stays. Where another process
    was first, its folder stands. Permissions follow the umask.

    Raises:
        InputError: the folder cannot be written.
    """
    with _draft_beside(target) as draft:
        draft.mkdir()
        yield draft
        if target.is_dir():
            target.rename(draft.parents[1] / OLD / target.name)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def remove_drafts(folder: Path) -> None:
    """Removes what writers that were killed left in a folder; drafts of living ones stay.

    A folder that such a writer had moved aside to replace it gets its name back.
    """
    for hidden in folder.glob(f"{DRAFT}*"):
        with _locked(hidden) as is_abandoned:
            if is_abandoned:
                _discard(hidden)


@contextmanager
def _draft_beside(target: Path) -> Iterator[Path]:
    """Gives a path with the name of `target` in a locked hidden folder beside it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_drafts(target.parent)
        while True:
            hidden = Path(tempfile.mkdtemp(prefix=DRAFT, dir=target.parent))
            with _locked(hidden, wait=True):
                if not hidden.exists():  # somebody cleaned up between making and locking it
                    continue
                try:
                    (hidden / OLD).mkdir()
                    (hidden / NEW).mkdir()
                    yield hidden / NEW / target.name
                    return
                finally:
                    _discard(hidden)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None


def _discard(hidden: Path) -> None:
    for old in (hidden / OLD).glob("*"):
        target = hidden.parent / old.name
        if not target.exists():
            old.rename(target)
    shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def _locked(hidden: Path, wait: bool = False) -> Iterator[bool]:
    """Locks a folder and says whether that succeeded; the system unlocks it when a process ends.

    Windows and some network file systems have no such locks: drafts of killed processes stay there.
    """
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    try:
        handle = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # another user's, or removed meanwhile
        yield False
        return
    try:
        is_held = os.fstat(handle).st_uid == os.getuid()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            is_held = False
        yield is_held
    finally:
        os.close(handle)
