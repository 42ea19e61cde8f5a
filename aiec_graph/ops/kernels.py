"""The loops behind the maximum over neighbours on a CPU, compiled by Numba at their first use.

Each runs over a range of rows (or channels) without Python's lock, so that threads share out the
work; results don't depend on their number. Threads of our own rather than Numba's: its layers end
the process where two threads call at a time, or after a fork. Indices are checked where they are
read: a kernel returns False, and reads nothing outside its arrays, where one is out of range.
"""

import functools
import itertools
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit

from aiec_graph.ops.compiled import compiled

SMALL = 200_000
"""Numbers read by a call up to which one thread does it: starting another takes as long."""
LINE = 16
"""float32 values of a cache line, which no two threads should write to."""

_log = logging.getLogger(__name__)
_recompiled: dict[Any, Any] = {}


@compiled(nogil=True)
def _higher(best: Any, who: Any, value: Any, j: Any) -> tuple[Any, Any]:
    """The higher of two values, and whose it is: the first of equal ones; a NaN wins and stays."""
    # Selections, not branches: so the loop over channels runs on vectors.
    wins = (best == best) & (not (value <= best))
    return value if wins else best, j if wins else who


@compiled(nogil=True)
def _maximum(crow: Any, column: Any, x: Any, out: Any, winner: Any, first: int, end: int) -> bool:
    for i in range(first, end):
        start, stop = crow[i], crow[i + 1]
        if start < 0 or stop < start or stop > len(column):
            return False
        for k in range(start, stop):
            if column[k] < 0 or column[k] >= len(x):
                return False
        if start == stop:
            out[i] = 0
            winner[i] = -1
            continue
        out[i] = x[column[start]]
        winner[i] = column[start]
        last = stop - 1
        # Four neighbours at a time, so that the best so far is read and written a quarter as often;
        # where fewer are left, the last again.
        for k in range(start + 1, stop, 4):
            a, b = np.int32(column[k]), np.int32(column[min(k + 1, last)])
            c, d = np.int32(column[min(k + 2, last)]), np.int32(column[min(k + 3, last)])
            of_a, of_b, of_c, of_d = x[a], x[b], x[c], x[d]
            for channel in range(x.shape[1]):
                best, who = out[i, channel], winner[i, channel]
                best, who = _higher(best, who, of_a[channel], a)
                best, who = _higher(best, who, of_b[channel], b)
                best, who = _higher(best, who, of_c[channel], c)
                best, who = _higher(best, who, of_d[channel], d)
                out[i, channel], winner[i, channel] = best, who
    return True


@compiled(nogil=True)
def _winner_sum(grad: Any, winner: Any, out: Any, first: int, end: int) -> bool:
    for j in range(len(out)):
        out[j, first:end] = 0
    for i in range(len(grad)):
        for c in range(first, end):
            j = winner[i, c]
            if j < -1 or j >= len(out):
                return False
            if j >= 0:
                out[j, c] += grad[i, c]
    return True


def maximum(crow: Any, column: Any, x: Any, out: Any, winner: Any) -> bool:
    """Writes the maxima over each row's columns and the columns that they are from, both [M, C].

    Of several equal values the first wins, of several NaN too; an empty row has 0 and −1.

    Returns:
        Whether all indices were in range; the outputs are of no use where not.
    """
    cuts = _by_entries(crow, len(column) * x.shape[1])
    return _in_threads(_maximum, (crow, column, x, out, winner), cuts)


def winner_sum(grad: Any, winner: Any, out: Any) -> bool:
    """Adds grad [M, C] to the rows of `out` [N, C] that `winner` [M, C] names.

    Returns:
        As `maximum`.
    """
    channels = grad.shape[1]
    # Two rows may have one winner: so threads share out the channels, not the rows.
    parts = _threads(grad.size)
    share = -(-channels // parts)
    share = max(-(-share // LINE) * LINE, LINE)
    return _in_threads(_winner_sum, (grad, winner, out), [*range(0, channels, share), channels])


def _threads(work: int) -> int:
    return 1 if work <= SMALL else torch.get_num_threads()


def _by_entries(crow: Any, work: int) -> list[int]:
    """Cuts the rows so that each thread has about as many entries."""
    rows, parts = len(crow) - 1, _threads(work)
    if parts == 1:
        return [0, rows]
    cuts = np.searchsorted(crow, np.linspace(0, crow[-1], parts + 1)[1:-1]).clip(0, rows)
    return [0, *np.maximum.accumulate(cuts).tolist(), rows]


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, "aiec_graph.ops")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _in_threads(kernel: Callable[..., bool], arrays: tuple[Any, ...], cuts: list[int]) -> bool:
    ranges = list(itertools.pairwise(cuts)) or [(0, 0)]
    if len(ranges) == 1:
        return _call(kernel, *arrays, *ranges[0])
    pool = _pool(len(ranges) - 1)
    others = [pool.submit(_call, kernel, *arrays, *part) for part in ranges[1:]]
    done = _call(kernel, *arrays, *ranges[0])
    return all([done, *(other.result() for other in others)])


def _call(kernel: Any, *arguments: Any) -> bool:
    kernel = _recompiled.get(kernel, kernel)
    try:
        return kernel(*arguments)
    except Exception as error:  # noqa: BLE001  a kernel raises nothing: its file in Numba's cache is damaged
        _log.info("a compiled kernel cannot be loaded (%s); it is compiled anew", error)
        _recompiled[kernel] = njit(nogil=True)(kernel.py_func)
        return _recompiled[kernel](*arguments)
