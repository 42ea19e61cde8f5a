"""Elliptic: Bitcoin transactions over 49 time steps, with their features or without."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.csv import line_of, read_csv
from aiec_graph.graph.graph import NO_PART, TEST, TRAIN, UNKNOWN, VAL, Column, Graph

FEATURES_FILE = "elliptic_txs_features.csv"
CLASSES_FILE = "elliptic_txs_classes.csv"
EDGES_FILE = "elliptic_txs_edgelist.csv"
STEPS_FILE = "time_steps.csv"
FILES = (FEATURES_FILE, CLASSES_FILE, EDGES_FILE)
GRAPH_FILES = (STEPS_FILE, CLASSES_FILE, EDGES_FILE)
DEGREES = (Column("in_degree"), Column("out_degree"))
VALUES = 165
TIME_STEPS = 49
LAST_TRAIN_STEP, LAST_VAL_STEP = 25, 34
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
    x, ids = _read_features(files[0])
    step = _steps(files[0], x[:, 0], header=False)
    return _graph(name, files, ids, step, x)


def read_graph(name: str, files: Sequence[Path]) -> Graph:
    """Reads the graph without its 165 features; nodes, classes, edges and split as in `read`.

    The features are the in-degree and the out-degree, for a node must have some.

    Args:
        name: of the graph.
        files: those of `GRAPH_FILES`, in that order.

    Raises:
        InputError: as `read`.
    """
    table = read_csv(files[0], {"txId": pa.int64(), "time_step": pa.int64()}, header=True)
    ids = _ids(files[0], table, header=True)
    step = _steps(files[0], table.column(1).to_numpy(), header=True)
    return _graph(name, files, ids, step, None)


def _graph(
    name: str,
    files: Sequence[Path],
    ids: pd.Index,
    step: NDArray[np.int64],
    x: NDArray[np.float32] | None,
) -> Graph:
    _, classes_path, edges_path = files
    y = _read_classes(classes_path, ids, files[0].name)
    source, target = _read_edges(edges_path, ids, files[0].name)
    parts = np.where(step <= LAST_TRAIN_STEP, TRAIN, np.where(step <= LAST_VAL_STEP, VAL, TEST))
    parts[y == UNKNOWN] = NO_PART
    degrees = [np.bincount(end, minlength=len(y)) for end in (target, source)]
    return Graph(
        name=name,
        x=torch.from_numpy(np.stack(degrees, axis=1).astype(np.float32) if x is None else x),
        edges=Edges.from_pairs(source, target, len(y)),
        y=y,
        node_ids=ids.to_numpy(),
        given={"supervised": parts.astype(np.int8)[None]},
        time_step=step,
        columns=DEGREES if x is None else None,
        trusted=True,  # all of it is checked where it is read
    )


def _read_features(path: Path) -> tuple[NDArray[np.float32], pd.Index]:
    table = read_csv(path, FEATURE_TYPES, header=False)
    x = np.empty((table.num_rows, 1 + VALUES), dtype=np.float32)
    for column in range(1 + VALUES):
        x[:, column] = table.column(1 + column).to_numpy()
    return x, _ids(path, table, header=False)


def _ids(path: Path, table: pa.Table, *, header: bool) -> pd.Index:
    ids = pd.Index(table.column(0).to_numpy())
    repeated = np.flatnonzero(ids.duplicated())
    if len(repeated):
        row = repeated[0]
        raise InputError(f"{path}, line {line_of(row, header=header)}: txId {ids[row]} is repeated")
    return ids


def _steps(path: Path, values: NDArray[Any], *, header: bool) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):  # what is too large differs, and is refused below
        step = values.astype(np.int64)
    wrong = np.flatnonzero((step < 1) | (step > TIME_STEPS) | (step != values))
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"{path}, line {line_of(row, header=header)}, column 2 (time step): {values[row]:g} is "
            f"not a whole number within 1 to {TIME_STEPS}"
        )
    return step


def _read_classes(path: Path, ids: pd.Index, nodes_file: str) -> NDArray[np.int64]:
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
    where = _positions(path, table, 0, ids, nodes_file)
    y = np.full(len(ids), UNKNOWN - 1, dtype=np.int64)
    y[where] = np.array(list(CLASSES.values()))[word]
    missing = np.flatnonzero(y == UNKNOWN - 1)
    if len(missing):
        raise InputError(
            f"{path}: txId {ids[missing[0]]} of {nodes_file} has no line here "
            f"({len(missing)} such in all)"
        )
    if len(where) != len(ids):
        row = int(np.flatnonzero(pd.Index(where).duplicated())[0])
        raise InputError(
            f"{path}, line {line_of(row, header=True)}: txId {ids[where[row]]} is repeated"
        )
    return y


def _read_edges(path: Path, ids: pd.Index, nodes_file: str) -> NDArray[np.int64]:
    table = read_csv(path, {"txId1": pa.int64(), "txId2": pa.int64()}, header=True)
    return np.stack([_positions(path, table, column, ids, nodes_file) for column in (0, 1)])


def _positions(
    path: Path, table: pa.Table, column: int, ids: pd.Index, nodes_file: str
) -> NDArray[np.int64]:
    """The node numbers of the transaction ids in a column."""
    wanted = table.column(column).to_numpy()
    where = ids.get_indexer(pd.Index(wanted))
    unknown = np.flatnonzero(where < 0)
    if len(unknown):
        row = int(unknown[0])
        raise InputError(
            f"{path}, line {line_of(row, header=True)}, column {column + 1} "
            f"({table.column_names[column]}): txId {wanted[row]} is not in {nodes_file}"
        )
    return where.astype(np.int64, copy=False)
