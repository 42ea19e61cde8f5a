"""A graph prepared for propagation: the adjacency in every form the layers need, each made once."""

import itertools
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from aiec_graph.nn import propagate

# SciPy ships no types: what is meant is any of its sparse matrices and arrays.
SparseMatrix = Any
_NUMPY = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class _Matrix(NamedTuple):
    forward: Tensor
    transpose: Tensor


class Neighbourhoods:
    """Edges from source nodes to target nodes, prepared for aggregation over them.

    The targets are the first of the sources. What the layers need of the matrix is made at first
    use and kept.

    Attributes:
        num_sources: rows of what is aggregated.
        num_targets: rows of the aggregate.
    """

    num_sources: int
    num_targets: int

    def __init__(self) -> None:
        self._forms: dict[tuple[str, torch.dtype, torch.device], _Matrix] = {}
        self._aggregated: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def aggregate(self, x: Tensor, form: str, *, constant: bool = False) -> Tensor:
        """Aggregates the neighbours of each target.

        Args:
            x: [num_sources, C].
            form: "gcn", the symmetric normalisation D^-½ (A + I) D^-½ of Kipf and Welling, with
                self-loops added where missing and D the in-degrees;
                "gcn_no_loops", the same without adding them; "sum", plain A;
                "mean", the mean over the in-neighbours weighted by A;
                "mean_with_self", the mean over A + I, GraphSAGE's "gcn" aggregator;
                "max", the channel-wise maximum, weights disregarded.
            constant: `x` is the same tensor in every call, such as the input features, so its
                aggregate is kept for as long as the tensor lives unchanged.

        Returns:
            [num_targets, C]; 0 for a node without in-neighbours.

        Raises:
            ValueError: `x` does not have a row for each source.
        """
        if x.shape[0] != self.num_sources:
            raise ValueError(f"x has {x.shape[0]} rows for a graph of {self.num_sources} nodes")
        # A tensor made in inference mode has no version to notice a change by.
        if not constant or x.requires_grad or x.is_inference():
            return self._aggregate(x, form)
        known = self._aggregated.get(x)
        if known is None or known[0] != x._version:
            known = (x._version, {})
            self._aggregated[x] = known
        kept = known[1]
        if form not in kept:
            # Kept beyond this call, so not as a tensor of inference mode, which cannot train.
            with torch.inference_mode(False), torch.no_grad():
                kept[form] = self._aggregate(x, form)
        return kept[form]

    def _aggregate(self, x: Tensor, form: str) -> Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)
        if form == "max":
            return propagate.maximum(x, self._form(form, dtype, x.device).forward)
        matrix = self._form(form, dtype, x.device)
        return propagate.weighted_sum(x, matrix.forward, matrix.transpose)

    def _form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        key = (form, dtype, device)
        if key not in self._forms:
            with torch.inference_mode(False):
                self._forms[key] = self._make_form(form, dtype, device)
        return self._forms[key]

    def _make_form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        raise NotImplementedError


