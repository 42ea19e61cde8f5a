"""Moments and lengths of time as people write them."""

import datetime as dt
import re

from aiec_graph.errors import InputError

STRUCTURAL, BOTH = "structural", "own+structural"
"""Kinds of features that are made of the graph, alone and behind the nodes' own."""

EPOCH = 719_163
"""The ordinal of 1 January 1970."""
DAYS = {"d": 1, "w": 7}
SPAN = re.compile(r"(\d+)\s*([dw]?)")


def span(text: str, unit: str, option: str, least: int) -> int:
    """A length of time in steps or days.

    Raises:
        InputError: it cannot be read, or is shorter than the least.
    """
    found = SPAN.fullmatch(str(text).strip())
    example = "7, 60d or 2w" if unit == "day" else "3"
    if found is None or (found[2] and unit != "day"):
        raise InputError(
            f"--{option} takes a whole number of {unit}s, such as {example}, not {text!r}"
        )
    count = int(found[1]) * DAYS.get(found[2], 1)
    if count < least:
        raise InputError(f"--{option} must be at least {least}, not {text}")
    return count


def moment_of(text: str, unit: str) -> int:
    """A cut's moment: a step, or the number of a day since 1970.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if unit == "day":
            return dt.date.fromisoformat(str(text)).toordinal() - EPOCH
        return int(text)
    except ValueError:
        example = "a day such as 2024-01-31" if unit == "day" else "a time step such as 25"
        raise InputError(f"--from takes {example}, not {text!r}") from None


def written(moment: int, unit: str) -> str:
    """A moment as people write it: the inverse of `moment_of`."""
    return dt.date.fromordinal(moment + EPOCH).isoformat() if unit == "day" else str(moment)
