"""A graph prepared for propagation: the adjacency in every form the layers need, each made once."""

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass
class _Matrix:
    forward: Tensor
    transpose: Tensor | None = None
    """Made once something is to be differentiated."""


class Neighbourhoods:
    """Edges from source nodes to target nodes, prepared for aggregation over them.

    What the layers need of the matrix is made at first use and kept: a transpose once something is
    to be differentiated, and nothing for the sake of an aggregate that is kept itself.

    Attributes:
        num_sources: rows of what is aggregated.
        num_targets: rows of the aggregate.
        targets: which of the sources they are [num_targets]; the first of them where None.
    """

    num_sources: int
    num_targets: int
    targets: Tensor | None = None

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
        self._check(x)
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
                kept[form] = self._aggregate(x, form, once=True)
        return kept[form]

    def pool(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The channel-wise maximum of ReLU(x · weightᵀ + bias) over the neighbours of each target.

        Args:
            x: [num_sources, I].
            weight: [C, I].
            bias: [C].

        Returns:
            [num_targets, C]; 0 for a node without in-neighbours.

        Raises:
            ValueError: `x` does not have a row for each source.
        """
        self._check(x)
        dtype = torch.promote_types(x.dtype, torch.float32)
        return propagate.pooled(x, weight, bias, self._form("max", dtype, x.device).forward)

    def _check(self, x: Tensor) -> None:
        if x.shape[0] != self.num_sources:
            raise ValueError(f"x has {x.shape[0]} rows for a graph of {self.num_sources} nodes")

    def _aggregate(self, x: Tensor, form: str, once: bool = False) -> Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)
        matrix = self._form(form, dtype, x.device, once)
        if form == "max":
            return propagate.maximum(x, matrix.forward)
        if matrix.transpose is None and x.requires_grad and torch.is_grad_enabled():
            symmetric = self._is_symmetric(form)
            matrix.transpose = matrix.forward if symmetric else _transposed(matrix.forward)
        return propagate.weighted_sum(x, matrix.forward, matrix.transpose)

    def _form(
        self, form: str, dtype: torch.dtype, device: torch.device, once: bool = False
    ) -> _Matrix:
        key = (form, dtype, device)
        matrix = self._forms.get(key)
        if matrix is None:
            matrix = _Matrix(self._make(form, dtype, device))
            if not once:
                self._forms[key] = matrix
        return matrix

    def _make(self, form: str, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The matrix of a form of aggregation, CSR [num_targets, num_sources]."""
        raise NotImplementedError

    def _is_symmetric(self, form: str) -> bool:
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
        self._scaled: dict[str, _Scaled] = {}

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
                for _, rows in _in_pieces(self.csr, order):
                    near[rows.indices] = True
                order = np.concatenate([order, np.flatnonzero(near & ~reached)])
                reached |= near
            sizes.append(len(order))
        over_all = len(order) >= NEARLY_ALL * self.num_nodes
        if over_all:
            sizes.pop()
            order = order[: sizes[-1]]
        number = np.zeros_like(self.csr.indices, shape=self.num_nodes)
        number[order] = np.arange(len(order))
        # Layers that compute the same nodes share a block.
        pairs = list(itertools.pairwise(sizes))
        made = {(few, many): Block(self, order[:few], number, many) for few, many in pairs}
        layers = [made[pair] for pair in reversed(pairs)]
        if over_all:
            return Blocks(None, [Block(self, order, None, self.num_nodes), *layers])
        return Blocks(order, layers)

    def scaled(self, form: str) -> "_Scaled":
        """What the matrices of a form, the blocks' too, are made of; made once."""
        if form not in self._scaled:
            self._scaled[form] = _scaled(self.csr, form)
        return self._scaled[form]

    def _make(self, form: str, dtype: torch.dtype, device: torch.device) -> Tensor:
        matrix = self.scaled(form)
        csr = matrix.csr
        values = None
        if form != "max":
            values = np.empty(csr.nnz, _NUMPY[dtype])
            for piece, rows in matrix.rows(np.arange(self.num_nodes)):
                values[piece] = rows.data
        return _to_torch(csr.indptr, csr.indices, values, csr.shape, dtype, device)

    def _is_symmetric(self, form: str) -> bool:
        # Row sums as weights of a mean make a symmetric adjacency asymmetric.
        return form in ("gcn", "gcn_no_loops", "sum") and self.is_symmetric

    def __reduce__(self) -> tuple[type["Adjacency"], tuple[SparseMatrix]]:
        # A copy, or a pickle, is the matrix; the prepared forms are made again.
        return Adjacency, (self.csr,)

    def __repr__(self) -> str:
        return f"Adjacency(num_nodes={self.num_nodes}, num_edges={self.num_edges})"


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
        whole: Adjacency,
        targets: NDArray[np.integer],
        number: NDArray[np.integer] | None,
        num_sources: int,
    ) -> None:
        super().__init__()
        self.num_sources, self.num_targets = num_sources, len(targets)
        self._whole, self._targets, self._number = whole, targets, number
        if number is None:
            self.targets = torch.from_numpy(targets.astype(np.int64, copy=False))

    def _make(self, form: str, dtype: torch.dtype, device: torch.device) -> Tensor:
        matrix = self._whole.scaled(form)
        indptr = _indptr(matrix.csr, self._targets)
        indices: NDArray[Any] = np.empty(indptr[-1], matrix.csr.indices.dtype)
        values = None if form == "max" else np.empty(indptr[-1], _NUMPY[dtype])
        for piece, rows in matrix.rows(self._targets):
            indices[piece] = rows.indices if self._number is None else self._number[rows.indices]
            if values is not None:
                values[piece] = rows.data
        shape = (self.num_targets, self.num_sources)
        return _to_torch(indptr, indices, values, shape, dtype, device)

    def _is_symmetric(self, form: str) -> bool:
        in_one_order = self._number is not None and self.num_targets == self.num_sources
        return in_one_order and self._whole._is_symmetric(form)

    def __repr__(self) -> str:
        return f"Block(num_sources={self.num_sources}, num_targets={self.num_targets})"