class Adjacency(Neighbourhoods):
    """The adjacency matrix of a directed graph, row = target, column = source.

    The transpose of a symmetric matrix is the matrix itself. Indices are 32-bit where they fit,
    and weights where nothing is lost by it.

    Args:
        matrix: A [N, N] with A[i, j] the weight of the edge from j to i, in any SciPy sparse form;
            entries given twice are added up, as PyG's layers do with edges given twice.

    Attributes:
        csr: the same matrix as SciPy CSR, sorted, without duplicates.
    """

    def __init__(self, matrix: SparseMatrix) -> None:
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"an adjacency matrix is square, not of shape {matrix.shape}")
        super().__init__()
        self.csr: SparseMatrix = _compact(sparse.csr_array(matrix))
        self.num_sources = self.num_targets = self.num_nodes = self.csr.shape[0]
        self._symmetric: bool | None = None
        self._normalised: dict[tuple[str, torch.dtype], SparseMatrix] = {}

    @classmethod
    def from_edge_index(
        cls, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None
    ) -> "Adjacency":
        """Prepares PyG's edge list.

        Args:
            edge_index: [2, E], integer; row 0 the sources, row 1 the targets. Or PyG's `adj_t`:
                a torch sparse matrix [N, N] with targets as rows.
            num_nodes: N.
            edge_weight: [E], without gradient; 1 by default.

        Raises:
            ValueError: the shape or dtype is wrong, or an index is outside [0, N).
        """
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
            if edge_weight.requires_grad:
                raise ValueError("edge_weight cannot require a gradient here")
            if edge_weight.shape != source.shape:
                raise ValueError(
                    f"edge_weight must have the shape [{source.size}], not "
                    f"{list(edge_weight.shape)}"
                )
            weight = edge_weight.cpu().double().numpy()
        return cls(sparse.coo_array((weight, (target, source)), shape=(num_nodes, num_nodes)))

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
        return Adjacency(_with_self_loops(self.csr))

    def normalised(self, form: str, dtype: torch.dtype) -> SparseMatrix:
        """The matrix behind a form of aggregation, made once: its blocks take their rows of it."""
        key = (form, dtype)
        if key not in self._normalised:
            self._normalised[key] = _normalise(self.csr, form, _NUMPY[dtype])
        return self._normalised[key]

    def blocks(self, targets: NDArray[np.integer], num_layers: int) -> "Blocks":
        """What the layers of a network compute for the sake of some nodes' outputs.

        The last layer computes the targets, the one before it these and their in-neighbours, and
        so on: all that an output depends on and nothing else, so outputs, gradients included,
        are those of the whole graph.

        Args:
            targets: nodes [M], each once.
            num_layers: number of graph layers.
        """
        reached = np.zeros(self.num_nodes, dtype=bool)
        reached[targets] = True
        order, sizes = np.asarray(targets), [len(targets)]
        for _ in range(num_layers):
            if sizes[-1] < self.num_nodes:
                near = np.zeros(self.num_nodes, dtype=bool)
                near[self.csr[order].indices] = True
                order = np.concatenate([order, np.flatnonzero(near & ~reached)])
                reached |= near
            sizes.append(len(order))
        number = np.zeros_like(self.csr.indices, shape=self.num_nodes)
        number[order] = np.arange(len(order))
        pairs = itertools.pairwise(sizes)
        blocks = [Block(self, order[:few], number, many) for few, many in pairs]
        return Blocks(order, blocks[::-1])

    def _make_form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        csr = self.normalised(form, dtype)
        forward = _to_torch(csr, dtype, device)
        # Row sums as weights of a mean make a symmetric adjacency asymmetric.
        keeps_symmetry = form in ("gcn", "gcn_no_loops", "sum")
        if form == "max" or (keeps_symmetry and self.is_symmetric):
            return _Matrix(forward, forward)
        return _Matrix(forward, _to_torch(csr.T.tocsr(), dtype, device))

    def __reduce__(self) -> tuple[type["Adjacency"], tuple[SparseMatrix]]:
        # A copy, or a pickle, is the matrix; the prepared forms are made again.
        return Adjacency, (self.csr,)

    def __repr__(self) -> str:
        return f"Adjacency(num_nodes={self.num_nodes}, num_edges={self.num_edges})"


class Block(Neighbourhoods):
    """The rows of an adjacency that one layer computes, over the nodes that it gets as input.

    Args:
        whole: the graph.
        targets: the nodes of the rows, which are also the first of the sources.
        number: the position of each node [N] among the sources.
        num_sources: their number.
    """

    def __init__(
        self,
        whole: Adjacency,
        targets: NDArray[np.integer],
        number: NDArray[np.integer],
        num_sources: int,
    ) -> None:
        super().__init__()
        self.num_sources, self.num_targets = num_sources, len(targets)
        self._whole, self._targets, self._number = whole, targets, number

    def _make_form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        rows = self._whole.normalised(form, dtype)[self._targets]
        shape = (self.num_targets, self.num_sources)
        csr = sparse.csr_array((rows.data, self._number[rows.indices], rows.indptr), shape=shape)
        forward = _to_torch(csr, dtype, device)
        if form == "max":
            return _Matrix(forward, forward)
        return _Matrix(forward, _to_torch(csr.T.tocsr(), dtype, device))

    def __repr__(self) -> str:
        return f"Block(num_sources={self.num_sources}, num_targets={self.num_targets})"


class Blocks(NamedTuple):
    """What `Adjacency.blocks` makes."""

    order: NDArray[np.integer]
    """The nodes [M'] whose features the first layer gets, in this order; the targets lead."""
    layers: list[Block]
    """A block for each layer, the first layer's first."""


