"""Tables of the user's own: columns under clean names, and messages that name the line."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from aiec_graph.data.user.column_values import Fault, advise
from aiec_graph.data.user.findings import Findings
from aiec_graph.data.user.words import BLANK
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.graph.formats.table_file import read_file

NAMELESS = re.compile(r"(?:Unnamed: \d+(?:_level_\d+)?|__index_level_\d+__|)")
VECTOR = r"\[[^\[\]]*\]"
MOST_IN_VECTOR = 10_000


def to_frame(value: Any, what: str) -> pd.DataFrame:
    """A pandas frame, or a table of a library whose tables can be made one, as Polars' and Arrow's.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, pd.DataFrame):
        return value
    if not hasattr(value, "to_pandas"):
        raise InputError(
            f"{what}: must be a pandas DataFrame, not {type(value).__name__}; pd.DataFrame(…) "
            "makes one"
        )
    return pd.DataFrame(value.to_pandas())


@dataclass(frozen=True)
class Table:
    """A frame and what to call it and its rows in messages."""

    frame: pd.DataFrame
    where: str
    locate: Callable[[int], int] | None = None
    """Gives the line of a row in the file that it is from."""
    yaml: str = ""
    """File in which its columns are declared; empty for an object in memory."""
    notes: tuple[str, ...] = ()
    repeated: frozenset[str] = frozenset()
    """Names that stood there more than once; the second now has `.1` after it."""
    vectors: dict[str, list[str]] = field(default_factory=dict)
    """Columns of vectors, and the columns that were made of them."""
    nameless: int = 0
    """Columns without a name that were left out."""
    is_clean: bool = False

    def at(self, row: int) -> str:
        """Names a row, counted from 0."""
        if self.locate is None:
            return f"{self.where}, row {row}"
        return f"{self.where}, line {self.locate(row)}"

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [str(name) for name in self.frame.columns]

    def advise(self, key: str, value: Any) -> str:
        """Says how to declare something, in a file or in Python."""
        return advise(self.yaml, key, value)

    @property
    def declared_in(self) -> str:
        """Where a declaration of this table stands."""
        return self.yaml or "the declaration"

    def explain(self, column: str, fault: Fault) -> str:
        """Puts the place before a fault of a column."""
        place = self.where if fault.row is None else self.at(fault.row)
        return f"{place}, column {column}: {fault.message}"

    def need(self, column: str, key: str = "") -> pd.Series:
        """Returns a column.

        Raises:
            InputError: it is missing.
        """
        if column not in self.frame.columns:
            as_key = f" ({key})" if key else ""
            raise InputError(
                f"{self.where}: {self.declared_in} names the column {column!r}{as_key}, which is "
                f"not there.{did_you_mean(column, self.names)}"
            )
        return self.frame[column]


def read_table(path: Path, yaml: str = "graph.yaml") -> Table:
    """Reads a table file of any kind that is read; see `formats.table_file`.

    Args:
        path: the file.
        yaml: name of the file in which its columns are declared.

    Raises:
        InputError: it cannot be read.
    """
    found = read_file(path)
    return Table(found.frame, str(path), found.locate, yaml, notes=found.notes)


def read_tables(paths: Iterable[Path], yaml: str = "graph.yaml") -> Table:
    """Reads several files with the same columns as one table.

    Raises:
        InputError: one cannot be read, or their columns differ.
    """
    tables = [read_table(path, yaml) for path in paths]
    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        if sorted(table.names) != sorted(first.names):
            raise InputError(
                f"{table.where}: has the columns {', '.join(table.names)}, but {first.where} has "
                f"{', '.join(first.names)}"
            )
        if len(set(table.names)) < len(table.names):
            raise InputError(f"{table.where}: a name of a column is there twice")
    starts = np.cumsum([0, *(len(table.frame) for table in tables)])
    frame = pd.concat([table.frame[first.names] for table in tables], ignore_index=True)
    notes = tuple(note for table in tables for note in table.notes)
    return _Joined(frame, first.where, None, yaml, notes, parts=(tables, starts))


@dataclass(frozen=True)
class _Joined(Table):
    """Several files as one table."""

    parts: Any = None

    def at(self, row: int) -> str:
        tables, starts = self.parts
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return str(tables[number].at(row - int(starts[number])))


