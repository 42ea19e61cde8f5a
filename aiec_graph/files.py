"""Writing files so that nobody ever finds half of one."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiec_graph.errors import InputError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with a path beside `path`, then renames; on failure nothing is left.

    Raises:
        InputError: the folder cannot be written.
    """
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        draft = Path(name)
        write(draft)
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Gives an empty folder beside `target` to fill; it takes the name `target` when all is done.

    What was there under that name is replaced in the same moment; on failure it stays. Where
    another process was first, its folder stands.

    Raises:
        InputError: the folder cannot be written.
    """
    draft = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield draft
        draft.chmod(0o755)
        old = draft.with_name(f"{draft.name}-old")
        if target.exists():
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
