"""Loops over compressed rows that SciPy has no product for, compiled by Numba.

Imported where they are first needed, since Numba takes a second to import. Each passes over the
entries of a matrix once, by rows; none scatters over an edge list.
"""

from typing import Any

import numpy as np
from numba import prange

from aiec_graph.ops.compiled import compiled

ROWS_AT_ONCE = 512
"""Rows that share their buffers."""


@compiled()
def _write(total: Any, square: Any, count: Any, high: Any, low: Any, out: Any) -> None:
    """Writes a row of `statistics`, [4 or 1, F], from its sums and extremes [F]."""
    for c in range(out.shape[1]):
        # Where all that have a value weigh nothing, there is an extreme but no mean.
        out[0, c] = total[c] / count[c] if count[c] > 0 else np.nan
        if len(out) == 1:
            continue
        some = high[c] >= low[c]
        out[2, c] = high[c] if some else np.nan
        out[3, c] = low[c] if some else np.nan
        if count[c] == 0:
            out[1, c] = np.nan
            continue
        mean = total[c] / count[c]
        variance = square[c] / count[c] - mean * mean
        constant = high[c] == low[c] or variance < 0
        out[1, c] = 0.0 if constant else np.sqrt(variance)


@compiled(parallel=True)
def statistics(indptr: Any, indices: Any, weight: Any, x: Any, complete: bool, out: Any) -> None:
    """Mean, standard deviation, maximum and minimum of each column over the entries of each row.

    Args:
        indptr: where the entries of each row begin and end [M + 1].
        indices: rows of `x` [E].
        weight: of each entry in the mean and the standard deviation [E], or [0] for 1.
        x: [N, F], float32; NaN where a value is missing, which counts nowhere.
        complete: whether no value is missing, which takes half of the time.
        out: [4, M, F] or, for the mean alone, [1, M, F], float32, which is filled; NaN where no
            entry has a value.
    """
    rows, columns = out.shape[1], out.shape[2]
    weighted, mean_only = len(weight) > 0, len(out) == 1
    for block in prange((rows + ROWS_AT_ONCE - 1) // ROWS_AT_ONCE):
        # In double precision: a square holds all of a float32, so the difference below is exact
        # to the precision of the values themselves.
        total, square, count = np.empty(columns), np.empty(columns), np.empty(columns)
        high, low = np.empty(columns, np.float32), np.empty(columns, np.float32)
        for i in range(block * ROWS_AT_ONCE, min(rows, (block + 1) * ROWS_AT_ONCE)):
            total[:] = 0
            square[:] = 0
            count[:] = 0
            high[:] = -np.inf
            low[:] = np.inf
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                w = np.float64(weight[k]) if weighted else 1.0
                # Selections, not branches, in each loop: so that it runs on vectors.
                if mean_only:
                    for c in range(columns):
                        value = x[j, c]
                        known = value == value
                        total[c] += w * np.float64(value) if known else 0.0
                        count[c] += w if known else 0.0
                elif complete:
                    for c in range(columns):
                        value = x[j, c]
                        v = np.float64(value)
                        total[c] += w * v
                        square[c] += w * v * v
                        high[c] = value if value > high[c] else high[c]
                        low[c] = value if value < low[c] else low[c]
                    count += w
                else:
                    for c in range(columns):
                        value = x[j, c]
                        known = value == value
                        v = np.float64(value) if known else 0.0
                        u = w if known else 0.0
                        total[c] += u * v
                        square[c] += u * v * v
                        count[c] += u
                        high[c] = value if value > high[c] else high[c]
                        low[c] = value if value < low[c] else low[c]
            _write(total, square, count, high, low, out[:, i])


@compiled()
def core_numbers(indptr: Any, indices: Any) -> Any:
    """The largest k of whose k-core a node is part, by Batagelj and Zaveršnik (2003).

    Args:
        indptr: of a symmetric pattern without self-loops [N + 1].
        indices: its columns [E].

    Returns:
        [N], int64.
    """
    nodes = len(indptr) - 1
    degree = np.empty(nodes, np.int64)
    for i in range(nodes):
        degree[i] = indptr[i + 1] - indptr[i]
    # Nodes sorted by degree, with the place where each degree begins.
    begin = np.zeros((degree.max() if nodes else 0) + 2, np.int64)
    for i in range(nodes):
        begin[degree[i] + 1] += 1
    for d in range(1, len(begin)):
        begin[d] += begin[d - 1]
    order, place, fill = np.empty(nodes, np.int64), np.empty(nodes, np.int64), begin.copy()
    for i in range(nodes):
        place[i] = fill[degree[i]]
        order[place[i]] = i
        fill[degree[i]] += 1
    for at in range(nodes):
        i = order[at]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if degree[j] > degree[i]:
                # j changes places with the first node of its degree, and its degree falls by one.
                first = begin[degree[j]]
                other = order[first]
                order[place[j]], order[first] = other, j
                place[other], place[j] = place[j], first
                begin[degree[j]] += 1
                degree[j] -= 1
    return degree


@compiled()
def triangles(indptr: Any, indices: Any) -> Any:
    """The number of triangles that each node is part of.

    Args:
        indptr: of a pattern that holds each edge once, from the end of lower to that of higher
            degree, so that no row is longer than √(2E) [N + 1].
        indices: its columns [E].

    Returns:
        [N], int64.
    """
    nodes = len(indptr) - 1
    found, neighbour_of = np.zeros(nodes, np.int64), np.full(nodes, -1, np.int64)
    for i in range(nodes):
        for k in range(indptr[i], indptr[i + 1]):
            neighbour_of[indices[k]] = i
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            for m in range(indptr[j], indptr[j + 1]):
                if neighbour_of[indices[m]] == i:
                    found[i] += 1
                    found[j] += 1
                    found[indices[m]] += 1
    return found
