"""Where a node stands in the graph, as input features for graphs that have none or few."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data.transforms.structural import Csr, undirected
from aiec_graph.graph.column import Column
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Graph

LONGEST_WALK = 5


def position_columns(
    edges: Edges, has_directions: bool = True
) -> tuple[NDArray[np.float32], list[str]]:
    """Degrees, neighbours' degrees, walks, core number, triangles and component of each node.

    Every column is log(1 + count); the mean and the largest degree of no neighbours count as 0.
    Weights and self-loops are left out. With A the adjacency matrix (row = target), the walks of k
    steps that end in a node are A^k 1, and those that begin there (Aᵀ)^k 1.

    Args:
        edges: N nodes.
        has_directions: whether senders, receivers and partners are told apart; otherwise the graph
            is taken without directions. It is an argument, and not found out, so that the graphs
            of several days have the same columns.

    Returns:
        Columns [N, F], float32, and their names.
    """
    from aiec_graph.data.transforms import kernels
    from aiec_graph.data.transforms.neighbourhood import neighbour_statistics

    partners = undirected(edges)
    directions = {"partners": partners}
    if has_directions:
        senders = _pattern(edges)
        directions |= {"senders": senders, "receivers": sparse.csr_array(senders.T.tocsr())}
    found: dict[str, NDArray[np.floating]] = {}
    degrees = {who: np.diff(matrix.indptr) for who, matrix in directions.items()}
    table = np.log1p(np.stack(list(degrees.values()), 1)).astype(np.float32)
    for i, who in enumerate(directions):
        found[f"log number of {who}"] = table[:, i]
    for who, matrix in directions.items():
        # The mean of the logarithms: one hub among the partners must not hide the others.
        mean, _, largest, _ = neighbour_statistics(matrix, table)
        for i, of in enumerate(directions):
            found[f"mean log number of {of} over {who}"] = np.nan_to_num(mean[:, i])
            found[f"largest log number of {of} over {who}"] = np.nan_to_num(largest[:, i])
    walks = {"to": "senders", "from": "receivers"} if has_directions else {"from": "partners"}
    for way, who in walks.items():
        count = degrees[who].astype(np.float64)
        for steps in range(2, LONGEST_WALK + 1):
            count = directions[who].astype(np.float64) @ count
            found[f"log walks of {steps} steps {way} it"] = np.log1p(count)
    core = kernels.core_numbers(partners.indptr, partners.indices)
    found["log core number"] = np.log1p(core)
    found["log triangles"] = np.log1p(count_triangles(partners))
    component = sparse.csgraph.connected_components(partners, directed=False)[1]
    found["log size of its component"] = np.log1p(np.bincount(component)[component])
    columns = np.stack([np.asarray(column, np.float32) for column in found.values()], 1)
    return columns, list(found)


def count_triangles(partners: Csr) -> NDArray[np.int64]:
    """The number of triangles that each node is part of [N].

    Args:
        partners: a symmetric pattern without self-loops [N, N].
    """
    from aiec_graph.data.transforms import kernels
    from aiec_graph.data.transforms.structural import towards_higher_degree

    upward = towards_higher_degree(partners)
    return kernels.triangles(upward.indptr, upward.indices)


def with_position(graph: Graph, has_directions: bool, keep_own: bool) -> Graph:
    """The same graph with `position_columns` as its features.

    Args:
        graph: not changed.
        has_directions: as in `position_columns`.
        keep_own: whether they stand behind the graph's own features, or in their place.
    """
    values, names = position_columns(graph.edges, has_directions)
    columns, x = tuple(Column(name) for name in names), torch.from_numpy(values)
    if keep_own:
        own = graph.columns
        if own is None:
            own = tuple(Column(f"feature {i}") for i in range(graph.x.shape[1]))
        columns, x = (*own, *columns), torch.cat([graph.x, x], dim=1)
    return replace(graph, x=x, columns=columns, trusted=True)


def _pattern(edges: Edges) -> Csr:
    """The edges without weights and self-loops, row = target, with ones [N, N]."""
    shape = (edges.num_nodes, edges.num_nodes)
    ones = np.ones(edges.num_edges, np.int8)
    matrix = sparse.csr_array((ones, edges.indices, edges.indptr), shape=shape)
    if edges.num_self_loops:
        matrix = sparse.csr_array(matrix - sparse.diags_array(matrix.diagonal(), dtype=np.int8))
        matrix.eliminate_zeros()
    return matrix
