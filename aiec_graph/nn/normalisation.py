"""How the entries of an adjacency are weighted for an aggregation: its normalisations."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.errors import look_up

# SciPy ships no types: what is meant is any of its sparse matrices and arrays.
SparseMatrix = Any

ENTRIES_AT_ONCE = 2**15
"""Of a matrix: few enough that double precision and copies of them count for nothing."""


class _Kind(NamedTuple):
    loops: str
    """Self-loops: "as given"; "missing" adds those that are missing; "all" adds 1 to each."""
    rows: float | None
    """Exponent of the in-degree that a row is multiplied by; None for no factor."""
    columns: str | None
    """Which degree the columns are multiplied by, to the power of −½: "in", "out" or None."""


NORMALISATIONS = {
    "sum": _Kind("as given", None, None),
    "max": _Kind("as given", None, None),
    "mean": _Kind("as given", -1.0, None),
    "mean_with_self": _Kind("all", -1.0, None),
    "gcn": _Kind("missing", -0.5, "in"),
    "gcn_no_loops": _Kind("as given", -0.5, "in"),
    "gcn_out_in": _Kind("missing", -0.5, "out"),
    "gcn_out_in_no_loops": _Kind("as given", -0.5, "out"),
}
"""By name:

- "sum": A as it is. "max": its pattern, for the channel-wise maximum.
- "mean": D⁻¹ A with D the in-degrees (row sums of A). "mean_with_self": the same of A + I.
- "gcn": D^-½ A D^-½ with D the in-degrees on both sides, as PyG's GCNConv has it, after adding
  self-loops of weight 1 where a node has none. "gcn_no_loops" adds none.
- "gcn_out_in": D_in^-½ A D_out^-½, a source scaled by its out-degree and a target by its
  in-degree, as DGL's GraphConv with norm="both" has it. "gcn_out_in_no_loops" adds no loops.
  Where A is symmetric they equal "gcn" and "gcn_no_loops".

A node of degree 0 gets a factor of 0.
"""


class Normalised(NamedTuple):
    """A matrix whose entries are yet to be multiplied by factors of their rows and columns."""

    csr: SparseMatrix
    by_row: NDArray[np.float64] | None
    """Factor of each row [N], in double precision; None for 1."""
    by_column: NDArray[np.float64] | None

    def rows(self, targets: NDArray[np.integer]) -> Iterator[tuple[slice, SparseMatrix]]:
        """Some rows, scaled, a few at once.

        Yields:
            Where their entries lie among those of all `targets`, and the rows.
        """
        start = 0
        for piece, rows in in_pieces(self.csr, targets):
            if self.by_row is not None:
                scale = np.repeat(self.by_row[targets[piece]], np.diff(rows.indptr))
                if self.by_column is not None:
                    # One product a side: the order in which the symmetric pair rounds alike.
                    scale *= self.by_column[rows.indices]
                rows.data = rows.data * scale
            yield slice(start, start + rows.nnz), rows
            start += rows.nnz


def normalise(
    csr: SparseMatrix, name: str, self_loops: NDArray[np.float64] | None = None
) -> Normalised:
    """Prepares a normalisation.

    Args:
        csr: A [N, N], targets as rows.
        name: a name in `NORMALISATIONS`.
        self_loops: as for `with_self_loops`.

    Raises:
        InputError: the name is unknown.
        ValueError: a degree that is to be scaled by is negative.
    """
    kind = look_up(name, NORMALISATIONS, "normalisation")
    if kind.loops == "missing":
        csr = with_self_loops(csr, self_loops)
    elif kind.loops == "all":
        csr = sparse.csr_array(csr + sparse.eye_array(csr.shape[0], dtype=csr.dtype))
    if kind.rows is None:
        return Normalised(csr, None, None)
    degree, ones = np.empty(csr.shape[0]), np.ones(csr.shape[1])
    for piece, rows in in_pieces(csr, np.arange(csr.shape[0])):
        degree[piece] = rows @ ones
    by_row = power_of_degrees(degree, kind.rows, "in")
    if kind.columns == "out":
        sources = np.zeros(csr.shape[1])
        for _, rows in in_pieces(csr, np.arange(csr.shape[0])):
            sources += np.bincount(rows.indices, rows.data, len(sources))
        return Normalised(csr, by_row, power_of_degrees(sources, -0.5, "out"))
    return Normalised(csr, by_row, by_row if kind.columns == "in" else None)


def power_of_degrees(
    degree: NDArray[np.float64], exponent: float, side: str
) -> NDArray[np.float64]:
    """Degrees [N] to a power, and 0 where a degree is 0.

    Raises:
        ValueError: one is negative; `side` ("in" or "out") names it.
    """
    if (degree < 0).any():
        node = int(np.argmax(degree < 0))
        raise ValueError(
            f"node {node} has the {side}-degree {degree[node]:g}, the sum of its edges' weights: "
            "this normalisation needs degrees of at least 0"
        )
    with np.errstate(divide="ignore"):
        return np.where(degree > 0, degree**exponent, 0.0)


def with_self_loops(
    csr: SparseMatrix, self_loops: NDArray[np.float64] | None = None
) -> SparseMatrix:
    """Gives each node a self-loop: of weight 1 where it has none, else its own.

    A self-loop of weight 0 is one, as it is for PyG. The same matrix comes back where all have one.

    Args:
        csr: A [N, N].
        self_loops: the weights [N] of all self-loops instead, the added ones included; for a
            graph that gave one several times, of which the last counts.
    """
    diagonal = csr.diagonal()
    has_zeros = bool((csr.data == 0).any())
    if self_loops is None and not has_zeros:
        missing = (diagonal == 0).astype(csr.dtype)
        return sparse.csr_array(csr + sparse.diags_array(missing)) if missing.any() else csr
    # SciPy's sum would drop the entries that are 0.
    coo = csr.tocoo()
    row, column, value = coo.row, coo.col, coo.data
    if self_loops is None:
        looped = np.zeros(csr.shape[0], dtype=bool)
        looped[row[row == column]] = True
        nodes = np.flatnonzero(~looped)
        weights = np.ones(len(nodes), dtype=csr.dtype)
    else:
        others = row != column
        row, column, value = row[others], column[others], value[others]
        nodes, weights = np.arange(csr.shape[0]), self_loops
    parts = (np.concatenate([row, nodes]), np.concatenate([column, nodes]))
    whole = sparse.coo_array((np.concatenate([value, weights]), parts), shape=csr.shape).tocsr()
    whole.sort_indices()
    return whole


def indptr_of(csr: SparseMatrix, rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """Where each of some rows of a matrix ends when they stand one after the other."""
    ends: NDArray[Any] = np.zeros_like(csr.indptr, shape=len(rows) + 1)
    np.cumsum(np.diff(csr.indptr)[rows], out=ends[1:])
    return ends


def in_pieces(csr: SparseMatrix, rows: NDArray[np.integer]) -> Iterator[tuple[slice, Any]]:
    """Some rows of a matrix, a few at once, so that a copy of all of them is never held.

    Yields:
        Which of `rows`, and these.
    """
    ends = indptr_of(csr, rows)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1], ENTRIES_AT_ONCE))
    for start, end in itertools.pairwise(np.unique([0, *cuts, len(rows)])):
        yield slice(start, end), csr[rows[start:end]]
