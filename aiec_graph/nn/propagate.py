"""Neighbourhood sums and maxima over a prepared sparse matrix, each one autograd function.

torch's own autograd of a sparse product sorts the matrix anew for its transpose in every backward
pass; here the transpose is prepared once and handed in. Nothing scatters over edges.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aiec_graph import ops
from aiec_graph.nn.dense import linear

F = TypeVar("F", bound=Callable[..., Tensor])


def _opaque(function: F) -> F:
    """Has torch.compile, which can see into neither function below, call it as it is."""
    return torch.compiler.disable(function)  # pyright: ignore


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor | None) -> Tensor:
        ctx.matrix, ctx.transpose = matrix, transpose
        if ops.usable(x, matrix.values()) and matrix.col_indices().dtype == torch.int32:
            return ops.sums(matrix, x)
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        grad = grad_outputs[0].contiguous()
        return _Product.apply(grad, ctx.transpose, ctx.matrix), None, None  # pyright: ignore


class _Maximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        crow, column = matrix.crow_indices(), matrix.col_indices()
        ctx.native = ops.usable(x) and column.dtype == torch.int32
        if ctx.native:
            out, winner = ops.maxima(crow, column, x)
        else:
            from aiec_graph.nn import kernels

            out, winner = kernels.maximum(crow, column, x)
        ctx.save_for_backward(winner)
        ctx.num_sources = x.shape[0]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # pyright: ignore
        (winner,) = ctx.saved_tensors
        if ctx.native:
            return ops.to_winners(grad_outputs[0], winner, ctx.num_sources), None
        from aiec_graph.nn import kernels

        return kernels.maximum_backward(grad_outputs[0], winner, ctx.num_sources), None


class _Pooled(torch.autograd.Function):
    """`pooled` on compiled kernels; the map is not kept, for where ReLU gave 0 nobody has won."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, matrix: Tensor) -> Tensor:
        out, winner = ops.pool(matrix.crow_indices(), matrix.col_indices(), x, weight, bias)
        ctx.save_for_backward(x, weight, winner)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        x, weight, winner = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        return *ops.pool_backward(grad_outputs[0], winner, needed, x, weight), None


@_opaque
def weighted_sum(x: Tensor, matrix: Tensor, transpose: Tensor | None) -> Tensor:
    """Matrix @ x, differentiable in `x`.

    Args:
        x: [N, C]; half precision is summed in the matrix's dtype.
        matrix: CSR [M, N] in float32 or float64.
        transpose: its transpose, CSR [N, M]; for a symmetric matrix, itself; None where nothing
            is to be differentiated.

    Returns:
        [M, C] in the dtype of `x`.
    """
    with torch.autocast(x.device.type, enabled=False):
        out = _Product.apply(x.to(matrix.dtype).contiguous(), matrix, transpose)
    return out.to(x.dtype)  # pyright: ignore


@_opaque
def maximum(x: Tensor, matrix: Tensor) -> Tensor:
    """The channel-wise maximum of `x` over each row's columns; 0 for an empty row.

    Args:
        x: [N, C].
        matrix: CSR [M, N]; its values are disregarded.

    Returns:
        [M, C] in the dtype of `x`.
    """
    if matrix.values().numel() == 0:
        return x.new_zeros(matrix.shape[0], x.shape[1])
    if x.device.type == "cpu":
        wide = x.to(torch.promote_types(x.dtype, torch.float32)).contiguous()
        return _Maximum.apply(wide, matrix).to(x.dtype)  # pyright: ignore
    return segment_maximum(x, matrix)


@_opaque
def pooled(x: Tensor, weight: Tensor, bias: Tensor, matrix: Tensor) -> Tensor:
    """`maximum` of ReLU(x · weightᵀ + bias).

    Args:
        x: [N, I].
        weight: [C, I].
        bias: [C].
        matrix: as for `maximum`.

    Returns:
        [M, C] in the dtype of `x`.
    """
    column = matrix.col_indices()
    if len(column) and ops.usable(x, weight, bias) and column.dtype == torch.int32:
        return _Pooled.apply(x, weight, bias, matrix)  # pyright: ignore
    return maximum(linear(x, weight, bias, relu=True), matrix)


def segment_maximum(x: Tensor, matrix: Tensor) -> Tensor:
    """`maximum` by gathering the neighbours' rows: for devices that the kernel does not run on."""
    offsets = matrix.crow_indices().long()
    gathered = x.index_select(0, matrix.col_indices().long())
    out = torch.segment_reduce(gathered, "max", offsets=offsets)
    return out.masked_fill((offsets.diff() == 0)[:, None], 0)
