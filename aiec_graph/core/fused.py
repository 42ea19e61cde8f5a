"""The whole objective as one autograd function on compiled kernels.

Each AIEC layer costs one pass over its labelled rows and one on the way back. It computes what
`objective` composes of torch's operations, in the commonest case: float32 on the CPU, the literal
gate loss, labelled samples that lie together, one process.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aiec_graph import ops
from aiec_graph.core.aiec import AIEC, ConsensusGate
from aiec_graph.core.functional import gate_table
from aiec_graph.core.layer_losses import Rows, take


class Terms(NamedTuple):
    """How the objective weighs its parts; the names are `AIECLoss`'s."""

    lambda_aux: float
    lambda_gate: float
    class_weight: Tensor | None
    weigh_aux: bool


class _Site(NamedTuple):
    """One AIEC layer as the kernels take it."""

    features: Tensor
    weight: Tensor
    count_all: bool
    gate_table: tuple[int, bool]
    theta: Tensor
    phi: Tensor
    detach_aux: bool


def _sites(
    logits: Tensor, y: Tensor, rows: Rows, layers: list[AIEC], terms: Terms
) -> list[_Site] | None:
    """The layers; None where the kernels are not made for this batch."""
    if isinstance(rows, Tensor) or len(y) == 0 or y.dtype != torch.int64 or logits.dim() != 2:
        return None
    if rows is not None and rows.step not in (None, 1):
        return None
    sites: list[_Site] = []
    counts, floats = [y], [logits, terms.class_weight]
    for layer in layers:
        decision, counter, seen = layer.decision, layer.counter, layer._let_through
        if decision is None or counter is None or seen is None:
            return None
        gate = layer.gate
        if type(layer) is not AIEC or type(gate) is not ConsensusGate:
            return None  # they may count and gate in a way of their own
        if layer.gate_norm != "abs" or layer.num_classes != logits.shape[1]:
            return None
        weight, theta, phi = decision.weight, counter.theta, counter.phi
        counts += [theta, phi]
        floats += [weight, seen.features]
        table = gate_table(gate.mode)
        parts = (layer.count == "all", table, theta, phi, layer.detach_aux)
        sites.append(_Site(seen.features, weight, *parts))
    made_for = (
        ops.usable(*floats)
        and all(x.is_cpu and x.is_contiguous() for x in counts)
        and y.shape == logits.shape[:1]
        and ops.in_range(y, logits.shape[1])
    )
    return sites if made_for else None


class _Losses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        y: Tensor,
        rows: Rows,
        sites: list[_Site],
        terms: Terms,
        *_: Tensor,  # features and weights of the sites, for autograd to see
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        by_logits, task = ops.cross_entropy(logits, y, terms.class_weight)
        own = terms.class_weight if terms.weigh_aux else None
        judged: list[ops.Judged] = []
        for site in sites:
            counts = (site.count_all, site.gate_table, site.theta, site.phi)
            judged.append(ops.judge(take(site.features, rows), y, site.weight, own, *counts))
        ctx.seen = by_logits, task, y, rows, sites, judged, terms
        ctx.set_materialize_grads(False)
        sums = [seen.sums for seen in judged]
        return ops.objective(task, sums, terms.lambda_aux, terms.lambda_gate)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore
        # What is added beyond autograd's sight must not be differentiated, nor asked for.
        ctx.may_hand_on = not torch.is_grad_enabled() and _is_for_all_leaves(ctx)
        return _back(ctx, *grad_outputs)


@once_differentiable
def _back(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
    total, own, aux, gate = (0.0 if g is None else g.item() for g in grad_outputs)
    by_logits, (_, mass, _), y, rows, sites, judged, terms = ctx.seen
    found: list[Tensor | None] = []
    for site, seen in zip(sites, judged, strict=True):
        of_aux = (aux + terms.lambda_aux * total) / (len(sites) * seen.sums[1])
        of_gate = (gate + terms.lambda_gate * total) / len(sites)
        part = ops.Addend(
            *(y, 0 if rows is None else rows.indices(site.features.shape[0])[0]),
            *(seen.by_logits, site.weight, 0.0 if site.detach_aux else of_aux),
            *(seen.cost, of_gate),
        )
        found += [
            _by_features(site.features, part, ctx.may_hand_on),
            ops.scaled(seen.by_weight, of_aux),
        ]
    return ops.scaled(by_logits, (total + own) / mass), None, None, None, None, *found


def _by_features(features: Tensor, part: ops.Addend, may_hand_on: bool) -> Tensor | None:
    """The losses' gradient by the features [M, C]; None where another node sees to it.

    That is the one that made the features, if it offers to add a part to the gradient it gets: so
    no matrix, mostly zeros, has to be made and added to the gradient that comes from the next
    layer. Who watches the gradient of the features gets it whole.
    """
    node: Any = features.grad_fn
    watched = features._backward_hooks or features.retains_grad
    if may_hand_on and hasattr(node, "addend") and not watched:
        node.addend = part
        return None
    whole = torch.zeros_like(features)
    whole[part.start : part.end] = part.matrix()
    return whole


def _is_for_all_leaves(node: Any) -> bool:
    """Whether the backward pass under way is a plain one, not for the sake of some inputs alone."""
    leaf = node.next_functions[-1][0]
    try:
        return leaf is not None and torch._C._will_engine_execute_node(leaf)  # pyright: ignore
    except RuntimeError:  # the leaf is itself one of these inputs
        return False


def losses(
    logits: Tensor, y: Tensor, rows: Rows, layers: list[AIEC], terms: Terms
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Judges the last forward pass; the arguments are `AIECLoss.forward`'s.

    Args:
        logits: [N, K].
        y: [N].
        rows: a slice, or None for all.
        layers: the model's AIEC layers in training.
        terms: of the objective.

    Returns:
        Total, task, mean auxiliary and mean gate loss; differentiable once. None, and nothing
        done, where the kernels are not made for this batch.

    Raises:
        RuntimeError: as `AIEC.release`.
    """
    sites = _sites(logits, y, rows, layers, terms)
    if sites is None:
        return None
    for layer in layers:
        layer.release()
    inputs = [x for site in sites for x in site[:2]]
    return _Losses.apply(logits, y, rows, sites, terms, *inputs)  # pyright: ignore
