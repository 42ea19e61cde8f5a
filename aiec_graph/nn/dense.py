"""The linear maps of the graph layers, each with its bias, a second term and ReLU in one pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from aiec_graph import ops


def _composed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    x2: Tensor | None,
    rows2: Tensor | None,
    weight2: Tensor | None,
    relu: bool,
) -> Tensor:
    out = F.linear(x, weight, bias)
    if x2 is not None and weight2 is not None:
        out = out + F.linear(x2[: x.shape[0]] if rows2 is None else x2[rows2], weight2)
    return F.relu(out) if relu else out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        x2: Tensor | None,
        rows2: Tensor | None,
        weight2: Tensor | None,
        relu: bool,
    ) -> Tensor:
        out = ops.linear(x, weight, bias, x2, rows2, weight2, relu)
        ctx.save_for_backward(x, weight, bias, x2, rows2, weight2, out if relu else None)
        if relu:
            # A node with this attribute offers to add to the gradient that reaches it: see
            # `core.fused`, which knows of rows that are not worth a matrix of all.
            ctx.addend = None
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, x2, rows2, weight2, out = ctx.saved_tensors
        grad, needed = grad_outputs[0], ctx.needs_input_grad
        if torch.is_grad_enabled():  # to be differentiated again: as torch itself would
            operands = (x, weight, bias, x2, rows2, weight2)
            again = _composed(*operands, out is not None)
            inputs = [operand for operand, need in zip(operands, needed, strict=False) if need]
            found = iter(torch.autograd.grad(again, inputs, grad, create_graph=True))
            return *(next(found) if needed[i] else None for i in range(6)), None
        more = None
        if out is not None:
            more, ctx.addend = ctx.addend, None
        asked = (*needed[:4], needed[5])
        found = ops.linear_backward(
            grad.contiguous(), out, asked, x, weight, x2, rows2, weight2, more
        )
        return *found[:4], None, found[4], None


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    x2: Tensor | None = None,
    rows2: Tensor | None = None,
    weight2: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """X · weightᵀ + bias, plus x2 · weight2ᵀ where given, through ReLU where asked for.

    Args:
        x: [N, I].
        weight: [O, I].
        bias: [O] or None.
        x2: [M, J], of which N rows enter.
        rows2: their numbers [N]; the first N where None.
        weight2: [O, J].
        relu: give 0 for what is negative.

    Returns:
        [N, O].
    """
    if ops.usable(x, weight, bias, x2, weight2):
        if x2 is not None and x2.requires_grad and rows2 is not None:
            x2, rows2 = x2[rows2], None
        return _Linear.apply(x, weight, bias, x2, rows2, weight2, relu)  # pyright: ignore
    return _composed(x, weight, bias, x2, rows2, weight2, relu)


class _Fork(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
        return x.view_as(x), x[:first]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        grad, of_first = grad_outputs
        if torch.is_grad_enabled():  # to be differentiated again
            grad = grad.clone()
        grad[: len(of_first)].add_(of_first)
        return grad, None


def fork(x: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """`x` [N, C] and its first rows, for a layer that reads both.

    What comes back to the two is added up in place, where autograd would make a third matrix of
    two whole ones. So nothing else may hold on to the gradient of the one that is not a slice.
    """
    if x.requires_grad and ops.usable(x):
        return _Fork.apply(x, first)  # pyright: ignore
    return x, x[:first]
