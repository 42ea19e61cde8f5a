"""The whole objective as one autograd function on compiled kernels.

Each AIEC layer costs one pass over its labelled rows and one on the way back. It computes what
`objective` composes of torch's operations, in the commonest case: float32 on the CPU, the literal
gate loss, labelled samples that lie together, one process.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aiec_graph import native
from aiec_graph.core.aiec import AIEC
from aiec_graph.core.functional import gate_table
from aiec_graph.core.layer_losses import Rows, take


class Terms(NamedTuple):
    """How the objective weighs its parts; the names are `AIECLoss`'s."""

    lambda_aux: float
    lambda_gate: float
    class_weight: Tensor | None
    weigh_aux: bool


def usable(logits: Tensor, y: Tensor, rows: Rows, layers: list[AIEC], terms: Terms) -> bool:
    """Whether `losses` takes this batch."""
    if isinstance(rows, Tensor) or len(y) == 0 or y.dtype != torch.int64 or logits.dim() != 2:
        return False
    if rows is not None and rows.step not in (None, 1):
        return False
    counts, floats = [y], [logits, terms.class_weight]
    for layer in layers:
        if layer.gate_norm != "abs" or layer.num_classes != logits.shape[1]:
            return False
        if layer.decision is not None and layer.counter is not None:
            counts += [layer.counter.theta, layer.counter.phi]
            floats.append(layer.decision.weight)
        if layer._let_through is not None:
            floats.append(layer._let_through.features)
    return (
        native.usable(*floats)
        and all(x.is_cpu and x.is_contiguous() for x in counts)
        and y.shape == logits.shape[:1]
        and native.in_range(y, logits.shape[1])
    )


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        y: Tensor,
        rows: Rows,
        layers: list[AIEC],
        terms: Terms,
        *inputs: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        loss, mass, by_logits = native.cross_entropy(logits, y, terms.class_weight)
        task, aux, gate = loss / mass, 0.0, 0.0
        ctx.task = (by_logits, mass)
        ctx.y, ctx.rows, ctx.terms = y, rows, terms
        ctx.layers = []
        own = terms.class_weight if terms.weigh_aux else None
        for i, layer in enumerate(layers):
            features, weight = inputs[2 * i], inputs[2 * i + 1]
            counter, table = layer.counter, gate_table(layer.gate.mode)
            assert counter is not None
            counts = (layer.count == "all", table, counter.theta, counter.phi)
            seen = native.judge(take(features, rows), y, weight, own, *counts)
            aux += seen.aux / seen.mass
            gate += seen.gate
            ctx.layers.append((features, weight, seen, layer.detach_aux))
        if layers:
            aux, gate = aux / len(layers), gate / len(layers)
        total = task + terms.lambda_aux * aux + terms.lambda_gate * gate
        ctx.set_materialize_grads(False)
        return tuple(torch.tensor(v, dtype=torch.float32) for v in (total, task, aux, gate))  # pyright: ignore

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore
        # What is added beyond autograd's sight must not be differentiated, nor asked for.
        ctx.may_hand_on = not torch.is_grad_enabled() and _is_for_all_leaves(ctx)
        return _back(ctx, *grad_outputs)


@once_differentiable
def _back(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
    total, task, aux, gate = (0.0 if g is None else float(g) for g in grad_outputs)
    by_logits, mass = ctx.task
    found: list[Tensor | None] = []
    count, terms = len(ctx.layers), ctx.terms
    for features, weight, seen, detached in ctx.layers:
        of_aux = (aux + terms.lambda_aux * total) / (count * seen.mass)
        of_gate = (gate + terms.lambda_gate * total) / count
        inward = torch.zeros_like(weight) if detached else weight * of_aux
        parts = (seen.by_logits, inward, seen.cost * of_gate)
        found += [
            _by_features(features, ctx.y, ctx.rows, ctx.may_hand_on, *parts),
            seen.by_weight * of_aux,
        ]
    return by_logits * ((total + task) / mass), None, None, None, None, *found


def _by_features(
    features: Tensor,
    y: Tensor,
    rows: Rows,
    may_hand_on: bool,
    by_logits: Tensor,
    weight: Tensor,
    cost: Tensor,
) -> Tensor | None:
    """The gradient by_logits · weight + cost[y] at the labelled rows, 0 elsewhere.

    Left to the node that made the features, if it offers to add it to what it gets: that spares
    the matrix, mostly zeros, which autograd would add to the gradient that comes from the next
    layer. Who watches the gradient of the features gets it whole.

    Returns:
        [M, C]; None where the node has it.
    """
    node = features.grad_fn
    watched = features._backward_hooks or features.retains_grad
    if may_hand_on and hasattr(node, "addend") and not watched:
        start = 0 if rows is None else rows.indices(len(features))[0]
        node.addend = native.Addend(y, start, by_logits, weight, cost)
        return None
    whole = torch.zeros_like(features)
    torch.addmm(cost[y], by_logits, weight, out=take(whole, rows))
    return whole


def _is_for_all_leaves(node: Any) -> bool:
    """Whether the backward pass under way is a plain one, not for the sake of some inputs alone."""
    leaf = node.next_functions[-1][0]
    try:
        return leaf is not None and torch._C._will_engine_execute_node(leaf)
    except RuntimeError:  # the leaf is itself one of these inputs
        return False


def losses(
    logits: Tensor, y: Tensor, rows: Rows, layers: list[AIEC], terms: Terms
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Judges the last forward pass; the arguments are `AIECLoss.forward`'s.

    Args:
        logits: [N, K].
        y: [N].
        rows: a slice, or None for all.
        layers: the model's AIEC layers in training.
        terms: of the objective.

    Returns:
        Total, task, mean auxiliary and mean gate loss; differentiable once.

    Raises:
        RuntimeError: as `AIEC.release`.
    """
    inputs: list[Tensor] = []
    for layer in layers:
        features = layer.release()
        assert layer.decision is not None
        inputs += [features, layer.decision.weight]
    return _Losses.apply(logits, y, rows, layers, terms, *inputs)  # pyright: ignore
