"""Whatever an analyst has, as a graph; and a later graph in the columns of the fitted one."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data import UNKNOWN, Column, Graph, is_own, load_dataset
from aiec_graph.data.user import (
    Declaration,
    from_frames,
    from_networkx,
    from_pyg,
    from_scipy,
    from_transactions,
    load_own,
)
from aiec_graph.data.user.as_of import ANY_NODE, ANY_TIME
from aiec_graph.data.user.declaration import check_declaration
from aiec_graph.data.user.folder import is_whole
from aiec_graph.data.user.sources import find_sources
from aiec_graph.detect.nodes import Nodes
from aiec_graph.errors import InputError, did_you_mean

KINDS = (
    "a path; a data set's name; frames (nodes, edges) or {'transactions': …, 'accounts': …}; a "
    "frame of transactions; a PyG Data, or (HeteroData, node type); (SciPy matrix, features); a "
    "NetworkX graph; a Graph or Nodes"
)


def as_nodes(
    data: Any,
    y: Any = None,
    declaration: Declaration | None = None,
    as_of: int | str | None = None,
    columns: tuple[Column, ...] | None = None,
) -> Nodes:
    """Whatever holds a graph, as nodes that can be split; it is not changed.

    Args:
        data: a folder or file by its path, or a data set by its name; pandas frames `(nodes,
            edges)` or `(transactions, accounts)`, told apart by which has the columns of an edge's
            ends, or a dict of them; a PyG `Data`, or a tuple of a `HeteroData` and the type of the
            nodes of interest, of which the edges among these nodes are taken; a SciPy matrix and
            its features, `(adjacency, X)`; a NetworkX graph; a `Graph`; `Nodes`.
        y: labels where the data hold none, see `Nodes.with_labels`; they replace any there.
        declaration: names of columns, for frames, NetworkX and folders without a graph.yaml.
        as_of: what is known: transactions and edges of a later time, and nodes of a later time
            step, are left out. A day such as "2026-01-31", or a number.
        columns: of the training, in which tables that are to be scored are read; none of their
            columns is where it is empty.

    Raises:
        InputError: it is none of these, or holds something that cannot be used.
    """
    if declaration is not None:
        check_declaration(declaration)
    nodes = _load(data, declaration, as_of, columns)
    return nodes if y is None else nodes.with_labels(y)


def _load(
    data: Any,
    declaration: Declaration | None,
    as_of: int | str | None,
    columns: tuple[Column, ...] | None,
) -> Nodes:
    """Loads data as of a time: by the times of their rows, and by time steps.

    Raises:
        InputError: nothing in the data says when anything was known.
    """
    if as_of is None:
        return data if isinstance(data, Nodes) else Nodes.of(_to_graph(data, declaration, columns))
    text = str(as_of)
    if isinstance(data, Nodes):
        if data.as_of == text:
            return data
        graph, has_rows = data.alone_labelled(), False
    elif isinstance(data, str | Path) and is_own(str(data)):
        graph = load_own(Path(data), columns, declaration, text)
        has_rows = not is_whole(find_sources(Path(data), declaration))
    else:
        graph = _to_graph(data, replace(declaration or Declaration(), as_of=text), columns)
        has_rows = _are_frames(data)
    is_step = text.lstrip("+-").isdigit()
    if not has_rows and not is_step:
        raise InputError(
            f"{graph.label}: as_of must be a time step, a whole number, where a graph is made "
            "already; as_nodes(tables, as_of=…) takes a day"
        )
    # Of tables nothing later is left by now, but for what does not say when it was known.
    if any(note.endswith(ANY_NODE) for note in graph.notes):
        raise InputError(
            f"{graph.label}: as_of is {text}, and the time steps of its nodes are numbers; write "
            "a number"
        )
    # Dates among the features have an age on that day, so it counts for them at least.
    has_time = graph.time_step is not None or any(c.kind == "date" for c in graph.columns or ())
    if has_rows and not has_time and any(note.endswith(ANY_TIME) for note in graph.notes):
        raise InputError(
            f"{graph.label}: as_of is {text}, and nothing says when anything was known: name the "
            f"column of the time, {_where_time_is_named(data)}, or give nodes a time step"
        )
    if not has_rows:
        graph = known_as_of(graph, int(text))
    return replace(Nodes.of(graph), as_of=text)


def _where_time_is_named(data: Any) -> str:
    return "time: in graph.yaml" if isinstance(data, str | Path) else "Declaration(time=…)"


def _are_frames(data: Any) -> bool:
    parts = data.values() if isinstance(data, dict) else data
    one = isinstance(data, pd.DataFrame)
    return one or (
        isinstance(data, dict | tuple | list)
        and all(isinstance(part, pd.DataFrame | None) for part in parts)
    )


def _to_graph(
    data: Any, declaration: Declaration | None, columns: tuple[Column, ...] | None
) -> Graph:
    declared = declaration or Declaration()
    if isinstance(data, Graph):
        return data
    if isinstance(data, str | Path):
        if not is_own(str(data)):
            return load_dataset(str(data))
        return load_own(Path(data), columns, declared)
    if isinstance(data, dict):
        return _from_dict(data, declared, columns)
    if isinstance(data, pd.DataFrame):
        return from_transactions(data, None, declared, columns=columns)
    if isinstance(data, tuple | list) and len(data) == 2:
        return _from_pair(data[0], data[1], declared, columns)
    if hasattr(data, "edge_types"):
        raise InputError("of a HeteroData, say which nodes are of interest: (data, 'account')")
    if hasattr(data, "edge_index"):
        return _from_pyg(data)
    if hasattr(data, "nodes") and hasattr(data, "is_directed"):
        return from_networkx(data, declared)
    raise InputError(f"cannot make a graph of {type(data).__name__}. Known: {KINDS}")


def _from_dict(
    frames: dict[str, Any], declared: Declaration, columns: tuple[Column, ...] | None
) -> Graph:
    names = set(frames)
    if names == {"nodes", "edges"}:
        return from_frames(frames["nodes"], frames["edges"], declared, columns=columns)
    if "transactions" in names and names <= {"transactions", "accounts"}:
        return from_transactions(
            frames["transactions"], frames.get("accounts"), declared, columns=columns
        )
    raise InputError(
        f"a dict of frames holds nodes and edges, or transactions and accounts; not "
        f"{', '.join(sorted(map(str, names)))}"
    )


def _from_pair(
    first: Any, second: Any, declared: Declaration, columns: tuple[Column, ...] | None
) -> Graph:
    if sparse.issparse(first):
        return from_scipy(first, np.asarray(second))
    if hasattr(first, "edge_types"):
        return _from_pyg(_of_type(first, second))
    if not (isinstance(first, pd.DataFrame) and isinstance(second, pd.DataFrame)):
        kinds = f"({type(first).__name__}, {type(second).__name__})"
        raise InputError(f"cannot make a graph of {kinds}. Known: {KINDS}")
    ends: set[str] = set()
    for end in (declared.source, declared.target):
        ends |= {end} if isinstance(end, str) else set(end)
    has_ends = [ends <= set(map(str, frame.columns)) for frame in (first, second)]
    if has_ends == [False, True]:
        return from_frames(first, second, declared, columns=columns)
    if has_ends == [True, False]:
        return from_transactions(first, second, declared, columns=columns)
    raise InputError(
        f"of two frames, one must hold the columns {declared.source!r} and {declared.target!r} "
        f"(found in {'both' if all(has_ends) else 'neither'}); name them in a dict, or the columns "
        "in a Declaration"
    )


def _from_pyg(data: Any) -> Graph:
    if getattr(data, "y", None) is None:
        data = copy.copy(data)
        data.y = torch.full((data.num_nodes,), UNKNOWN)
    return from_pyg(data)


def _of_type(data: Any, node_type: Any) -> Any:
    """A PyG `Data` of one type of nodes, with all edges among them as one type."""
    from torch_geometric.data import Data

    if node_type not in data.node_types:
        hint = did_you_mean(node_type, data.node_types)
        raise InputError(
            f"no nodes of type {node_type!r}.{hint} Known: {', '.join(data.node_types)}"
        )
    among = [kind for kind in data.edge_types if kind[0] == kind[2] == node_type]
    if not among:
        raise InputError(f"no edges among the nodes of type {node_type!r}")
    pairs = torch.cat([data[kind].edge_index for kind in among], dim=1)
    return Data(**dict(data[node_type].items()), edge_index=pairs)


@dataclass(frozen=True)
class Aligned:
    """A graph in the columns of another."""

    graph: Graph
    unseen: dict[str, float]
    """By category column, the share of nodes whose category the other did not have: code -1."""
    ignored: list[str]
    """Columns that the other did not have."""
    own: Graph
    """The same without columns that were made of the graph."""


def align(graph: Graph, columns: tuple[Column, ...] | None, width: int) -> Aligned:
    """Brings a graph into the columns that a model was fitted on, by name.

    Args:
        graph: a later one.
        columns: of the fitted graph.
        width: number of its features.

    Raises:
        InputError: a column is missing or of another kind; all of them are named.
    """
    if columns is None or graph.columns is None:
        if graph.x.shape[1] != width or columns is not graph.columns:
            mine, found = (
                "columns without names" if some is None else "named columns"
                for some in (columns, graph.columns)
            )
            raise InputError(
                f"{graph.label}: the model was fitted on {width} {mine}, and these are "
                f"{graph.x.shape[1]} {found}"
            )
        return Aligned(graph, {}, [], graph)
    place = {column.name: i for i, column in enumerate(graph.columns)}
    _check_columns(graph, columns, place)
    unseen, parts = {}, []
    for column in columns:
        values = graph.x[:, place[column.name]].numpy()
        found = graph.columns[place[column.name]].categories
        if column.categories is not None:
            if found != column.categories:
                values = _in_codes(values, found or (), column.categories)
            values = np.where(values >= len(column.categories), np.float32(-1), values)
            unseen[column.name] = float((values == -1).mean())
        parts.append(values)
    ignored = [name for name in place if name not in {column.name for column in columns}]
    x = torch.from_numpy(np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32))
    found = replace(graph, x=x, columns=columns)
    return Aligned(found, unseen, ignored, found)


def _check_columns(graph: Graph, columns: tuple[Column, ...], place: dict[str, int]) -> None:
    faults = []
    for column in columns:
        if column.name not in place:
            faults.append(
                f"no column {column.name!r}{did_you_mean(column.name, place).rstrip('?')}"
            )
            continue
        values = graph.x[:, place[column.name]]
        is_number = (graph.columns or ())[place[column.name]].categories is None
        if is_number != (column.categories is None) and not values.isnan().all():
            kinds = ("numbers", "categories") if is_number else ("categories", "numbers")
            faults.append(f"the column {column.name!r} holds {kinds[0]}, and held {kinds[1]}")
    if faults:
        raise InputError(
            f"{graph.label}: not in the columns that the model was fitted on: {'; '.join(faults)}"
        )


def _in_codes(
    values: NDArray[np.float32], found: tuple[str, ...], wanted: tuple[str, ...]
) -> NDArray[np.float32]:
    """Codes into other categories; -1 for one that is not among them."""
    code = {name: i for i, name in enumerate(wanted)}
    table = np.array([*(code.get(name, -1) for name in found), np.nan], np.float32)
    return table[np.where(np.isnan(values), len(found), values).astype(np.int64)]


def known_as_of(graph: Graph, as_of: int | None) -> Graph:
    """What was known at a time step: the nodes up to it and the edges among them.

    Raises:
        InputError: the nodes have no time step, or all come later.
    """
    if as_of is None:
        return graph
    if graph.time_step is None:
        raise InputError(f"{graph.label}: as_of={as_of} needs nodes with a time step")
    keep = np.flatnonzero(graph.time_step <= as_of)
    if len(keep) == 0:
        raise InputError(f"{graph.label}: all nodes come after as_of={as_of}")
    if len(keep) == len(graph.y):
        return graph
    return subgraph(graph, keep)


def subgraph(graph: Graph, keep: NDArray[np.int64]) -> Graph:
    """The graph of some of the nodes, by their numbers, and of the edges among them."""
    from aiec_graph.data import Edges

    within = graph.edges.to_scipy()[keep][:, keep].tocoo()
    weight = None if graph.edges.weight is None else np.asarray(within.data)
    edges = Edges.from_pairs(within.col, within.row, len(keep), weight)
    return replace(
        graph,
        x=graph.x[torch.from_numpy(keep)],
        edges=edges,
        y=graph.y[keep],
        node_ids=graph.node_ids[keep],
        given={kind: parts[:, keep] for kind, parts in graph.given.items()},
        time_step=None if graph.time_step is None else graph.time_step[keep],
    )
