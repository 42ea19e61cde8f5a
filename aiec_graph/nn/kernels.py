"""Loops that torch has no fast operator for, compiled by Numba: the maximum over neighbours.

Imported where they are first needed, since Numba takes a second to import.
"""

from typing import Any

import numpy as np
import torch
from numba import config, get_num_threads, njit, prange, set_num_threads
from torch import Tensor

LINE = 16  # float32 values of a cache line, which no two threads should write to


def maximum(crow: Tensor, column: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The channel-wise maximum over each row's columns, and which column it came from.

    Args:
        crow: row pointers of a CSR pattern [M + 1].
        column: its columns [E].
        x: [N, C], contiguous, on the CPU.

    Returns:
        [M, C] in the dtype of `x`, 0 for an empty row and NaN where a NaN is among the values;
        and the winning column [M, C], int32, the first of several, −1 for an empty row.
    """
    out = x.new_empty(len(crow) - 1, x.shape[1])
    winner = torch.empty(out.shape, dtype=torch.int32)
    _as_many_threads_as_torch()
    _maximum(*(part.numpy() for part in (crow, column, x.detach(), out, winner)))
    return out, winner


def maximum_backward(grad: Tensor, winner: Tensor, num_sources: int) -> Tensor:
    """Adds each gradient [M, C] to the row of [num_sources, C] that its maximum came from."""
    out = grad.new_zeros(num_sources, grad.shape[1])
    parts = _as_many_threads_as_torch()
    _maximum_backward(grad.contiguous().numpy(), winner.numpy(), out.numpy(), parts)
    return out


def _as_many_threads_as_torch() -> int:
    most: int = config.NUMBA_NUM_THREADS  # pyright: ignore
    threads = min(torch.get_num_threads(), most)
    if get_num_threads() != threads:
        set_num_threads(threads)
    return threads


@njit(parallel=True, cache=True)
def _maximum(crow: Any, column: Any, x: Any, out: Any, winner: Any) -> None:
    for i in prange(len(crow) - 1):
        best, who = out[i], winner[i]
        first, end = crow[i], crow[i + 1]
        if first == end:
            best[:] = 0
            who[:] = -1
            continue
        j = column[first]
        best[:] = x[j]
        who[:] = j
        for k in range(first + 1, end):
            j = column[k]
            row = x[j]
            for c in range(len(row)):
                # Selections, not branches: so the loop runs on vectors. A NaN wins and stays.
                value = row[c]
                wins = (value > best[c]) | (value != value)
                who[c] = np.int32(j) if wins else who[c]
                best[c] = value if wins else best[c]


@njit(parallel=True, cache=True)
def _maximum_backward(grad: Any, winner: Any, out: Any, parts: int) -> None:
    # Two rows may have one winner: so threads share out the channels, not the rows.
    rows, channels = grad.shape
    share = (channels + parts - 1) // parts
    share = (share + LINE - 1) // LINE * LINE
    for part in prange(parts):
        for i in range(rows):
            for c in range(part * share, min(channels, (part + 1) * share)):
                j = winner[i, c]
                if j >= 0:
                    out[j, c] += grad[i, c]
