"""A graph prepared for propagation: its adjacency matrix, checked once."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from aiec_graph.nn.blocks import Blocks, Whole, make_blocks
from aiec_graph.nn.normalisation import Normalised, SparseMatrix, normalise, with_self_loops
from aiec_graph.nn.propagate import NUMPY, Csr, Neighbourhoods, opaque


class Adjacency(Neighbourhoods):
    """The adjacency matrix of a directed graph, row = target, column = source.

    It holds a copy: what it was made from may change afterwards without effect, and `csr` is
    read-only. Indices are 32-bit where they fit, and weights where nothing is lost by it.

    Args:
        matrix: A [N, N] with A[i, j] the weight of the edge from j to i, in any SciPy sparse form;
            entries given twice are added up, as PyG's layers do with edges given twice.
        self_loops: the weight of each node's self-loop [N] wherever missing ones are to be added;
            None for what the matrix has, and 1 where it has none.
        copy: False where nobody will change the matrix's arrays, which may then be shared.

    Attributes:
        csr: the same matrix as SciPy CSR, sorted, without duplicates; read-only.

    Raises:
        ValueError: the matrix is not square.
    """

    def __init__(
        self,
        matrix: SparseMatrix,
        self_loops: NDArray[np.float64] | None = None,
        copy: bool = True,
    ) -> None:
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"an adjacency matrix is square, not of shape {matrix.shape}")
        super().__init__()
        self._csr = _compact(sparse.csr_array(matrix, copy=copy))
        self.csr: SparseMatrix = _read_only(self._csr)
        self.num_sources = self.num_targets = self.num_nodes = self.csr.shape[0]
        self._self_loops = self_loops
        self._symmetric: bool | None = None
        self._normalised: dict[str, Normalised] = {}

    @classmethod
    def from_edge_index(
        cls, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None
    ) -> "Adjacency":
        """Prepares PyG's edge list.

        Args:
            edge_index: [2, E], integer; row 0 the sources, row 1 the targets. Or PyG's `adj_t`:
                a torch sparse matrix [N, N] with targets as rows. Edges given twice add up; of a
                self-loop given twice, GCN's normalisation takes the last, as PyG's does.
            num_nodes: N.
            edge_weight: [E], without gradient; 1 by default.

        Raises:
            ValueError: the shape or dtype is wrong, an index is outside [0, N), or weights
                require a gradient.
            RuntimeError: the edges are a symbol of a trace or an export, or on the meta device.
        """
        _refuse_symbols(edge_index)
        for weights in (edge_index, edge_weight):
            if weights is not None and weights.requires_grad:
                raise ValueError(
                    "edge weights (edge_weight, or a sparse adj_t) cannot require a gradient here: "
                    "detach them, or load the state dict into PyG's layer of the same name"
                )
        if edge_index.layout != torch.strided:
            if edge_weight is not None:
                raise ValueError("a sparse adjacency carries its own weights: omit edge_weight")
            coo = edge_index.detach().cpu().to_sparse_coo().coalesce()
            indices, values = coo.indices().numpy(), coo.values().double().numpy()
            if tuple(coo.shape) != (num_nodes, num_nodes):
                shape = tuple(coo.shape)
                raise ValueError(f"the sparse adjacency is {shape} for {num_nodes} nodes")
            return cls(sparse.coo_array((values, (indices[0], indices[1])), shape=coo.shape))
        if edge_index.dim() != 2 or edge_index.shape[0] != 2 or not _is_integer(edge_index):
            raise ValueError(
                "edge_index must hold integers in the shape [2, E], not "
                f"{edge_index.dtype} in the shape {list(edge_index.shape)}"
            )
        source, target = edge_index.detach().cpu().as_subclass(Tensor).numpy()
        if source.size:
            low, high = edge_index.min().item(), edge_index.max().item()
            if low < 0 or high >= num_nodes:
                raise ValueError(
                    f"edge_index holds node {low if low < 0 else high}, but the graph has "
                    f"{num_nodes} nodes (0 to {num_nodes - 1})"
                )
        if edge_weight is None:
            weight = np.ones(source.size)
        else:
            if edge_weight.shape != source.shape:
                raise ValueError(
                    f"edge_weight must have the shape [{source.size}], not "
                    f"{list(edge_weight.shape)}"
                )
            weight = edge_weight.cpu().double().numpy()
        matrix = sparse.coo_array((weight, (target, source)), shape=(num_nodes, num_nodes))
        return cls(matrix, _repeated_loops(source, target, weight, num_nodes))

    @property
    def num_edges(self) -> int:
        """Directed edges, duplicates merged."""
        return self.csr.nnz

    @property
    def is_symmetric(self) -> bool:
        if self._symmetric is None:
            other = self.csr.T.tocsr()
            other.sort_indices()
            self._symmetric = all(
                np.array_equal(getattr(self.csr, part), getattr(other, part))
                for part in ("indptr", "indices", "data")
            )
        return self._symmetric

    def with_self_loops(self) -> "Adjacency":
        """The same graph with a self-loop of weight 1 at each node that has none."""
        return Adjacency(with_self_loops(self._csr, self._self_loops), copy=False)

    def blocks(self, targets: NDArray[np.integer], num_layers: int) -> Blocks:
        """The parts of the graph that a network computes for some nodes; see `make_blocks`."""
        whole = Whole(self.normalised, self._is_symmetric)
        return make_blocks(self._csr, whole, targets, num_layers)

    def normalised(self, normalisation: str) -> Normalised:
        """What the matrices of a normalisation, the blocks' too, are made of; made once."""
        if normalisation not in self._normalised:
            found = normalise(self._csr, normalisation, self._self_loops)
            self._normalised[normalisation] = found
        return self._normalised[normalisation]

    def _make(self, normalisation: str, dtype: torch.dtype) -> Csr:
        matrix = self.normalised(normalisation)
        csr = matrix.csr
        if normalisation == "max":
            return Csr(csr.indptr, csr.indices, None, self.num_nodes)
        values = np.empty(csr.nnz, NUMPY[dtype])
        for piece, rows in matrix.rows(np.arange(self.num_nodes)):
            values[piece] = rows.data
        return Csr(csr.indptr, csr.indices, values, self.num_nodes)

    def _is_symmetric(self, normalisation: str) -> bool:
        # Row sums as weights of a mean make a symmetric adjacency asymmetric.
        return not normalisation.startswith("mean") and self.is_symmetric

    def __reduce__(self) -> tuple[type["Adjacency"], tuple[Any, ...]]:
        # A copy or pickle is the matrix, which nobody changes; the prepared ones are made again.
        return Adjacency, (self.csr, self._self_loops, False)

    def __repr__(self) -> str:
        return f"Adjacency(num_nodes={self.num_nodes}, num_edges={self.num_edges})"


