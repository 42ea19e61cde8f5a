"""Graphs from NetworkX, SciPy, PyG and DGL objects."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.frames import graph_of
from aiec_graph.data.user.network_tables import tables_of_network
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.dgl_binary import EdgeType, StoredGraph
from aiec_graph.graph.formats.dgl_file import from_stored
from aiec_graph.graph.formats.node_arrays import make_graph
from aiec_graph.graph.formats.options import FileOptions
from aiec_graph.graph.formats.pyg_file import from_data
from aiec_graph.graph.graph import Graph


def from_networkx(
    graph: Any,
    declaration: Declaration = Declaration(),  # noqa: B008 (frozen)
    name: str = "graph",
) -> Graph:
    """Makes a graph of a NetworkX graph, which is not changed.

    Args:
        graph: its nodes carry features, and `label`, `split`, `time_step` where there are any, as
            attributes; its edges may carry `weight`. An undirected graph's edges go both ways.
        declaration: other names, and how to read them.
        name: of the graph.

    Raises:
        InputError: an attribute is not as it should be.
    """
    return graph_of(*tables_of_network(graph, declaration, ("nodes", "edges")), declaration, name)


def from_scipy(
    adjacency: Any,
    x: NDArray[np.floating],
    y: NDArray[np.integer] | None = None,
    node_ids: NDArray[np.generic] | None = None,
    name: str = "graph",
) -> Graph:
    """Makes a graph of a SciPy sparse matrix, which is not changed.

    Args:
        adjacency: [N, N]; adjacency[i, j] is the weight of the edge from i to j.
        x: features [N, F], finite.
        y: labels [N]: 1 anomalous, 0 normal, -1 unknown; all unknown by default.
        node_ids: what to call the nodes [N]; 0 to N - 1 by default.
        name: of the graph.

    Raises:
        InputError: a shape or value is not as it should be.
    """
    if not sparse.issparse(adjacency) or sparse.issparse(x):
        raise InputError(
            f"{name}: a sparse adjacency and dense features are expected: "
            "scipy.sparse.coo_array(…) makes the one, x.toarray() the other"
        )
    matrix, features = adjacency.tocoo(copy=True), np.asarray(x)
    matrix.sum_duplicates()  # entries of one place are added up, as SciPy means them
    nodes = len(features)
    if matrix.shape != (nodes, nodes):
        raise InputError(f"{name}: an adjacency of {matrix.shape} for {nodes} rows of features")
    weight = np.asarray(matrix.data, dtype=np.float64)
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise InputError(f"{name}: the weights in adjacency must be numbers from 0 up")
    source, target = (np.asarray(end, dtype=np.int64) for end in (matrix.row, matrix.col))
    edges = Edges.from_pairs(source, target, nodes, None if (weight == 1).all() else weight)
    labels = np.full(nodes, np.nan) if y is None else np.asarray(y)
    made = make_graph(name, Path(name), features, labels, edges, {}, FileOptions())
    ids = made.node_ids if node_ids is None else np.array(node_ids)
    if len(np.unique(ids)) < len(ids):
        raise InputError(f"{name}: two nodes have the id {_first_repeated(ids)}")
    is_shared = np.shares_memory(made.x.numpy(), features)
    return replace(made, x=made.x.clone() if is_shared else made.x, node_ids=ids)


def _first_repeated(ids: NDArray[np.generic]) -> str:
    values, counts = np.unique(ids, return_counts=True)
    return repr(values[counts > 1][0].item())


def from_pyg(data: Any, name: str = "graph") -> Graph:
    """Makes a graph of a PyG `Data` with x, edge_index and y; see `formats.pyg_file`.

    Raises:
        InputError: a part is missing or not as it should be.
    """
    made = from_data(name, data, Path(name))
    return replace(made, x=made.x.clone())


def from_dgl(graph: Any, edge_types: Sequence[str] | None = None, name: str = "graph") -> Graph:
    """Makes a graph of a DGL graph with `feature` and `label` in its ndata; see `formats.dgl_file`.

    Args:
        graph: is not changed; of several node types, the one with features and labels is taken.
        edge_types: those to take, or `["all"]`; needed where there are several.
        name: of the graph.

    Raises:
        InputError: a part is missing or not as it should be.
    """
    if not hasattr(graph, "ntypes"):
        raise InputError(f"{name}: one DGL graph is expected, not a {type(graph).__name__}")
    stored = StoredGraph(
        num_nodes={kind: graph.num_nodes(kind) for kind in graph.ntypes},
        ndata={
            kind: {
                key: value.detach().cpu().numpy() for key, value in graph.nodes[kind].data.items()
            }
            for kind in graph.ntypes
        },
        edge_types=[
            EdgeType(word, source, target, *(e.cpu().numpy() for e in graph.edges(etype=kind)))
            for kind in graph.canonical_etypes
            for source, word, target in [kind]
        ],
        edata=tuple(
            sorted({key for kind in graph.canonical_etypes for key in graph.edges[kind].data})
        ),
    )
    chosen = None if edge_types is None else tuple(edge_types)
    made = from_stored(name, stored, Path(name), FileOptions(edge_types=chosen))
    return replace(made, x=made.x.clone())
