"""Directed edges in the form that propagation needs: compressed rows, sorted, each edge once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from aiec_graph.errors import InputError


@dataclass(frozen=True)
class Edges:
    """The adjacency matrix by rows: row = target, column = source.

    Half the size of a list of pairs, and what a sparse product takes as it is.
    """

    indptr: NDArray[np.int64]
    """Where the sources of each target begin and end [N + 1]."""
    indices: NDArray[np.int32]
    """Sources [E], sorted within a target, each once."""
    weight: NDArray[np.float32] | None = None
    """Weights [E]; None where every edge weighs 1."""

    @classmethod
    def from_pairs(
        cls,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        num_nodes: int,
        weight: NDArray[np.floating] | None = None,
    ) -> "Edges":
        """Sorts a list of edges; an edge given twice is kept once, its weights added up.

        Args:
            source: [E], node numbers.
            target: [E].
            num_nodes: N.
            weight: [E] or None.

        Raises:
            InputError: an edge names a node outside [0, N).
        """
        if num_nodes >= 2**31:
            raise InputError(f"{num_nodes} nodes are more than the 2³¹ - 1 that are supported")
        for end in (source, target):
            low, high = (int(end.min()), int(end.max())) if len(end) else (0, 0)
            if low < 0 or (high >= num_nodes and len(end)):
                wrong = low if low < 0 else high
                raise InputError(f"an edge names node {wrong}, but there are {num_nodes} nodes")
        data = np.ones(len(source), np.int8) if weight is None else weight.astype(np.float64)
        pairs = (target.astype(np.int32, copy=False), source.astype(np.int32, copy=False))
        csr = sparse.coo_array((data, pairs), shape=(num_nodes, num_nodes)).tocsr()
        csr.sum_duplicates()
        return cls(
            indptr=csr.indptr.astype(np.int64),
            indices=csr.indices.astype(np.int32, copy=False),
            weight=None if weight is None else csr.data.astype(np.float32),
        )

    @property
    def num_nodes(self) -> int:
        return len(self.indptr) - 1

    @property
    def num_edges(self) -> int:
        """Directed edges, self-loops among them."""
        return len(self.indices)

    @property
    def targets(self) -> NDArray[np.int32]:
        """Targets [E], in the order of `indices`."""
        return np.repeat(np.arange(self.num_nodes, dtype=np.int32), np.diff(self.indptr))

    @property
    def num_self_loops(self) -> int:
        return int((self.targets == self.indices).sum())

    @property
    def edge_index(self) -> Tensor:
        """PyG's form [2, E], int64, sources first; made anew on every call."""
        pairs = np.stack([self.indices, self.targets])
        return torch.from_numpy(pairs.astype(np.int64))

    def to_scipy(self) -> sparse.csr_array:
        """The matrix as SciPy CSR, float64."""
        weight = np.ones(self.num_edges) if self.weight is None else self.weight.astype(np.float64)
        shape = (self.num_nodes, self.num_nodes)
        return sparse.csr_array((weight, self.indices, self.indptr), shape=shape)