def _is_integer(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _with_self_loops(csr: SparseMatrix) -> SparseMatrix:
    """Adds a self-loop of weight 1 where a node has none."""
    missing = (csr.diagonal() == 0).astype(csr.dtype)
    return sparse.csr_array(csr + sparse.diags_array(missing))


ENTRIES_AT_ONCE = 2**22


def _compact(csr: SparseMatrix) -> SparseMatrix:
    """Sorted, duplicates summed, with 32-bit weights and indices where they hold the same."""
    if csr.dtype not in (np.float32, np.float64):
        csr = csr.astype(np.float64)
    csr.sum_duplicates()
    narrow = csr.data.astype(np.float32)
    index = np.int32 if max(csr.nnz, csr.shape[0]) < 2**31 else np.int64
    parts = (
        narrow if np.array_equal(narrow, csr.data, equal_nan=True) else csr.data,
        csr.indices.astype(index, copy=False),
        csr.indptr.astype(index, copy=False),
    )
    return sparse.csr_array(parts, shape=csr.shape)


def _normalise(csr: SparseMatrix, form: str, dtype: np.dtype[Any]) -> SparseMatrix:
    """The matrix of a form of aggregation, in `dtype`; without a copy of the pattern."""
    if form == "sum":
        return csr.astype(dtype, copy=False)
    if form == "max":
        return csr  # its weights are never read
    if form == "gcn":
        csr = _with_self_loops(csr)
    elif form == "mean_with_self":
        csr = sparse.csr_array(csr + sparse.eye_array(csr.shape[0], dtype=csr.dtype))
    elif form not in ("gcn_no_loops", "mean"):
        raise ValueError(f"unknown form of aggregation {form!r}")
    degree = csr @ np.ones(csr.shape[1])
    power = -0.5 if form.startswith("gcn") else -1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(degree > 0, degree**power, 0.0)
    data = np.empty(csr.nnz, dtype)
    # In pieces, so that the double precision of the computation is never held for all entries.
    for start in range(0, csr.nnz, ENTRIES_AT_ONCE):
        piece = slice(start, start + ENTRIES_AT_ONCE)
        # Each row as often as it has entries in this piece.
        within = np.diff(np.clip(csr.indptr, start, min(start + ENTRIES_AT_ONCE, csr.nnz)))
        row = np.repeat(np.arange(csr.shape[0]), within)
        scale = inverse[row]
        if form.startswith("gcn"):
            # One product a side, left first: the order in which the symmetric pair rounds alike.
            scale = scale * inverse[csr.indices[piece]]
        data[piece] = csr.data[piece] * scale
    return sparse.csr_array((data, csr.indices, csr.indptr), shape=csr.shape)


def _to_torch(csr: SparseMatrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    parts = (csr.indptr, csr.indices, csr.data)
    crow, col, values = (torch.from_numpy(part).to(device) for part in parts)
    with warnings.catch_warnings():
        # torch calls the layout a beta at its first use in a process.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            crow, col, values.to(dtype), csr.shape, check_invariants=False
        )


# Layers may be handed an edge list on every call; it is prepared at the first.
_PREPARED: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def prepare(
    edge_index: Tensor | Neighbourhoods, num_nodes: int, edge_weight: Tensor | None = None
) -> Neighbourhoods:
    """Returns the prepared adjacency of an edge list, the same object while the list is unchanged.

    Args:
        edge_index: what `Adjacency.from_edge_index` takes, or `Neighbourhoods` (an `Adjacency`
            or one of its `blocks`), which are returned.
        num_nodes: N.
        edge_weight: [E] or None.

    Raises:
        ValueError: as `Adjacency.from_edge_index`.
    """
    if isinstance(edge_index, Neighbourhoods):
        if edge_weight is not None:
            raise ValueError("an Adjacency carries its own weights: omit edge_weight")
        return edge_index
    strided = edge_index.layout == torch.strided
    if edge_weight is not None or not strided or edge_index.is_inference():
        # Two tensors, or one without a version to compare: prepared anew each time.
        return Adjacency.from_edge_index(edge_index, num_nodes, edge_weight)
    state = (edge_index._version, num_nodes)
    known = _PREPARED.get(edge_index)
    if known is None or known[0] != state:
        known = (state, Adjacency.from_edge_index(edge_index, num_nodes))
        _PREPARED[edge_index] = known
    return known[1]
