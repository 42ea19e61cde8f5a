"""Tables in Excel sheets, through openpyxl."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aiec_graph.errors import InputError
from aiec_graph.graph.formats.file_table import FileTable

NO_RESULT = re.compile(rb"<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>|</c>)")
LARGEST_SHEET = 2**29
"""Bytes that the parts of a file may hold unpacked."""


def read(path: Path) -> FileTable:
    """Reads the first sheet that is not empty; its first row names the columns.

    Raises:
        InputError: the file is damaged or empty, or openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            f"{path}: Excel sheets need openpyxl: pip install 'aiec-graph[excel]', or save the "
            "sheet as CSV"
        ) from None
    path.open("rb").close()  # what is missing or locked is no damaged file
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_SHEET:
                raise InputError(f"{path}: too large for a sheet; save it as CSV or Parquet")
            for entry in archive.namelist():
                if entry.startswith("xl/worksheets/") and NO_RESULT.search(archive.read(entry)):
                    raise InputError(
                        f"{path}: a formula without its result, as programs write it that do not "
                        "compute; open and save it in a spreadsheet program, or save it as CSV"
                    )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles that it leaves out
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = {
                sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)]
                for sheet in book.worksheets
            }
            book.close()
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (a damaged file can raise anything)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: not a readable .xlsx file ({reason})") from None
    filled = {name: rows for name, rows in sheets.items() if any(map(_is_filled, rows))}
    if not filled:
        raise InputError(f"{path}: the file is empty")
    name, rows = next(iter(filled.items()))
    others = [other for other in filled if other != name]
    notes = (f"the first sheet {name!r} is read, not {', '.join(others)}",) if others else ()
    return _of_rows(rows, notes)


def _of_rows(rows: list[list[Any]], notes: tuple[str, ...]) -> FileTable:
    numbers = np.array([i for i, row in enumerate(rows) if _is_filled(row)])
    head, body = rows[numbers[0]], [rows[i] for i in numbers[1:]]
    frame = pd.DataFrame(body, columns=range(len(head)), dtype=object)
    frame = frame.apply(lambda column: column.where(column != "", None)).infer_objects()
    frame.columns = pd.Index(["" if name is None else str(name) for name in head])
    return FileTable(frame, lambda row: int(numbers[row + 1]) + 1, notes)


def _is_filled(row: list[Any]) -> bool:
    return any(cell is not None and cell != "" for cell in row)
