"""What was declared about a column, what it turned out to be, and why it cannot be used."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.graph.column import Column

MOST_NAMED = 3
"""Rows of one column that are named for one fault."""


@dataclass(frozen=True)
class Fault:
    """Why a column cannot be used, and what to do."""

    message: str
    row: int | None = None
    """Counted from 0."""


@dataclass(frozen=True)
class Options:
    """What was declared about one column."""

    name: str = ""
    is_categorical: bool = False
    is_numeric: bool = False
    as_of: str = ""
    """The day against which dates become an age, such as 2026-02-01."""
    date_format: str = ""
    hides_later: bool = False
    """Whether dates after that day count as missing, for they had not come yet."""
    is_date: bool = False
    """Whether it must hold dates: a format was declared for it by name."""
    decimal: str = ""
    thousands: str = ""
    missing_values: tuple[str, ...] = ()
    trained: Column | None = None
    """The column of the training data whose kind this one takes."""
    is_measure: bool = False
    """Whether it must hold numbers, as an amount or a weight does."""
    yaml: str = ""
    """File in which it is declared; empty where that is done by a `Declaration` in Python."""

    def advise(self, key: str, value: Any = None) -> str:
        """Says how to declare something: by default that the column is in the list `key`."""
        value = [self.name] if value is None else value
        return advise(self.yaml, key, value)


def advise(yaml: str, key: str, value: Any) -> str:
    """Says how to declare something, in a file or, where that has no name, in Python."""
    if not yaml:
        return f"Declaration({key}={value!r})"
    return f"'{key}: {to_yaml(value)}' in {yaml}"


@dataclass(frozen=True)
class ColumnValues:
    """What a column turned out to be."""

    kind: str
    """number, category, boolean, date or text (which is no input)."""
    values: NDArray[np.float64]
    """Numbers, ages in days, or the codes of the categories; NaN where missing [N]."""
    categories: tuple[str, ...] | None = None
    notation: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = field(default=())


def to_yaml(value: Any) -> str:
    """Writes a text, a list of texts or a mapping of one text as YAML takes it on one line."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_yaml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_yaml(k)}: {to_yaml(v)}" for k, v in value.items()) + "}"
    text = str(value)
    is_plain = text.replace("_", "").replace(" ", "").replace("-", "").replace(".", "").isalnum()
    keyword = text.lower() in ("yes", "no", "on", "off", "true", "false", "null", "none")
    starts = text[:1].isalpha() or text[:1] == "_"
    if is_plain and starts and not keyword and text == text.strip():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def show(text: pd.Series) -> str:
    """Shows two of the words."""
    return " and ".join(repr(str(word)[:40]) for word in text[:2])


def refuse(rows: int, *faults: Fault, kind: str = "number") -> ColumnValues:
    """Returns a column without values, and the reasons."""
    return ColumnValues(kind, np.full(rows, np.nan), faults=faults)
