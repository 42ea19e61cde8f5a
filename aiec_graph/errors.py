"""The one exception that means "your input is at fault", and the advice that goes with it."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one line that says what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class DivergedError(InputError):
    """The loss or the outputs of a network became NaN or infinite under its settings."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name nearest to `name`, or ""."""
    close = difflib.get_close_matches(str(name).lower(), list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def look_up(name: str, table: Mapping[str, T], what: str) -> T:
    """Returns `table[name]`.

    Raises:
        InputError: `name` is not in the table; names the nearest entry and all of them.
    """
    if name not in table:
        known = ", ".join(table)
        raise InputError(f"unknown {what} {name!r}.{did_you_mean(name, table)} Known: {known}")
    return table[name]


@contextmanager
def named(place: object) -> Iterator[None]:
    """Puts `place`, such as a file's path, before the message of any `InputError` raised within.

    A message that begins with it already stays as it is.
    """
    try:
        yield
    except InputError as error:
        if str(error).startswith(f"{place}: "):
            raise
        raise InputError(f"{place}: {error}") from None
