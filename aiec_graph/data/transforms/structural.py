"""What the edges alone say about a node: degrees, weights, core number, clustering, spectrum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.graph.edges import Edges

# SciPy ships no types: what is meant is its CSR array.
Csr = Any


def structural_columns(edges: Edges) -> tuple[NDArray[np.float32], list[str]]:
    """Degrees, sums of weights, core number and local clustering coefficient of each node.

    Directions count for degrees and weights; the core number and the clustering coefficient, the
    share of the pairs of partners that are partners of each other, are those of the graph without
    directions and self-loops.

    Returns:
        Columns [N, F], float32, and their names.
    """
    from aiec_graph.data.transforms import kernels

    matrix = edges.to_scipy()
    partners = undirected(edges)
    degree = np.diff(partners.indptr)
    found = {"number of partners": degree}
    if not is_symmetric(edges):
        found["number of senders"] = np.diff(matrix.indptr)
        found["number of receivers"] = np.diff(matrix.tocsc().indptr)
    if edges.weight is not None:
        found["weight received"] = matrix.sum(1)
        if not is_symmetric(edges):
            found["weight sent"] = matrix.sum(0)
    found["core number"] = kernels.core_numbers(partners.indptr, partners.indices)
    upward = towards_higher_degree(partners)
    closed = kernels.triangles(upward.indptr, upward.indices)
    pairs = degree.astype(np.float64) * (degree - 1) / 2
    found["clustering"] = np.divide(closed, pairs, out=np.zeros(len(pairs)), where=pairs > 0)
    columns = np.stack([np.asarray(column, np.float32) for column in found.values()], 1)
    return columns, list(found)


def undirected(edges: Edges) -> Csr:
    """The pattern of the edges without directions and self-loops, sorted, with ones [N, N]."""
    ones = np.ones(edges.num_edges, np.int8)
    shape = (edges.num_nodes, edges.num_nodes)
    matrix: Csr = sparse.csr_array((ones, edges.indices, edges.indptr), shape=shape)
    both = matrix if is_symmetric(edges) else matrix.maximum(matrix.T.tocsr())
    if edges.num_self_loops:
        both = sparse.csr_array(both - sparse.diags_array(both.diagonal(), dtype=np.int8))
        both.eliminate_zeros()
    both.sort_indices()
    return both


def is_symmetric(edges: Edges) -> bool:
    """Whether each edge goes both ways, with one weight."""
    matrix = edges.to_scipy()
    other = matrix.T.tocsr()
    other.sort_indices()
    return all(
        np.array_equal(getattr(matrix, part), getattr(other, part))
        for part in ("indptr", "indices", "data")
    )


def spectral_columns(edges: Edges, dimensions: int, seed: int) -> NDArray[np.float32]:
    """Truncated singular value decomposition of the normalised adjacency D^-½ (A + I) D^-½.

    The columns describe this graph alone: those of another graph cannot be compared with them.

    Args:
        edges: their directions and weights are left out.
        dimensions: number of columns d, below the number of nodes.
        seed: of the randomised algorithm.

    Returns:
        Left singular vectors times singular values [N, d].
    """
    from sklearn.decomposition import TruncatedSVD

    loops = undirected(edges).astype(np.float64) + sparse.eye_array(edges.num_nodes)
    scale = sparse.diags_array(loops.sum(1) ** -0.5)
    normalised = sparse.csr_matrix(scale @ loops @ scale)
    return TruncatedSVD(dimensions, random_state=seed).fit_transform(normalised).astype(np.float32)


def towards_higher_degree(partners: Csr) -> Csr:
    """Each edge once, from the end of lower degree to that of higher."""
    rank = np.empty(partners.shape[0], np.int64)
    rank[np.argsort(np.diff(partners.indptr), kind="stable")] = np.arange(len(rank))
    row = np.repeat(np.arange(len(rank)), np.diff(partners.indptr))
    upward = rank[row] < rank[partners.indices]
    indptr = np.concatenate([[0], np.cumsum(upward)])[partners.indptr]
    parts = (partners.data[upward], partners.indices[upward], indptr)
    return sparse.csr_array(parts, shape=partners.shape)