def _is_integer(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _refuse_symbols(edge_index: Tensor) -> None:
    """Refuses edges whose numbers cannot be read, or would be frozen into a traced graph."""
    traced = torch.jit.is_tracing()  # pyright: ignore
    if traced or torch.compiler.is_exporting() or edge_index.is_meta:
        raise RuntimeError(
            "an edge list is read outside of torch, so it cannot be traced, exported or on the "
            "meta device: prepare it before by Adjacency.from_edge_index and hand that in, or "
            "load the state dict into PyG's layers, which can"
        )


def _repeated_loops(
    source: NDArray[np.integer], target: NDArray[np.integer], weight: NDArray[Any], num_nodes: int
) -> NDArray[np.float64] | None:
    """The weights of all self-loops where one is given several times; None where none is."""
    own = source == target
    nodes = source[own]
    if len(np.unique(nodes)) == len(nodes):
        return None
    loops = np.ones(num_nodes)
    loops[nodes] = weight[own]  # of several, NumPy keeps the last
    return loops


def _compact(csr: SparseMatrix) -> SparseMatrix:
    """Sorted, duplicates summed, with 32-bit weights and indices where they hold the same."""
    if csr.dtype not in (np.float32, np.float64):
        csr = csr.astype(np.float64)
    csr.sum_duplicates()
    narrow = csr.data.astype(np.float32, copy=False)
    index = np.int32 if max(csr.nnz, csr.shape[0]) < 2**31 else np.int64
    parts = (
        narrow if np.array_equal(narrow, csr.data, equal_nan=True) else csr.data,
        csr.indices.astype(index, copy=False),
        csr.indptr.astype(index, copy=False),
    )
    return sparse.csr_array(parts, shape=csr.shape)


def _read_only(csr: SparseMatrix) -> SparseMatrix:
    """The same matrix, of whose arrays none can be written to."""
    parts = [part.view() for part in (csr.data, csr.indices, csr.indptr)]
    for part in parts:
        part.flags.writeable = False
    return sparse.csr_array(tuple(parts), shape=csr.shape)


@opaque
def prepare(
    edge_index: Tensor | Neighbourhoods, num_nodes: int, edge_weight: Tensor | None = None
) -> Neighbourhoods:
    """Prepares an edge list, anew in each call; whoever calls often hands in an `Adjacency`.

    Args:
        edge_index: what `Adjacency.from_edge_index` takes, or `Neighbourhoods` (an `Adjacency`
            or one of its `blocks`), which are returned.
        num_nodes: N.
        edge_weight: [E] or None.

    Raises:
        ValueError, RuntimeError: as `Adjacency.from_edge_index`.
    """
    if isinstance(edge_index, Neighbourhoods):
        if edge_weight is not None:
            raise ValueError("an Adjacency carries its own weights: omit edge_weight")
        return edge_index
    return Adjacency.from_edge_index(edge_index, num_nodes, edge_weight)
