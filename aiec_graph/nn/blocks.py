"""Blocks: the parts of a graph that the layers of a network compute for some nodes' outputs."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.nn.normalisation import Normalised, SparseMatrix, in_pieces, indptr_of
from aiec_graph.nn.propagate import NUMPY, Csr, Neighbourhoods

NEARLY_ALL = 0.9
"""Of the nodes: from so many on, a first layer gets the features of all, which spares a copy."""


class Whole(NamedTuple):
    """What a block needs of the graph that it is a part of."""

    normalised: Callable[[str], Normalised]
    is_symmetric: Callable[[str], bool]


class Block(Neighbourhoods):
    """The rows of an adjacency that one layer computes, over the nodes that it gets as input.

    Args:
        whole: the graph.
        targets: the nodes of the rows, which are the first of the sources but where `number` is
            None.
        number: the position of each node [N] among the sources; None where these are all nodes in
            the graph's order.
        num_sources: their number.
    """

    def __init__(
        self,
        whole: Whole,
        targets: NDArray[np.integer],
        number: NDArray[np.integer] | None,
        num_sources: int,
    ) -> None:
        super().__init__()
        self.num_sources, self.num_targets = num_sources, len(targets)
        self._whole, self._targets, self._number = whole, targets, number
        if number is None:
            self.targets = torch.from_numpy(targets.astype(np.int64, copy=False))

    def _make(self, normalisation: str, dtype: torch.dtype) -> Csr:
        matrix = self._whole.normalised(normalisation)
        indptr = indptr_of(matrix.csr, self._targets)
        indices: NDArray[Any] = np.empty(indptr[-1], matrix.csr.indices.dtype)
        values = None if normalisation == "max" else np.empty(indptr[-1], NUMPY[dtype])
        for piece, rows in matrix.rows(self._targets):
            indices[piece] = rows.indices if self._number is None else self._number[rows.indices]
            if values is not None:
                values[piece] = rows.data
        return Csr(indptr, indices, values, self.num_sources)

    def _is_symmetric(self, normalisation: str) -> bool:
        in_one_order = self._number is not None and self.num_targets == self.num_sources
        return in_one_order and self._whole.is_symmetric(normalisation)

    def __repr__(self) -> str:
        return f"Block(num_sources={self.num_sources}, num_targets={self.num_targets})"


class Blocks(NamedTuple):
    """What `make_blocks` makes."""

    inputs: NDArray[np.integer] | None
    """The nodes [M'] whose features the first layer gets, in this order, the targets first; None
    where it gets those of all nodes as they lie, since it needs nearly all."""
    layers: list[Block]
    """A block for each layer, the first layer's first."""


def make_blocks(
    csr: SparseMatrix, whole: Whole, targets: NDArray[np.integer], num_layers: int
) -> Blocks:
    """What the layers of a network compute for the sake of some nodes' outputs.

    The last layer computes the targets, the one before it these and their in-neighbours, and so
    on: all that an output depends on and nothing else, so outputs, gradients included, are those
    of the whole graph.

    Args:
        csr: the adjacency [N, N], targets as rows.
        whole: of the same graph.
        targets: nodes [M], each once.
        num_layers: number of graph layers.
    """
    num_nodes = csr.shape[0]
    reached = np.zeros(num_nodes, dtype=bool)
    reached[targets] = True
    order, sizes = np.asarray(targets), [len(targets)]
    for _ in range(num_layers):
        if sizes[-1] < num_nodes:
            near = np.zeros(num_nodes, dtype=bool)
            for _, rows in in_pieces(csr, order):
                near[rows.indices] = True
            order = np.concatenate([order, np.flatnonzero(near & ~reached)])
            reached |= near
        sizes.append(len(order))
    over_all = len(order) >= NEARLY_ALL * num_nodes
    if over_all:
        sizes.pop()
        order = order[: sizes[-1]]
    number = np.zeros_like(csr.indices, shape=num_nodes)
    number[order] = np.arange(len(order))
    # Layers that compute the same nodes share a block.
    pairs = list(itertools.pairwise(sizes))
    made = {(few, many): Block(whole, order[:few], number, many) for few, many in pairs}
    layers = [made[pair] for pair in reversed(pairs)]
    if over_all:
        return Blocks(None, [Block(whole, order, None, num_nodes), *layers])
    return Blocks(order, layers)
