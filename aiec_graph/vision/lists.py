"""Pictures that a table lists: a file, its class, and where wanted its part."""

from pathlib import Path

import numpy as np
import pandas as pd

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
    table = _read(path)
    missing = [name for name in (PATH, LABEL) if name not in table]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}; found {', '.join(map(str, table.columns))}. It "
            f"takes {PATH}, {LABEL} and, where wanted, {SPLIT} (train, val, test)"
        )
    for name in (PATH, LABEL):
        empty = np.flatnonzero(table[name].isna() | (table[name].astype(str).str.strip() == ""))
        if len(empty):
            raise InputError(f"{path}, row {empty[0] + 1}: no {name}")
    codes, names = pd.factorize(table[LABEL].astype(str).str.strip(), sort=True)
    files = tuple(path.parent / name for name in table[PATH].astype(str))
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise InputError(f"{path}: {len(absent)} files are not there, such as {absent[0]}")
    if len(names) < 2:
        raise InputError(f"{path}: one class alone, {names[0] if len(names) else ''!r}")
    every = Pictures(path.parent, files, codes.astype(np.int64), tuple(map(str, names)))
    return _by_part(path, table, every)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path}: cannot be read as a table ({reason})") from None
    raise InputError(
        f"{path}: must be a folder of pictures, or a table ({', '.join(TABLES)}) that lists them"
    )


def _by_part(path: Path, table: pd.DataFrame, every: Pictures) -> Listing:
    if SPLIT not in table:
        rows = np.arange(len(every.labels))
        train, test = stratified(every.labels, rows, 1 - TEST_SHARE)
        note = f"no column {SPLIT}: {len(test)} of {len(rows)} pictures drawn for the test"
        return Listing({"train": every.take(train), "test": every.take(test)}, (note,))
    words = table[SPLIT].astype(str).str.strip().str.lower()
    meaning = {name: part for part, names in PARTS.items() for name in names}
    wrong = np.flatnonzero(~words.isin(list(meaning)))
    if len(wrong):
        raise InputError(
            f"{path}, row {wrong[0] + 1}: {words.iloc[wrong[0]]!r} is none of {', '.join(meaning)}"
        )
    parts = words.map(meaning).to_numpy()
    found = {
        part: every.take(np.flatnonzero(parts == part)) for part in PARTS if (parts == part).any()
    }
    notes = []
    if "test" not in found and "val" in found:
        notes.append(f"no row of the test part in {SPLIT}: val is the test")
        found["test"] = found.pop("val")
    for part in ("train", "test"):
        if part not in found:
            raise InputError(f"{path}: no row of the {part} part in the column {SPLIT}")
    return Listing(found, tuple(notes))