def clean(table: Table, findings: Findings) -> Table:
    """Gives a table its clean names: trimmed, each once; expands vectors; what is said is noted."""
    if table.is_clean:
        return table
    frame = _with_index(table.frame)
    names, notes = [str(name).strip(BLANK) for name in frame.columns], list(table.notes)
    trimmed = [str(old) for old, new in zip(frame.columns, names, strict=True) if str(old) != new]
    trimmed = [name for name in trimmed if name.strip(BLANK)]
    if trimmed:
        notes.append(f"blanks around the name of the column {trimmed[0]!r} are left out")
    kept = [i for i, name in enumerate(names) if not NAMELESS.fullmatch(name)]
    nameless = [i + 1 for i in range(len(names)) if i not in kept]
    if nameless:
        listed = ", ".join(map(str, nameless))
        notes.append(
            f"column {listed} has no name, as the row numbers of to_csv() have none; it is left out"
        )
    frame, names = frame.iloc[:, kept], [names[i] for i in kept]
    repeated = frozenset(name for name in names if names.count(name) > 1)
    frame = frame.set_axis(_number(names), axis=1).reset_index(drop=True)
    cleaned = replace(table, frame=frame, notes=(), repeated=repeated, is_clean=True)
    cleaned = replace(cleaned, nameless=len(nameless))
    cleaned = _expand_vectors(cleaned, findings)
    for note in notes:
        findings.notes.append(f"{table.where}: {note}")
    return cleaned


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an index that has a name as its columns, for it holds something."""
    names = [name for name in frame.index.names if name is not None]
    if names and not any(name in frame.columns for name in names):
        return frame.reset_index(level=names)
    return frame


def _number(names: list[str]) -> list[str]:
    """Each name once: the second time it has .1 after it, as in pandas."""
    found: list[str] = []
    for name in names:
        number, new = 0, name
        while new in found or (number and new in names):
            number += 1
            new = f"{name}.{number}"
        found.append(new)
    return found


def _expand_vectors(table: Table, findings: Findings) -> Table:
    columns: dict[str, pd.Series] = {}
    vectors: dict[str, list[str]] = {}
    for name, values in table.frame.items():
        values = _plain_scalars(values)
        parts = _to_parts(str(name), values)
        if isinstance(parts, Fault):
            findings.add_fault(table.explain(str(name), parts))
            parts = None
            continue
        if parts is None:
            columns[str(name)] = values
            continue
        vectors[str(name)] = list(parts)
        columns |= parts
        listed = ", ".join(list(parts)[:2]) + (" …" if len(parts) > 2 else "")
        findings.notes.append(f"{table.where}: column {name} holds vectors; it becomes {listed}")
    if not vectors and len(columns) == table.frame.shape[1]:
        return table
    return replace(table, frame=pd.DataFrame(columns), vectors=vectors)


def _plain_scalars(values: pd.Series) -> pd.Series:
    """The column with tensors and arrays of no dimension as the numbers that they hold."""
    given = values.dropna() if values.dtype == object else values.iloc[:0]
    if not len(given) or isinstance(given.iloc[0], np.generic):
        return values
    if getattr(given.iloc[0], "ndim", None) != 0:
        return values
    plain = [cast(Any, v).item() if getattr(v, "ndim", None) == 0 else v for v in values]
    return pd.Series(plain, index=values.index, dtype=object)


def _to_parts(name: str, values: pd.Series) -> dict[str, pd.Series] | Fault | None:
    """The columns that a column of vectors or structures becomes; None for any other column."""
    is_object = values.dtype == object
    if not is_object and not pd.api.types.is_string_dtype(values):
        return None
    given = values.dropna()
    if not len(given):
        return None
    first = given.iloc[0]
    if isinstance(first, set | frozenset):
        return Fault("sets have no order; write lists")
    if isinstance(first, str):
        if not first.strip().startswith("["):
            return None
        given = given.astype("str").str.strip()
        if not given.str.fullmatch(VECTOR).all():
            return None
        given = given.str.strip("[] ").str.split(r"[,;\s]+", regex=True)
    elif isinstance(first, dict):
        inner = pd.DataFrame(given.tolist(), index=given.index).reindex(values.index)
        return {f"{name}.{key}": inner[key] for key in inner}
    elif (
        not hasattr(first, "__len__") or isinstance(first, bytes) or not hasattr(first, "__iter__")
    ):
        return None
    try:
        lengths = given.map(len)
    except TypeError:
        return Fault("vectors and other values are mixed", int(given.index[0]))
    wrong = np.flatnonzero((lengths != lengths.iloc[0]).to_numpy())
    if len(wrong):
        row = int(np.flatnonzero(values.notna())[wrong[0]])
        odd, usual = lengths.iloc[wrong[0]], lengths.iloc[0]
        return Fault(f"a vector of {odd} among vectors of {usual}", row)
    width = int(lengths.iloc[0])
    if not 0 < width <= MOST_IN_VECTOR:
        return Fault(f"vectors of {width} numbers")
    rows: list[Any] = [cast(Any, v).tolist() if hasattr(v, "tolist") else list(v) for v in given]
    nested = [i for i, row in enumerate(rows) if any(hasattr(v, "__iter__") for v in row)]
    nested = [i for i in nested if not all(isinstance(v, str | None) for v in rows[i])]
    if nested:
        has_text = any(isinstance(v, str) for v in rows[nested[0]])
        what = "texts and numbers in one vector" if has_text else "a vector within a vector"
        row = int(np.flatnonzero(values.notna())[nested[0]])
        return Fault(f"{what}; make a column of each part", row)
    inner = pd.DataFrame(rows, index=given.index).reindex(values.index)
    return {f"{name}[{i}]": inner[i] for i in range(width)}
