"""Aggregation over the neighbours of nodes: what `Adjacency` and `Block` have in common."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from aiec_graph import ops

F = TypeVar("F", bound=Callable[..., Any])


def opaque(function: F) -> F:
    """Has torch.compile call a function as it is, instead of looking into it.

    `torch.compiler.disable` would load the compiler at once, which takes two seconds: here it does
    so where something is compiled.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call  # pyright: ignore


NUMPY = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class Csr(NamedTuple):
    """A sparse matrix [M, N] in CSR form, in NumPy or torch; without values, its pattern."""

    indptr: Any
    indices: Any
    values: Any
    num_columns: int

    def transposed(self) -> "Csr":
        """The transpose of a matrix of NumPy arrays."""
        shape = (self.num_columns, len(self.indptr) - 1)
        # Read by columns, the rows of a matrix are those of its transpose.
        parts = (self.values, self.indices, self.indptr)
        csr: Any = sparse.csc_array(parts, shape=shape).tocsr()
        return Csr(csr.indptr, csr.indices, csr.data, shape[1])


class Pattern(NamedTuple):
    """Where the entries of a matrix [M, N] stand, by rows and by columns."""

    crow: Tensor
    """Where each row begins and ends [M + 1]."""
    column: Tensor
    """Column of each entry [E], by rows."""
    row: Tensor
    """Its row [E]."""
    crow_back: Tensor
    """Where each column begins and ends when the entries are sorted by columns [N + 1]."""
    row_back: Tensor
    """Row of each entry in that order [E]."""
    order: Tensor
    """Which entry of the order by rows each is [E]."""


@dataclass
class _Matrix:
    """A matrix as the operators take it: row pointers, columns and values."""

    forward: tuple[Tensor, Tensor, Tensor | None]
    transpose: tuple[Tensor, Tensor, Tensor | None] | None = None
    """Made once something is to be differentiated."""


class Neighbourhoods:
    """Edges from source nodes to target nodes, prepared for aggregation over them.

    What the layers need of the matrix is made at first use and kept, the transpose once something
    is to be differentiated. No aggregate is kept.

    Attributes:
        num_sources: rows of what is aggregated.
        num_targets: rows of the aggregate.
        targets: which of the sources they are [num_targets]; the first of them where None.
    """

    num_sources: int
    num_targets: int
    targets: Tensor | None = None

    def __init__(self) -> None:
        self._matrices: dict[tuple[str, torch.dtype, torch.device], _Matrix] = {}
        self._patterns: dict[torch.device, Pattern] = {}

    def aggregate(self, x: Tensor, normalisation: str, *, keep: bool = True) -> Tensor:
        """Aggregates the neighbours of each target; differentiable in x as often as wanted.

        Args:
            x: [num_sources, C]; half precision is summed in float32.
            normalisation: a name in `nn.normalisation.NORMALISATIONS`.
            keep: keep the matrix that this takes for the calls to come; False for one that comes
                once, such as that of a first layer whose input stays the same.

        Returns:
            [num_targets, C] in the dtype of x; 0 for a node without in-neighbours.

        Raises:
            ValueError: x does not have a row for each source.
            InputError: the normalisation is unknown.
        """
        if x.shape[0] != self.num_sources:
            raise ValueError(f"x has {x.shape[0]} rows for a graph of {self.num_sources} nodes")
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        needs_transpose = x.requires_grad and torch.is_grad_enabled() and normalisation != "max"
        matrix = self._matrix(normalisation, wide.dtype, x.device, needs_transpose, keep)
        if normalisation == "max":
            return ops.maximum(wide, *matrix.forward[:2])[0].to(x.dtype)
        return ops.weighted_sum(wide, matrix.forward, matrix.transpose).to(x.dtype)  # pyright: ignore

    def of_targets(self, x: Tensor) -> Tensor:
        """The targets' own rows of x [num_sources, C]."""
        return x[: self.num_targets] if self.targets is None else x[self.targets]

    @opaque
    def pattern_with_loops(self, device: torch.device) -> Pattern:
        """Which sources each target has, itself among them, for layers that learn the weights."""
        if device not in self._patterns:
            csr = self._make("gcn", torch.float32)
            entries = np.arange(len(csr.indices), dtype=np.int64)
            back = Csr(csr.indptr, csr.indices, entries, csr.num_columns).transposed()
            rows = np.repeat(np.arange(self.num_targets), np.diff(csr.indptr))
            parts = (csr.indptr, csr.indices, rows, back.indptr, back.indices, back.values)
            with torch.inference_mode(False):
                found = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts]
            self._patterns[device] = Pattern(*found)
        return self._patterns[device]

    @opaque
    def _matrix(
        self,
        normalisation: str,
        dtype: torch.dtype,
        device: torch.device,
        needs_transpose: bool,
        keep: bool,
    ) -> _Matrix:
        # The pattern is the same in each dtype.
        key = (normalisation, torch.float32 if normalisation == "max" else dtype, device)
        matrix = self._matrices.get(key)
        if matrix is None:
            matrix = _Matrix(_to_torch(self._make(normalisation, key[1]), device))
            if keep:
                self._matrices[key] = matrix
        if needs_transpose and matrix.transpose is None:
            if self._is_symmetric(normalisation):
                matrix.transpose = matrix.forward
            else:
                made = self._make(normalisation, dtype).transposed()
                matrix.transpose = _to_torch(made, device)
        return matrix

    def _make(self, normalisation: str, dtype: torch.dtype) -> Csr:
        """The matrix of a normalisation [num_targets, num_sources]."""
        raise NotImplementedError

    def _is_symmetric(self, normalisation: str) -> bool:
        raise NotImplementedError


def num_rows(x: Tensor) -> int:
    """The number of rows of a layer's input.

    Raises:
        TypeError: it is a pair (x_src, x_dst), as PyG's layers take it for a bipartite graph.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            "x must be one tensor: for a bipartite graph make one of all nodes and take the "
            "targets' rows, or their part of it by Adjacency.blocks"
        )
    return x.shape[0]


def _to_torch(csr: Csr, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    # Kept beyond this call, so never tensors of inference mode, which cannot train. On a CPU not
    # by `to`, which a trace would record.
    def placed(part: Any) -> Tensor:
        made = torch.from_numpy(part)
        return made if device.type == "cpu" else made.to(device)

    with torch.inference_mode(False):
        crow, column = placed(csr.indptr), placed(csr.indices)
        values = None if csr.values is None else placed(csr.values)
    return crow, column, values
