"""Tables of any kind that people keep: delimited text, Parquet and Excel sheets, by suffix."""

from pathlib import Path

from aiec_graph.errors import InputError
from aiec_graph.graph.formats import delimited, excel, parquet
from aiec_graph.graph.formats.file_table import FileTable

TEXT_SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".xlsx")
"""Suffixes of the tables that are read."""
UNREAD = (
    *(".xls", ".ods", ".xlsb", ".xlsm", ".feather", ".arrow", ".orc", ".avro", ".dta", ".sav"),
    *(".json", ".jsonl", ".xml", ".db", ".sqlite", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar"),
)
"""Suffixes of tables that are not read, to be told so."""


def suffix_of(path: Path) -> str:
    """Returns the suffix in small letters, such as .csv.gz; empty where it is not a table's.

    A .zip is a table where a text table is what it holds.
    """
    name = path.name.lower()
    found = [suffix for suffix in SUFFIXES if name.endswith(suffix)]
    if not found and name.endswith(".zip") and delimited.holds_text(path):
        return ".zip"
    return max(found, key=len, default="")


def read_file(path: Path) -> FileTable:
    """Reads a table by its suffix.

    Raises:
        InputError: the file is missing, damaged, empty, or of a kind that is not read.
    """
    suffix = suffix_of(path)
    try:
        if suffix == ".parquet":
            table = parquet.read(path)
        elif suffix == ".xlsx":
            table = excel.read(path)
        elif suffix:
            table = delimited.read(path)
        else:
            raise InputError(
                f"{path}: not a table that is read; these are {', '.join(SUFFIXES)}; save it as "
                "one of them"
            )
    except OSError as error:
        raise InputError(f"{path}: {' '.join(str(error.strerror or error).split())}") from None
    if not len(table.frame.columns):
        raise InputError(f"{path}: the file holds no columns")
    return table
