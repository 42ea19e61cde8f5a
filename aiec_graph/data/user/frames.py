"""A graph from two tables: nodes with features and labels, and edges."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from aiec_graph.data.edges import Edges
from aiec_graph.data.graph import NO_PART, PARTS, UNKNOWN, Column, Graph
from aiec_graph.data.user.declaration import Declaration, check_declared, to_word
from aiec_graph.data.user.tables import Table, to_ids, to_node_ids
from aiec_graph.errors import InputError, named

MOST_CATEGORIES = 1000
SPLIT_WORDS = {**PARTS, "valid": PARTS["val"], "validation": PARTS["val"], "": NO_PART}


def from_frames(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    declaration: Declaration = Declaration(),  # noqa: B008 (frozen)
    name: str = "graph",
) -> Graph:
    """Makes a graph of two pandas frames, which are not changed.

    Args:
        nodes: a row for each node: an id, and where there are any a label (1 anomalous, 0 normal,
            empty unknown), a split (train, val, test or empty) and a time step; all other columns
            are features, numbers or categories, and may miss values.
        edges: a row for each edge: source, target, and a weight where there is one.
        declaration: other column names, and how to read them.
        name: of the graph.

    Raises:
        InputError: a column or value is not as it should be; names the row.
    """
    return graph_of(Table(nodes, "nodes"), Table(edges, "edges"), declaration, name)


def graph_of(nodes: Table, edges: Table, declared: Declaration, name: str) -> Graph:
    """As `from_frames`, of tables that know where they are from."""
    check_declared(declared, ("label", "split", "time_step"), nodes)
    check_declared(declared, ("weight",), edges)
    ids = to_ids(nodes, declared.id)
    repeated = np.flatnonzero(ids.duplicated())
    if len(repeated):
        row = int(repeated[0])
        raise InputError(f"{nodes.at(row)}: the {declared.id} {ids[row]!r} is repeated")
    x, columns = _features(nodes, declared)
    y = labels(nodes, declared.label, declared) if declared.label in nodes.frame else None
    if y is None:
        y = np.full(len(ids), UNKNOWN)
    given = {}
    if declared.split in nodes.frame:
        parts = _split(nodes, declared.split)
        parts[y == UNKNOWN] = NO_PART
        given["supervised"] = parts[None]
    links = _edges(edges, ids, declared)
    with named(nodes.where):
        return Graph(
            name=name,
            x=torch.from_numpy(x),
            edges=links,
            y=y,
            node_ids=to_node_ids(ids),
            given=given,
            time_step=_time_step(nodes, declared.time_step),
            columns=columns,
        )


def labels(table: Table, column: str, declared: Declaration) -> NDArray[np.int64]:
    """The labels in a column: 1, 0, and -1 for unknown.

    Raises:
        InputError: a label is none of those declared.
    """
    meaning = dict.fromkeys(map(to_word, ["", *declared.unknown]), UNKNOWN)
    meaning |= dict.fromkeys(map(to_word, declared.normal), 0)
    meaning |= dict.fromkeys(map(to_word, declared.anomalous), 1)
    values = table.need(column)
    codes, words = pd.factorize(values)
    known = [meaning.get(to_word(word), UNKNOWN - 1) for word in words]
    y = np.array([*known, UNKNOWN], dtype=np.int64)[codes]  # a missing label has the code -1
    wrong = np.flatnonzero(y < UNKNOWN)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{table.at(row)}, column {column}: the label {values.iloc[row]!r} is none of "
            f"{', '.join(filter(None, meaning))}; graph.yaml can declare others "
            "(anomalous:, normal:)"
        )
    return y


def _split(nodes: Table, column: str) -> NDArray[np.int8]:
    words = nodes.frame[column].astype(object).where(nodes.frame[column].notna(), "")
    parts = np.array([SPLIT_WORDS.get(str(word).strip().lower(), -1) for word in words], np.int8)
    wrong = np.flatnonzero(parts < 0)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{nodes.at(row)}, column {column}: {words.iloc[row]!r} is none of train, val, test"
        )
    return parts


def _time_step(nodes: Table, column: str) -> NDArray[np.int64] | None:
    if column not in nodes.frame:
        return None
    values = pd.to_numeric(nodes.frame[column], errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values != np.rint(values)))
    if len(wrong):
        raise InputError(f"{nodes.at(int(wrong[0]))}, column {column}: must be a whole number")
    return values.astype(np.int64)


def _features(
    nodes: Table, declared: Declaration
) -> tuple[NDArray[np.float32], tuple[Column, ...]]:
    frame = nodes.frame
    special = {declared.id, declared.label, declared.split, declared.time_step}
    for name in (*declared.categorical, *declared.drop, *declared.missing_of):
        nodes.check(name)
    names = declared.features
    if names is None:
        names = [c for c in frame.columns if c not in special and c not in declared.drop]
    for name in names:
        if name in special - {declared.time_step}:
            raise InputError(
                f"{nodes.where}: the column {name!r} is listed under features: in graph.yaml, but "
                "it is the id, the label or the split"
            )
    if not names:
        raise InputError(
            f"{nodes.where}: no feature columns; found only {', '.join(map(str, frame.columns))}"
        )
    x = np.empty((len(frame), len(names)), np.float32)
    columns = []
    for i, name in enumerate(names):
        values = nodes.need(name)
        categories = None
        if name in declared.categorical or not _is_number(values):
            if name not in declared.categorical:
                _check_no_numbers(nodes, str(name), values)
            codes, categories = _categories(nodes, str(name), values)
            x[:, i] = np.where(codes < 0, np.nan, codes)
        else:
            x[:, i] = _numbers(nodes, str(name), values)
        missing = declared.missing_of.get(str(name), declared.missing)
        columns.append(Column(str(name), categories, missing))
    return x, tuple(columns)


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _numbers(nodes: Table, name: str, values: pd.Series) -> NDArray[np.float32]:
    if pd.api.types.is_complex_dtype(values):
        raise InputError(f"{nodes.where}, column {name}: complex numbers are no features")
    with np.errstate(over="ignore"):  # too large for float32 is refused below
        numbers = values.to_numpy(np.float64, na_value=np.nan).astype(np.float32)
    wrong = np.flatnonzero(np.isinf(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(f"{nodes.at(row)}, column {name}: {values.iloc[row]} is not finite")
    return numbers


def _categories(
    nodes: Table, name: str, values: pd.Series
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise InputError(
            f"{nodes.where}, column {name}: holds dates; list it under drop: in graph.yaml, or "
            "make a number of it"
        )
    text = values.astype(object).where(values.notna(), None)
    codes, words = pd.factorize(text.map(lambda word: None if word is None else str(word)))
    if len(words) > MOST_CATEGORIES:
        raise InputError(
            f"{nodes.where}, column {name}: {len(words)} different texts are too many for "
            "categories; if it is another id, list it under drop: in graph.yaml"
        )
    order = np.argsort(np.array(words, dtype=str))
    rank = np.empty(len(words) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(words)), -1  # sorted, whatever the order of the rows
    return rank[codes], tuple(str(words[i]) for i in order)


def _check_no_numbers(nodes: Table, name: str, values: pd.Series) -> None:
    """Refuses a few words among numbers: as categories, these would mean nothing."""
    given = values.notna()
    words = given & pd.to_numeric(values.where(given), errors="coerce").isna()
    if words.any() and 2 * int(words.sum()) < int(given.sum()):
        row = int(np.flatnonzero(words)[0])
        raise InputError(
            f"{nodes.at(row)}, column {name}: {values.iloc[row]!r} among numbers; if the column "
            "holds categories, list it under categorical: in graph.yaml"
        )


def _edges(edges: Table, ids: pd.Index, declared: Declaration) -> Edges:
    ends = []
    for column in (declared.source, declared.target):
        wanted = to_ids(edges, column)
        where = ids.get_indexer(wanted)
        unknown = np.flatnonzero(where < 0)
        if len(unknown):
            row = int(unknown[0])
            raise InputError(
                f"{edges.at(row)}, column {column}: no node has the id {wanted[row]!r}"
            )
        ends.append(where.astype(np.int64))
    weight = None
    if declared.weight in edges.frame:
        values = pd.to_numeric(edges.frame[declared.weight], errors="coerce")
        weight = values.to_numpy(np.float64, na_value=np.nan)
        wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
        if len(wrong):
            raise InputError(
                f"{edges.at(int(wrong[0]))}, column {declared.weight}: must be a number from 0 up"
            )
    source, target = ends
    if declared.undirected:
        between = source != target  # a self-loop goes both ways as it is
        source, target = (
            np.concatenate([source, target[between]]),
            np.concatenate([target, source[between]]),
        )
        weight = None if weight is None else np.concatenate([weight, weight[between]])
    return Edges.from_pairs(source, target, len(ids), weight)
