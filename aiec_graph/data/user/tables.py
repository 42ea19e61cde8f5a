"""Tables of the user's own, from CSV or Parquet, with errors that name the line."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from aiec_graph.errors import InputError, did_you_mean

SUFFIXES = (".csv", ".parquet")
PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZ": "bzip2", b"\xfd7": "xz"}


@dataclass(frozen=True)
class Table:
    """A frame and what to call it and its rows in messages."""

    frame: pd.DataFrame
    where: str
    first_line: int | None = None
    """The line of its first row in a text file."""

    def at(self, row: int) -> str:
        """Names a row, counted from 0."""
        if self.first_line is None:
            return f"{self.where}, row {row}"
        return f"{self.where}, line {row + self.first_line}"

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [str(name) for name in self.frame.columns]

    def check(self, column: str, key: str = "") -> None:
        """Sees to it that a column is there that graph.yaml names, as `key` where that tells more.

        Raises:
            InputError: it is missing.
        """
        if column not in self.frame.columns:
            as_key = f" ({key})" if key else ""
            raise InputError(
                f"{self.where}: graph.yaml names the column {column!r}{as_key}, which is not there."
                f"{did_you_mean(column, self.names)}"
            )

    def need(self, column: str) -> pd.Series:
        """A column.

        Raises:
            InputError: it is missing.
        """
        if column not in self.frame.columns:
            raise InputError(
                f"{self.where}: no column {column!r}.{did_you_mean(column, self.names)} Found: "
                f"{', '.join(self.names)[:300]}"
            )
        return self.frame[column]


def read_table(path: Path, text_columns: Iterable[str] = ()) -> Table:
    """Reads a CSV file with a header, or a Parquet file.

    A byte order mark and the line ends of Windows are taken as they come.

    Args:
        path: by its suffix, .csv or .parquet.
        text_columns: columns that are read as they are written, so that 007 is not 7.

    Raises:
        InputError: the file is missing, empty, packed, not UTF-8, or a row has another number of
            cells or a cell that does not fit its column.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
        if path.suffix.lower() == ".parquet":
            table, line = pa_parquet.ParquetFile(path).read(), None
        else:
            packed = [kind for magic, kind in PACKED.items() if head.startswith(magic)]
            if packed:
                raise InputError(f"{path}: a {packed[0]} file; unpack it first")
            types = pa_csv.ConvertOptions(
                column_types=dict.fromkeys(text_columns, pa.string()), strings_can_be_null=True
            )
            reading = pa_csv.ReadOptions(use_threads=False)  # then errors name the row
            table, line = pa_csv.read_csv(path, reading, convert_options=types), 2
        names = table.column_names
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (pa.ArrowException, pa.ArrowInvalid, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {_explained(str(error))}") from None
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise InputError(f"{path}: the column {repeated.pop()!r} is there twice")
    for name in names if line else ():
        if pa.types.is_binary(table.schema.field(name).type):
            row = _first_undecodable(table[name])
            raise InputError(f"{path}, line {row + 2}, column {name}: not UTF-8 text")
    if table.num_rows == 0:
        raise InputError(f"{path}: the file holds no rows")
    return Table(table.to_pandas(date_as_object=False), str(path), line)


def _first_undecodable(values: pa.ChunkedArray) -> int:
    for row, value in enumerate(values.to_pylist()):
        try:
            (value or b"").decode("utf-8")
        except UnicodeDecodeError:
            return row
    return 0


def _explained(message: str) -> str:
    message = " ".join(message.split())[:300]
    row = re.search(r"Row #(\d+)", message)
    if row and "line" not in message:
        message = message.replace(row[0], f"line {row[1]}")
    if "conversion error" in message:
        message += "; if the column holds categories, list it under categorical: in graph.yaml"
    return message


def to_ids(table: Table, column: str) -> pd.Index:
    """The ids of a column as text: whole numbers in their shortest form, all else as it is.

    Raises:
        InputError: one is missing, or they are fractions.
    """
    values = table.need(column)
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise InputError(f"{table.at(int(missing[0]))}: {column} is empty")
    if pd.api.types.is_float_dtype(values):
        whole = values.to_numpy(np.float64)
        wrong = np.flatnonzero((whole != np.rint(whole)) | (np.abs(whole) >= 2**53))
        if len(wrong):
            raise InputError(
                f"{table.at(int(wrong[0]))}: {column} is {whole[wrong[0]]!r}; an id is a whole "
                "number or text (as a fraction, a large number loses digits)"
            )
        values = values.astype(np.int64)
    return pd.Index(values.astype(str))


def to_node_ids(ids: pd.Index) -> NDArray[np.generic]:
    """Text ids as numbers, where every one is a whole number in its shortest form."""
    text = ids.to_numpy(dtype=str)
    if all(re.fullmatch(r"0|-?[1-9]\d{0,19}", word) for word in text):
        for dtype in (np.int64, np.uint64):
            limits = np.iinfo(dtype)
            if all(limits.min <= int(word) <= limits.max for word in text):
                return np.array([int(word) for word in text], dtype=dtype)
    return text
