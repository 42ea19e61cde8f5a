"""A graph prepared for propagation: the adjacency in every form the layers need, each made once."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from aiec_graph.nn import propagate

# SciPy ships no types: what is meant is any of its sparse matrices and arrays.
SparseMatrix = Any


class _Matrix(NamedTuple):
    forward: Tensor
    transpose: Tensor


class Adjacency:
    """The adjacency matrix of a directed graph, row = target, column = source.

    Its normalised forms and their transposes are made at first use and kept; the transpose of a
    symmetric matrix is the matrix itself. Indices are 32-bit where they fit.

    Args:
        matrix: A [N, N] with A[i, j] the weight of the edge from j to i, in any SciPy sparse form;
            entries given twice are added up, as PyG's layers do with edges given twice.

    Attributes:
        csr: the same matrix as SciPy CSR in float64, sorted, without duplicates.
    """

    def __init__(self, matrix: SparseMatrix) -> None:
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"an adjacency matrix is square, not of shape {matrix.shape}")
        csr: SparseMatrix = sparse.csr_array(matrix, dtype=np.float64)
        csr.sum_duplicates()
        self.csr = csr
        self._symmetric: bool | None = None
        self._forms: dict[tuple[str, torch.dtype, torch.device], _Matrix] = {}
        self._aggregated: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

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
    def num_nodes(self) -> int:
        return self.csr.shape[0]

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

    def aggregate(self, x: Tensor, form: str, *, constant: bool = False) -> Tensor:
        """Aggregates each node's neighbours.

        Args:
            x: [N, C].
            form: "gcn", the symmetric normalisation D^-½ (A + I) D^-½ of Kipf and Welling, with
                self-loops added where missing and D the in-degrees;
                "gcn_no_loops", the same without adding them; "sum", plain A;
                "mean", the mean over the in-neighbours weighted by A;
                "mean_with_self", the mean over A + I, GraphSAGE's "gcn" aggregator;
                "max", the channel-wise maximum, weights disregarded.
            constant: `x` is the same tensor in every call, such as the input features, so its
                aggregate is kept for as long as the tensor lives unchanged.

        Returns:
            [N, C]; 0 for a node without in-neighbours.

        Raises:
            ValueError: `x` does not have a row for each node.
        """
        if x.shape[0] != self.num_nodes:
            raise ValueError(f"x has {x.shape[0]} rows for a graph of {self.num_nodes} nodes")
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
        matrix = self._form(form, dtype, x.device)
        if form == "max":
            return propagate.maximum(x, matrix.forward)
        return propagate.weighted_sum(x, matrix.forward, matrix.transpose)

    def _form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        key = (form, dtype, device)
        if key not in self._forms:
            with torch.inference_mode(False):
                self._forms[key] = self._make_form(form, dtype, device)
        return self._forms[key]

    def _make_form(self, form: str, dtype: torch.dtype, device: torch.device) -> _Matrix:
        csr = _normalise(self.csr, form)
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


def _is_integer(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _with_self_loops(csr: SparseMatrix) -> SparseMatrix:
    """Adds a self-loop of weight 1 where a node has none."""
    missing = (csr.diagonal() == 0).astype(csr.dtype)
    return sparse.csr_array(csr + sparse.diags_array(missing))


def _normalise(csr: SparseMatrix, form: str) -> SparseMatrix:
    if form == "sum":
        return csr
    if form == "max":
        ones = csr.copy()
        ones.data = np.ones_like(ones.data)
        return ones
    if form == "gcn":
        csr = _with_self_loops(csr)
    elif form == "mean_with_self":
        csr = sparse.csr_array(csr + sparse.eye_array(csr.shape[0], dtype=csr.dtype))
    elif form not in ("gcn_no_loops", "mean"):
        raise ValueError(f"unknown form of aggregation {form!r}")
    degree = np.asarray(csr.sum(axis=1)).ravel()
    power = -0.5 if form.startswith("gcn") else -1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(degree > 0, degree**power, 0.0)
    rows = np.repeat(inverse, np.diff(csr.indptr))
    # One product a side, left first: the order in which the symmetric pair rounds alike.
    data = csr.data * (rows * inverse[csr.indices] if form.startswith("gcn") else rows)
    return sparse.csr_array((data, csr.indices, csr.indptr), shape=csr.shape)


def _to_torch(csr: SparseMatrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    csr.sort_indices()
    index = np.int32 if max(csr.nnz, csr.shape[0]) < 2**31 else np.int64
    parts = csr.indptr.astype(index), csr.indices.astype(index), csr.data
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
    edge_index: Tensor | Adjacency, num_nodes: int, edge_weight: Tensor | None = None
) -> Adjacency:
    """Returns the prepared adjacency of an edge list, the same object while the list is unchanged.

    Args:
        edge_index: what `Adjacency.from_edge_index` takes, or an `Adjacency`, which is returned.
        num_nodes: N.
        edge_weight: [E] or None.

    Raises:
        ValueError: as `Adjacency.from_edge_index`.
    """
    if isinstance(edge_index, Adjacency):
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
