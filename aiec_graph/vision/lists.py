"""Pictures that a table lists: a file, its class, and where wanted its part."""

from pathlib import Path

import numpy as np
import pandas as pd

from aiec_graph.errors import InputError
from aiec_graph.graph.formats.file_table import FileTable
from aiec_graph.graph.formats.table_file import read_file
from aiec_graph.vision.classes import PART_OF, PARTS, spelled
from aiec_graph.vision.listing import Listing, Pictures, draw_test, printable
from aiec_graph.wording import counted, listed

TABLES = (".csv", ".tsv", ".parquet")
PATH, LABEL, SPLIT = "path", "label", "split"


def read_list(path: Path) -> Listing:
    """Reads a CSV, TSV or Parquet table with the columns path, label and, where wanted, split.

    Args:
        path: the table; the paths in it are relative to its folder.

    Returns:
        The pictures of train, test and, where there are any, val. Without a column split, a fifth
        is drawn for the test, by class; without rows of test, val is the test.

    Raises:
        InputError: a column or a value is missing; names the line.
    """
    found = _read(path)
    table = found.frame
    _check_columns(path, list(map(str, table.columns)))
    if table.empty:
        raise InputError(f"{path}: no row below its header")
    for name in (PATH, LABEL):
        empty = np.flatnonzero(table[name].isna() | (table[name].astype(str).str.strip() == ""))
        if len(empty):
            raise InputError(f"{_at(path, found, empty[0])}: no {name}")
    labels = table[LABEL].astype(str).str.strip().map(spelled)
    codes, names = pd.factorize(labels, sort=True)
    files = tuple(path.parent / name for name in table[PATH].astype(str))
    absent = [row for row, file in enumerate(files) if not file.is_file()]
    if absent:
        first = str(files[absent[0]])
        what = "file is" if len(absent) == 1 else "files are"
        where = _at(path, found, np.int64(absent[0]))
        advice = "; paths take / in place of \\" if "\\" in first else ""
        raise InputError(f"{where}: {len(absent):,} {what} not there, such as {first!r}{advice}")
    every = Pictures(path.parent, files, codes.astype(np.int64), tuple(map(printable, names)))
    listing = _by_part(path, found, every)
    others = sorted({*map(str, table.columns)} - {PATH, LABEL, SPLIT, ""})
    told = [f"columns that are not read: {listed(others)}"] if others else []
    told += _repeated(path, found, labels)
    return listing._replace(notes=(*listing.notes, *told))


def _check_columns(path: Path, columns: list[str]) -> None:
    shown = ", ".join(columns)
    takes = f"It takes {PATH}, {LABEL} and, where wanted, {SPLIT} (train, val, test)"
    for name in (PATH, LABEL, SPLIT):
        near = [c for c in columns if c != name and c.strip().lower() == name]
        if name not in columns and (near or name != SPLIT):
            advice = f"; call {near[0]!r} so" if near else ""
            raise InputError(f"{path}: no column {name!r}; found {shown}{advice}. {takes}")
        if columns.count(name) > 1:
            raise InputError(f"{path}: {columns.count(name)} columns {name!r}. {takes}")


def _repeated(path: Path, found: FileTable, labels: pd.Series) -> list[str]:
    """What is to be told of files that several rows name.

    Raises:
        InputError: two of these rows have different labels.
    """
    paths = found.frame[PATH].astype(str)
    again = paths.duplicated(keep="first")
    if not again.any():
        return []
    first = labels.groupby(paths).transform("first")
    odd = np.flatnonzero(labels != first)
    if len(odd):
        file, own = paths.iloc[odd[0]], labels.iloc[odd[0]]
        raise InputError(
            f"{_at(path, found, odd[0])}: {file} is {own!r}, and {first.iloc[odd[0]]!r} in a row "
            "above"
        )
    names = paths[again].unique()
    return [f"{counted(int(again.sum()), 'row')} name a file again: {listed(names)}"]


def _read(path: Path) -> FileTable:
    if path.suffix.lower() not in TABLES:
        kinds = ", ".join(TABLES)
        raise InputError(f"{path}: must be a folder of pictures, or a table ({kinds}) of them")
    return read_file(path)


def _at(path: Path, found: FileTable, row: np.integer) -> str:
    where = f"row {row}" if found.locate is None else f"line {found.locate(int(row))}"
    return f"{path}, {where}"


def _by_part(path: Path, found: FileTable, every: Pictures) -> Listing:
    table = found.frame
    if SPLIT not in table:
        drawn = draw_test(every, f"no column {SPLIT}", path)
        return drawn._replace(notes=(*found.notes, *drawn.notes))
    words = table[SPLIT].astype(object).fillna("").astype(str).str.strip().str.lower()
    wrong = np.flatnonzero(~words.isin(list(PART_OF)))
    if len(wrong):
        place, word = _at(path, found, wrong[0]), words.iloc[wrong[0]]
        raise InputError(f"{place}: {word!r} is none of {', '.join(PART_OF)}")
    parts = words.map(PART_OF).to_numpy()
    chosen = {
        part: every.take(np.flatnonzero(parts == part)) for part in PARTS if (parts == part).any()
    }
    notes = [*found.notes]
    if "test" not in chosen and "val" in chosen:
        notes.append(f"no row of the test part in {SPLIT}: val is the test")
        chosen["test"] = chosen.pop("val")
    for part in ("train", "test"):
        if part not in chosen:
            raise InputError(f"{path}: no row of the {part} part in the column {SPLIT}")
    return Listing(chosen, tuple(notes))
