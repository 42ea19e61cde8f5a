"""Pictures that a table lists: a file, its class, and where wanted its part."""

from pathlib import Path

import numpy as np
import pandas as pd

from aiec_graph.data.formats.file_table import FileTable
from aiec_graph.data.formats.table_file import read_file
from aiec_graph.errors import InputError
from aiec_graph.vision.listing import PARTS, Listing, Pictures
from aiec_graph.vision.stratify import TEST_SHARE, stratified

TABLES = (".csv", ".parquet")
PATH, LABEL, SPLIT = "path", "label", "split"


def read_list(path: Path) -> Listing:
    """Reads a CSV or Parquet table with the columns path, label and, where wanted, split.

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
    missing = [name for name in (PATH, LABEL) if name not in table]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}; found {', '.join(map(str, table.columns))}. It "
            f"takes {PATH}, {LABEL} and, where wanted, {SPLIT} (train, val, test)"
        )
    for name in (PATH, LABEL):
        empty = np.flatnonzero(table[name].isna() | (table[name].astype(str).str.strip() == ""))
        if len(empty):
            raise InputError(f"{_at(path, found, empty[0])}: no {name}")
    codes, names = pd.factorize(table[LABEL].astype(str).str.strip(), sort=True)
    files = tuple(path.parent / name for name in table[PATH].astype(str))
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise InputError(f"{path}: {len(absent)} files are not there, such as {absent[0]}")
    if len(names) < 2:
        raise InputError(f"{path}: one class alone, {names[0] if len(names) else ''!r}")
    every = Pictures(path.parent, files, codes.astype(np.int64), tuple(map(str, names)))
    return _by_part(path, found, every)


def _read(path: Path) -> FileTable:
    if path.suffix.lower() not in TABLES:
        listed = ", ".join(TABLES)
        raise InputError(f"{path}: must be a folder of pictures, or a table ({listed}) of them")
    return read_file(path)


def _at(path: Path, found: FileTable, row: np.integer) -> str:
    where = f"row {row}" if found.locate is None else f"line {found.locate(int(row))}"
    return f"{path}, {where}"


def _by_part(path: Path, found: FileTable, every: Pictures) -> Listing:
    table = found.frame
    if SPLIT not in table:
        rows = np.arange(len(every.labels))
        train, test = stratified(every.labels, rows, 1 - TEST_SHARE)
        note = f"no column {SPLIT}: {len(test)} of {len(rows)} pictures drawn for the test"
        return Listing({"train": every.take(train), "test": every.take(test)}, (*found.notes, note))
    words = table[SPLIT].astype(object).fillna("").astype(str).str.strip().str.lower()
    meaning = {name: part for part, names in PARTS.items() for name in names}
    wrong = np.flatnonzero(~words.isin(list(meaning)))
    if len(wrong):
        place, word = _at(path, found, wrong[0]), words.iloc[wrong[0]]
        raise InputError(f"{place}: {word!r} is none of {', '.join(meaning)}")
    parts = words.map(meaning).to_numpy()
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
