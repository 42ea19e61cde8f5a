"""Neighbourhood sums and maxima over a prepared sparse matrix, each one autograd function.

torch's own autograd of a sparse product sorts the matrix anew for its transpose in every backward
pass; here the transpose is prepared once and handed in. Nothing scatters over edges.
"""

from typing import Any

import torch
from torch import Tensor


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.matrix, ctx.transpose = matrix, transpose
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        grad = grad_outputs[0].contiguous()
        return _Product.apply(grad, ctx.transpose, ctx.matrix), None, None  # pyright: ignore


class _Maximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        # The operator behind torch.sparse.mm(reduce="amax"): called directly because it also
        # returns which entry won, which the backward pass needs. It multiplies by the values,
        # which are all 1 here.
        needs_grad = ctx.needs_input_grad[0]
        with torch.set_grad_enabled(needs_grad):  # without it, it does not say which
            source = x.detach().requires_grad_(needs_grad)
            out, entry = torch.ops.aten._sparse_mm_reduce_impl(matrix, source, "amax")
        if needs_grad:
            column = matrix.col_indices()
            channels = out.shape[1]
            # An empty row has no winner and a number past the end.
            empty = matrix.crow_indices().diff() == 0
            winner = column[entry.clamp_(max=len(column) - 1)].long()
            flat = winner.mul_(channels).add_(torch.arange(channels, device=x.device))
            ctx.save_for_backward(flat, empty)
            ctx.source_rows = x.shape[0]
        return out.detach()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        flat, empty = ctx.saved_tensors
        grad = grad_outputs[0].masked_fill(empty[:, None], 0)
        out = grad.new_zeros(ctx.source_rows * grad.shape[1])
        out.scatter_add_(0, flat.view(-1), grad.reshape(-1))
        return out.view(ctx.source_rows, -1), None


def weighted_sum(x: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
    """Matrix @ x, differentiable in `x`.

    Args:
        x: [N, C]; half precision is summed in the matrix's dtype.
        matrix: CSR [M, N] in float32 or float64.
        transpose: its transpose, CSR [N, M]; for a symmetric matrix, itself.

    Returns:
        [M, C] in the dtype of `x`.
    """
    with torch.autocast(x.device.type, enabled=False):
        out = _Product.apply(x.to(matrix.dtype).contiguous(), matrix, transpose)
    return out.to(x.dtype)  # pyright: ignore


def maximum(x: Tensor, matrix: Tensor) -> Tensor:
    """The channel-wise maximum of `x` over each row's columns; 0 for an empty row.

    Args:
        x: [N, C].
        matrix: CSR [M, N] with all values 1.

    Returns:
        [M, C] in the dtype of `x`.
    """
    if matrix.values().numel() == 0:
        return x.new_zeros(matrix.shape[0], x.shape[1])
    if x.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            return _Maximum.apply(x.to(matrix.dtype).contiguous(), matrix).to(x.dtype)  # pyright: ignore
    return segment_maximum(x, matrix)


def segment_maximum(x: Tensor, matrix: Tensor) -> Tensor:
    """`maximum` by gathering the neighbours' rows: for devices without the sparse kernel."""
    offsets = matrix.crow_indices().long()
    gathered = x.index_select(0, matrix.col_indices().long())
    out = torch.segment_reduce(gathered, "max", offsets=offsets)
    return out.masked_fill((offsets.diff() == 0)[:, None], 0)
