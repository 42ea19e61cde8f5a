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
from aiec_graph.core.functional import gate_cost
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
    weights = [layer.decision.weight for layer in layers if layer.decision is not None]
    seen = [layer._let_through for layer in layers]
    classes = {layer.num_classes for layer in layers}
    return (
        native.usable(logits, terms.class_weight, *weights, *seen)
        and y.device.type == "cpu"
        and y.is_contiguous()
        and y.shape == logits.shape[:1]
        and classes <= {logits.shape[1]}
        and all(layer.gate_norm == "abs" for layer in layers)
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
            a = take(features, rows)
            seen = native.judge(a, y, weight, own, layer.count == "all")
            assert layer.counter is not None
            layer.counter.add(seen.theta, seen.phi)
            cost = gate_cost(layer.gates(), a)
            aux += seen.loss / seen.mass
            gate += float((cost * seen.response).sum())
            ctx.layers.append((features, weight, seen.by_logits, seen.mass, cost, layer.detach_aux))
        if layers:
            aux, gate = aux / len(layers), gate / len(layers)
        total = task + terms.lambda_aux * aux + terms.lambda_gate * gate
        ctx.set_materialize_grads(False)
        return tuple(logits.new_tensor(value) for value in (total, task, aux, gate))  # pyright: ignore

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore
        total, task, aux, gate = (0.0 if g is None else float(g) for g in grad_outputs)
        by_logits, mass = ctx.task
        found: list[Tensor | None] = []
        for features, weight, by_decision, own_mass, cost, detached in ctx.layers:
            count, terms = len(ctx.layers), ctx.terms
            start = 0 if ctx.rows is None else ctx.rows.indices(len(features))[0]
            found += native.judge_back(
                *(take(features, ctx.rows), ctx.y, weight, by_decision, cost),
                (aux + terms.lambda_aux * total) / (count * own_mass),
                (gate + terms.lambda_gate * total) / count,
                *(not detached, len(features), start),
            )
        return by_logits * ((total + task) / mass), None, None, None, None, *found


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
