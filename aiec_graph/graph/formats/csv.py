"""Reading large CSV files of numbers fast, with errors that name the line and the column."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from aiec_graph.errors import InputError

# What a cell of each type must hold, for the error message.
EXPECTED = {
    pa.int64(): "a whole number",
    pa.float32(): "a finite number",
    pa.string(): "text",
}

LARGEST_FLOAT = float(np.finfo(np.float32).max)
LARGEST_INT = 2**63 - 1
MAX_HEADER = 10_000


def read_csv(path: Path, types: dict[str, pa.DataType], *, header: bool) -> pa.Table:
    """Reads a CSV file whose every cell must be given.

    Args:
        path: a UTF-8 text file.
        types: column names and types in the order of the file: int64, float32 or string.
        header: whether the first line holds the names.

    Returns:
        The table, without missing or non-finite values.

    Raises:
        InputError: the file is unreadable or empty, the header differs, or a line has another
            number of cells or a cell of another kind; names the line and the column.
    """
    try:
        table = pa_csv.read_csv(
            path,
            pa_csv.ReadOptions(column_names=list(types), skip_rows=int(header)),
            pa_csv.ParseOptions(newlines_in_values=False),
            pa_csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
    except OSError as error:
        raise InputError(f"{path}: {error}") from None
    except pa.ArrowInvalid as error:
        _explain(path, types, header)
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from None
    sound = all(
        column.null_count == 0
        and (not pa.types.is_floating(column.type) or bool(np.isfinite(column.to_numpy()).all()))
        for column in table.columns
    )
    if not sound or (header and _header(path) != list(types)):
        _explain(path, types, header)
        raise InputError(f"{path}: a cell is empty or not a finite number")
    return table


def line_of(row: int, *, header: bool) -> int:
    """The line of a data row, both as people count them: the first line is 1, the first row 0."""
    return row + 1 + int(header)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return stream.readline(MAX_HEADER).rstrip("\r\n").replace('"', "").split(",")


def _explain(path: Path, types: dict[str, pa.DataType], header: bool) -> None:
    """Reads the file again, slowly, and raises at the first thing that is wrong."""
    names: Sequence[str] = list(types)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            if header:
                found = next(rows, [])
                if found != names:
                    raise InputError(
                        f"{path}, line 1: expected the header {','.join(names)}, found "
                        f"{','.join(found)[:80]!r}"
                    )
            empty = True
            for row in rows:
                empty = False
                if len(row) != len(names):
                    raise InputError(
                        f"{path}, line {rows.line_num}: {len(row)} cells, expected {len(names)}"
                    )
                for column, (cell, kind) in enumerate(zip(row, types.values(), strict=True)):
                    if not _fits(cell, kind):
                        raise InputError(
                            f"{path}, line {rows.line_num}, column {column + 1} "
                            f"({names[column]}): {cell[:40]!r} is not {EXPECTED[kind]}"
                        )
            if empty:
                raise InputError(f"{path}: the file holds no rows")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason})") from None
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None


def _fits(cell: str, kind: pa.DataType) -> bool:
    if pa.types.is_string(kind):
        return cell != ""
    try:
        number, largest = (
            (float(cell), LARGEST_FLOAT) if pa.types.is_floating(kind) else (int(cell), LARGEST_INT)
        )
    except ValueError:
        return False
    return abs(number) <= largest  # false for NaN
