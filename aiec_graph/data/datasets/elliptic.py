"""Elliptic: Bitcoin transactions over 49 time steps, from the three published CSV files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from aiec_graph.data.edges import Edges
from aiec_graph.data.formats.csv import line_of, read_csv
from aiec_graph.data.graph import NO_PART, TEST, TRAIN, UNKNOWN, VAL, Graph
from aiec_graph.errors import InputError

FEATURES_FILE = "elliptic_txs_features.csv"
CLASSES_FILE = "elliptic_txs_classes.csv"
EDGES_FILE = "elliptic_txs_edgelist.csv"
FILES = (FEATURES_FILE, CLASSES_FILE, EDGES_FILE)
VALUES = 165
TIME_STEPS = 49
LAST_TRAIN_STEP, LAST_VAL_STEP = 25, 34
_Numbers = tuple[NDArray[np.int64], NDArray[np.float32]]  # ids [N, 1], step and values [N, 166]
CLASSES = {"1": 1, "2": 0, "unknown": UNKNOWN}  # 1 is illicit, 2 licit

FEATURE_TYPES = {
    "txId": pa.int64(),
    "time step": pa.int64(),
    **{f"value {i}": pa.float32() for i in range(1, VALUES + 1)},
}


def read(name: str, files: Sequence[Path]) -> Graph:
    """Reads the three files.

    The features are the time step and the 165 values; edges are directed as in the file; nodes of
    unknown class are in the graph and in no mask. The split is by time: steps 1 to 25 train, 26
    to 34 validate, 35 to 49 test.

    Args:
        name: of the graph.
        files: those of `FILES`, in that order.

    Raises:
        InputError: a file is malformed, an id is repeated or unknown, or a value is outside its
            range; names the file and the line.
    """
    features_path, classes_path, edges_path = files
    x, ids, step = _read_features(features_path)
    y = _read_classes(classes_path, ids)
    source, target = _read_edges(edges_path, ids)
    parts = np.where(step <= LAST_TRAIN_STEP, TRAIN, np.where(step <= LAST_VAL_STEP, VAL, TEST))
    parts[y == UNKNOWN] = NO_PART
    return Graph(
        name=name,
        x=torch.from_numpy(x),
        edges=Edges.from_pairs(source, target, len(y)),
        y=y,
        node_ids=ids.to_numpy(),
        given={"supervised": parts.astype(np.int8)[None]},
        time_step=step,
        trusted=True,  # all of it is checked where it is read
    )


def _read_features(path: Path) -> tuple[NDArray[np.float32], pd.Index, NDArray[np.int64]]:
    numbers = _read_numbers(path) or _read_table(path)
    ids, x = pd.Index(numbers[0][:, 0]), numbers[1]
    repeated = np.flatnonzero(ids.duplicated())
    if len(repeated):
        row = repeated[0]
        raise InputError(f"{path}, line {line_of(row, header=False)}: txId {ids[row]} is repeated")
    step = x[:, 0].astype(np.int64)
    wrong = np.flatnonzero((step < 1) | (step > TIME_STEPS) | (step != x[:, 0]))
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"{path}, line {line_of(row, header=False)}, column 2 (time step): {x[row, 0]:g} is "
            f"not a whole number within 1 to {TIME_STEPS}"
        )
    return x, ids, step


def _read_numbers(path: Path) -> _Numbers | None:
    # Here, since Numba takes half a second to import and a cached graph does not need it.
    from aiec_graph.data.formats.number_table import read_numbers

    try:
        return read_numbers(path, 1, 1 + VALUES)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _read_table(path: Path) -> _Numbers:
    """The general way, which says what is wrong and where."""
    table = read_csv(path, FEATURE_TYPES, header=False)
    x = np.empty((table.num_rows, 1 + VALUES), dtype=np.float32)
    for column in range(1 + VALUES):
        x[:, column] = table.column(1 + column).to_numpy()
    return table.column(0).to_numpy()[:, None], x


def _read_classes(path: Path, ids: pd.Index) -> NDArray[np.int64]:
    table = read_csv(path, {"txId": pa.int64(), "class": pa.string()}, header=True)
    known = pa.array(list(CLASSES))
    found = pc.call_function("index_in", [table.column(1)], pc.SetLookupOptions(known))
    word = found.fill_null(-1).to_numpy()
    wrong = np.flatnonzero(word < 0)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{path}, line {line_of(row, header=True)}, column 2 (class): "
            f"{table.column(1)[row].as_py()!r} is none of {', '.join(CLASSES)}"
        )
    where = _positions(path, table, 0, ids)
    y = np.full(len(ids), UNKNOWN - 1, dtype=np.int64)
    y[where] = np.array(list(CLASSES.values()))[word]
    missing = np.flatnonzero(y == UNKNOWN - 1)
    if len(missing):
        raise InputError(
            f"{path}: txId {ids[missing[0]]} of {FEATURES_FILE} has no line here "
            f"({len(missing)} such in all)"
        )
    if len(where) != len(ids):
        row = int(np.flatnonzero(pd.Index(where).duplicated())[0])
        raise InputError(
            f"{path}, line {line_of(row, header=True)}: txId {ids[where[row]]} is repeated"
        )
    return y


def _read_edges(path: Path, ids: pd.Index) -> NDArray[np.int64]:
    table = read_csv(path, {"txId1": pa.int64(), "txId2": pa.int64()}, header=True)
    return np.stack([_positions(path, table, column, ids) for column in (0, 1)])


def _positions(path: Path, table: pa.Table, column: int, ids: pd.Index) -> NDArray[np.int64]:
    """The node numbers of the transaction ids in a column."""
    wanted = table.column(column).to_numpy()
    where = ids.get_indexer(pd.Index(wanted))
    unknown = np.flatnonzero(where < 0)
    if len(unknown):
        row = int(unknown[0])
        raise InputError(
            f"{path}, line {line_of(row, header=True)}, column {column + 1} "
            f"({table.column_names[column]}): txId {wanted[row]} is not in {FEATURES_FILE}"
        )
    return where.astype(np.int64, copy=False)
