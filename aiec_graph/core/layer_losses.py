"""The two losses of one AIEC layer, with their gradients written out.

Autograd would keep and revisit the whole features for each of the small operations that make up
the losses; by hand both gradients are one product of skinny matrices.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Rows = Tensor | slice | None
"""Which rows of the features are labelled: their positions, a slice, or all."""


def take(features: Tensor, rows: Rows) -> Tensor:
    """The labelled rows; a view but for positions."""
    if rows is None:
        return features
    return features[rows] if isinstance(rows, slice) else features.index_select(0, rows)


class _LayerLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        a: Tensor,
        log_p: Tensor,
        target: Tensor,
        one_hot: Tensor,
        per_channel: Tensor,
        rows: Rows,
        detach_aux: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(weight, a, log_p, target, one_hot, per_channel)
        ctx.rows, ctx.detach_aux, ctx.shape = rows, detach_aux, features.shape
        aux = -(log_p.flatten() @ target.flatten())
        return aux, ((one_hot.T @ a) * per_channel).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        weight, a, log_p, target, one_hot, per_channel = ctx.saved_tensors
        of_aux, of_gate = grad_outputs
        # ∂L_aux/∂logits: the softmax minus the label, each sample by its weight.
        by_logits = torch.addcmul(-target, log_p.exp(), target.sum(1, keepdim=True)).mul_(of_aux)
        by_features = by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = by_logits.T @ a
        if ctx.needs_input_grad[0]:
            left, right = one_hot, per_channel * of_gate
            if not ctx.detach_aux:
                left, right = torch.cat([left, by_logits], 1), torch.cat([right, weight])
            by_features = _spread(left, right, ctx.rows, ctx.shape)
        return by_features, by_weight, *[None] * 7


def _spread(left: Tensor, right: Tensor, rows: Rows, shape: torch.Size) -> Tensor:
    """Left @ right at the labelled rows, 0 elsewhere."""
    if rows is None:
        return left @ right
    out = left.new_empty(shape) if isinstance(rows, slice) else left.new_zeros(shape)
    if not isinstance(rows, slice):
        return out.index_add_(0, rows, left @ right)
    start, stop, _ = rows.indices(shape[0])
    out[:start] = 0
    torch.mm(left, right, out=out[start:stop])
    out[stop:] = 0
    return out


def layer_losses(
    features: Tensor,
    weight: Tensor,
    a: Tensor,
    log_p: Tensor,
    target: Tensor,
    one_hot: Tensor,
    per_channel: Tensor,
    rows: Rows,
    detach_aux: bool,
) -> tuple[Tensor, Tensor]:
    """L_aux and L_gate (eq. 9, and 12 and 13 in the literal reading), differentiable once.

    Args:
        features: global features of all samples [M, C], which the gradient goes to.
        weight: decision weights [K, C], likewise.
        a: the labelled samples' features [N, C], as `take` gives them.
        log_p: log-softmax of the logits a Wᵀ [N, K].
        target: one-hot labels, each row times its share of the total weight [N, K].
        one_hot: the labels [N, K].
        per_channel: what a unit of response costs: G divided by its row sums and by N [K, C].
        rows: the labelled samples; a slice has step 1.
        detach_aux: keep the gradient of L_aux from the features.
    """
    return _LayerLosses.apply(  # pyright: ignore
        *(features, weight, a.detach(), log_p, target, one_hot, per_channel, rows, detach_aux)
    )
