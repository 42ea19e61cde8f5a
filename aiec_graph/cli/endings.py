"""How a command ends: one line on standard error and an exit code, whatever went wrong."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from aiec_graph.cli.start import INTERRUPTED
from aiec_graph.errors import InputError

TRACEBACK_VARIABLE = "AIEC_TRACEBACK"
LONGEST = 2_000
"""Characters of a line of error that are shown."""
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate")
"""How PyTorch words an allocation that failed; on the CPU it raises a plain RuntimeError."""
NO_SPACE = ("no space left", "file write failed", "unexpected pos", "disk quota")
"""How libraries word a disk that is full where they raise no OSError."""

CLOSED = "aiec: error: the output was closed before its end"
LOOP = ("symlink loop",)
"""How `Path.resolve` words it before Python 3.13."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def ended(command: Callable[[], int]) -> int:
    """Runs a command and turns whatever ends it into an exit code.

    Returns:
        The command's own exit code; 2 where the input or the machine's memory, disk or permissions
        are at fault; 130 and 143 for SIGINT and SIGTERM; 1 for a fault of this program.
    """
    try:
        with _terminated_by_signal():
            code = command()
            sys.stdout.flush()
            return code
    except Terminated:
        return _say("stopped; the same command continues", 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        return _say(INTERRUPTED, 128 + signal.SIGINT)
    except BrokenPipeError:
        # Nobody reads the output any more; without this, Python says so again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _say(CLOSED, 2)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # as rich ends a program
            return _say(CLOSED, 2)
        raise
    except Exception as error:  # noqa: BLE001 (nothing else leaves the command line)
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        line = describe(error)
        if line is not None:
            return _say(f"aiec: error: {line}", 2)
        kind = f"{type(error).__name__}: {_one_line(error)}".removesuffix(": ")
        return _say(
            f"aiec: error: a fault of this program, not of your input ({kind}). Please report it "
            f"with what {TRACEBACK_VARIABLE}=1 and the same command show",
            1,
        )


def describe(error: BaseException) -> str | None:
    """Says in one line what went wrong, where the user can do something about it.

    Returns:
        None for an exception that no input should be able to cause.
    """
    text = _one_line(error)
    if isinstance(error, InputError):
        return text
    if isinstance(error, MemoryError) or _mentions(error, NO_MEMORY):
        return "out of memory: take less data, smaller images, fewer --hidden or --jobs"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if _mentions(error, LOOP):
        return f"symbolic links that lead in a circle: {text.rpartition(' ')[2]}"
    if _mentions(error, NO_SPACE) or _is_out_of_space(error):
        return f"the disk is full: {text}"
    if isinstance(error, OSError):
        what = error.strerror or text
        return what if error.filename is None else f"{str(error.filename)[:200]}: {what}"
    return None


def _mentions(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in text for word in words)


def _is_out_of_space(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _say(line: str, code: int) -> int:
    print(line, file=sys.stderr)  # noqa: T201
    return code


@contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """SIGTERM raises `Terminated`, so that what is open is closed and workers are stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, where signals are another's affair
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