class Blocks(NamedTuple):
    """What `Adjacency.blocks` makes."""

    inputs: NDArray[np.integer] | None
    """The nodes [M'] whose features the first layer gets, in this order, the targets first; None
    where it gets those of all nodes as they lie, since it needs nearly all."""
    layers: list[Block]
    """A block for each layer, the first layer's first."""


def _is_integer(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _with_self_loops(csr: SparseMatrix) -> SparseMatrix:
    """Adds a self-loop of weight 1 where a node has none; the same matrix where all have one."""
    missing = (csr.diagonal() == 0).astype(csr.dtype)
    if not missing.any():
        return csr
    return sparse.csr_array(csr + sparse.diags_array(missing))


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


NEARLY_ALL = 0.9
"""Of the nodes: from so many on, a first layer gets the features of all, which spares a copy."""
ENTRIES_AT_ONCE = 2**15
"""Of a matrix: few enough that double precision and copies of them count for nothing."""


def _indptr(csr: SparseMatrix, rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """Where each of some rows of a matrix ends when they stand one after the other."""
    ends: NDArray[Any] = np.zeros_like(csr.indptr, shape=len(rows) + 1)
    np.cumsum(np.diff(csr.indptr)[rows], out=ends[1:])
    return ends


def _in_pieces(csr: SparseMatrix, rows: NDArray[np.integer]) -> Iterator[tuple[slice, Any]]:
    """Some rows of a matrix, a few at once, so that a copy of all of them is never held.

    Yields:
        Which of `rows`, and these.
    """
    ends = _indptr(csr, rows)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1], ENTRIES_AT_ONCE))
    for start, end in itertools.pairwise(np.unique([0, *cuts, len(rows)])):
        yield slice(start, end), csr[rows[start:end]]


class _Scaled(NamedTuple):
    """A matrix whose entries are yet to be scaled by the degrees of their nodes."""

    csr: SparseMatrix
    by: NDArray[np.float64] | None
    """What to multiply the rows by [N], in double precision; None for 1."""
    columns_too: bool

    def rows(self, targets: NDArray[np.integer]) -> Iterator[tuple[slice, SparseMatrix]]:
        """Some rows, scaled, a few at once.

        Yields:
            Where their entries lie among those of all `targets`, and the rows.
        """
        start = 0
        for piece, rows in _in_pieces(self.csr, targets):
            if self.by is not None:
                scale = np.repeat(self.by[targets[piece]], np.diff(rows.indptr))
                if self.columns_too:
                    # One product a side: the order in which the symmetric pair rounds alike.
                    scale *= self.by[rows.indices]
                rows.data = rows.data * scale
            yield slice(start, start + rows.nnz), rows
            start += rows.nnz


def _scaled(csr: SparseMatrix, form: str) -> _Scaled:
    if form in ("sum", "max"):
        return _Scaled(csr, None, False)
    if form == "gcn":
        csr = _with_self_loops(csr)
    elif form == "mean_with_self":
        csr = sparse.csr_array(csr + sparse.eye_array(csr.shape[0], dtype=csr.dtype))
    elif form not in ("gcn_no_loops", "mean"):
        raise ValueError(f"unknown form of aggregation {form!r}")
    degree, ones = np.empty(csr.shape[0]), np.ones(csr.shape[1])
    for piece, rows in _in_pieces(csr, np.arange(csr.shape[0])):
        degree[piece] = rows @ ones
    symmetric = form.startswith("gcn")
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(degree > 0, degree ** (-0.5 if symmetric else -1.0), 0.0)
    return _Scaled(csr, inverse, symmetric)


def _to_torch(
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    values: NDArray[np.floating] | None,
    shape: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """A CSR tensor, never of inference mode; without values, one that takes no memory for them."""
    with warnings.catch_warnings(), torch.inference_mode(False):
        # torch calls the layout a beta at its first use in a process.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        crow, col = (torch.from_numpy(part).to(device) for part in (indptr, indices))
        if values is None:
            weights = torch.ones((), dtype=dtype, device=device).expand(len(indices))
        else:
            weights = torch.from_numpy(values).to(device)
        return torch.sparse_csr_tensor(crow, col, weights, shape, check_invariants=False)


def _transposed(matrix: Tensor) -> Tensor:
    parts = (matrix.values(), matrix.col_indices(), matrix.crow_indices())
    # Read by columns, the rows of a matrix are those of its transpose.
    columns = tuple(part.cpu().numpy() for part in parts)
    csr: SparseMatrix = sparse.csc_array(columns, shape=tuple(matrix.shape)[::-1]).tocsr()
    of_csr = (csr.indptr, csr.indices, csr.data, csr.shape)
    return _to_torch(*of_csr, matrix.dtype, matrix.device)


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
