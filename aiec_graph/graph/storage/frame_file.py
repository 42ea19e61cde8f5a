"""Pickled pandas frames of numbers and objects, put together anew from checked arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.errors import InputError, named
from aiec_graph.graph.storage.pickle_machine import (
    NUMPY,
    Build,
    Name,
    Record,
    StandIn,
    plain,
    unpickle,
)

MAX_CELLS_PER_BYTE = 8
"""More cells than this for each byte of the file can only be repetitions."""


def _of_kind(kind: str) -> Build:
    return lambda *arguments: Record(kind, arguments)


def _index(made: Any, described: Any) -> Record:
    if not isinstance(made, StandIn) or not isinstance(described, dict):
        raise InputError("it describes a pandas index that is not read")
    return Record(made.name, (), described)


PANDAS: dict[Name, Build | None] = {
    **NUMPY,
    ("pandas", "DataFrame"): _of_kind("DataFrame"),
    ("pandas.core.frame", "DataFrame"): _of_kind("DataFrame"),
    ("pandas.core.internals.managers", "BlockManager"): _of_kind("BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"): _of_kind("Block"),
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.base", "Index"): None,
    ("pandas.core.indexes.numeric", "Int64Index"): None,
    ("pandas.core.indexes.range", "RangeIndex"): None,
    ("pandas", "Index"): None,
    ("pandas", "RangeIndex"): None,
}


def read_frame(path: Path) -> pd.DataFrame:
    """Reads a pickled pandas frame without running anything that it asks for.

    Columns are objects or numbers; the index becomes 0, 1, …, whatever it was.

    Raises:
        InputError: the file asks for another constructor, is damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    with named(path):
        found, _ = unpickle(content, PANDAS)
        if not isinstance(found, Record) or found.kind != "DataFrame":
            kind = found.kind if isinstance(found, Record) else type(found).__name__
            raise InputError(f"holds a {kind}, not a pandas DataFrame")
        return _frame(found, MAX_CELLS_PER_BYTE * len(content))


def _frame(found: Record, most: int) -> pd.DataFrame:
    manager = found.state.get("_mgr", found.state.get("_data"))
    if not isinstance(manager, Record) or manager.kind != "BlockManager":
        raise _unreadable("its columns")
    names, rows, blocks = _parts(manager)
    columns: list[NDArray[Any] | None] = [None] * len(names)
    if rows * len(names) > most:
        raise _unreadable("its size")
    for values, place in blocks:
        places = range(*place.indices(len(names))) if isinstance(place, slice) else place.tolist()
        if values.shape != (len(places), rows):
            raise _unreadable("a block of columns")
        for row, column in enumerate(places):
            if not isinstance(column, int) or not 0 <= column < len(names):
                raise _unreadable("a block of columns")
            columns[column] = values[row]
    made = [pd.Series(c, dtype=c.dtype) for c in columns if c is not None]
    if len(made) < len(names):
        raise _unreadable("a column without values")
    frame = pd.DataFrame(dict(enumerate(made)), index=range(rows))
    frame.columns = pd.Index(names, dtype=object)
    return frame


def _parts(manager: Record) -> tuple[list[Any], int, list[tuple[NDArray[Any], Any]]]:
    """The names of the columns, the number of rows, and each block with its place."""
    arguments = manager.arguments
    if len(arguments) == 2:  # of pandas 1.3 and later: blocks, axes
        blocks, axes = arguments
        described = [b.arguments[:2] for b in blocks if isinstance(b, Record) and b.kind == "Block"]
    elif len(arguments) == 1 and isinstance(arguments[0], tuple) and len(arguments[0]) == 4:
        blocks = axes = described = None
        state = arguments[0][3]
        state = state.get("0.14.1") if isinstance(state, dict) else None
        if isinstance(state, dict):
            blocks, axes = state.get("blocks"), state.get("axes")
        if isinstance(blocks, list | tuple):
            described = [
                (b.get("values"), b.get("mgr_locs")) for b in blocks if isinstance(b, dict)
            ]
    else:
        raise _unreadable("its columns")
    if not isinstance(axes, list) or len(axes) != 2 or described is None:
        raise _unreadable("its axes")
    found = []
    for values, place in described:
        values, place = plain(values), plain(place)
        is_place = isinstance(place, slice) or (
            isinstance(place, np.ndarray) and place.ndim == 1 and place.dtype.kind in "iu"
        )
        if not isinstance(values, np.ndarray) or values.ndim != 2 or not is_place:
            raise _unreadable("a block of columns")
        found.append((values, place))
    names, index = (_labels(axis) for axis in axes)
    return list(names), len(index), found


def _labels(axis: Any) -> range | list[Any]:
    state = axis.state if isinstance(axis, Record) else {}
    if {"start", "stop", "step"} <= set(state):
        ends = state["start"], state["stop"], state["step"]
        if all(isinstance(end, int) for end in ends) and ends[2]:
            return range(*ends)
    data = plain(state.get("data"))
    if isinstance(data, np.ndarray) and data.ndim == 1:
        return data.tolist()
    raise _unreadable("its index")


def _unreadable(what: str) -> InputError:
    return InputError(f"not a readable pickle of a pandas frame ({what})")
