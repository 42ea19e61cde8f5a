"""Variants of AIEC that are not the paper's: what was tried to make suppression pay on graphs.

None is ahead of the published method (docs/research/variants.md has every comparison), so none is
in the package. Each changes one thing about `AIEC` and keeps the rest. Importing this module makes
them known: `--plugins research.variants --act aiec:variant=share` trains with one. They count on
full batches: an epoch is one step, and `losses` is called once in it.

Shapes are those of the core: N labelled samples, M nodes, C channels, K classes.
"""

import torch
import torch.nn.functional as torch_F
from torch import Tensor

from aiec_graph.core import AIEC
from aiec_graph.core import functional as F
from aiec_graph.core.activations import register_variant
from aiec_graph.core.aiec import BatchStatistics

TINY = 1e-12
"""Keeps quotients of responses defined where there is none."""


class Variant(AIEC):
    """AIEC that knows the number of the step, and decides itself what is gated and how it counts.

    Args:
        num_channels: as for `AIEC`, and so the other arguments.
        num_classes: K.
        tau: threshold.
        count: "correct" or "all".
        detach_aux: keep the auxiliary loss from flowing into the features.
        pooling: global feature of a token sequence.
        layout: where the channels are.
        gate: the default and nothing else.
        gate_norm: the default and nothing else.

    Raises:
        ValueError: `gate` or `gate_norm` is given.
    """

    step = 0
    """Number of the training step, from 1."""

    def __init__(
        self,
        num_channels: int | None = None,
        num_classes: int = 2,
        *,
        tau: float = 0.0,
        count: str = "correct",
        detach_aux: bool = False,
        pooling: str = "mean",
        layout: str | None = None,
        gate: str = "consensus",
        gate_norm: str = "abs",
    ) -> None:
        for option, value, default in (
            ("gate", gate, "consensus"),
            ("gate_norm", gate_norm, "abs"),
        ):
            if value != default:
                raise ValueError(f"a variant decides itself about {option}: give one of them")
        super().__init__(
            num_channels,
            num_classes,
            tau=tau,
            count=count,
            detach_aux=detach_aux,
            pooling=pooling,
            layout=layout,
        )

    def losses(self, statistics: BatchStatistics, shares: Tensor) -> tuple[Tensor, Tensor]:
        self.step += 1
        return super().losses(statistics, shares)

    def assessments(self) -> tuple[Tensor, Tensor]:
        """Relative firing rates (0 where nothing was counted) and decision weights, both [K, C].

        The weights are in units of their class's standard deviation, so that a margin means the
        same in every layer.
        """
        assert self.counter is not None
        assert self.decision is not None
        weight = self.decision.weight.detach()
        spread = weight.std(1, keepdim=True) + TINY
        return self.counter.firing_rate.nan_to_num(0.0), weight / spread

    def counted(self) -> Tensor:
        """Which classes have a counted sample [K, 1]; the others have no gate."""
        assert self.counter is not None
        return (self.counter.phi > 0)[:, None]


# What the gate loss is measured by.


class Share(Variant):
    """Gated response over the whole response of a sample: within 0 and 1, free of scale.

    Nothing is gained by shrinking the relevant channels along with the irrelevant ones.
    """

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        a = statistics.a
        gated = ((a @ gates.to(a.dtype).T) * statistics.one_hot).sum(1)
        return (gated / (a.sum(1) + TINY)).sum() / max(len(a), 1)


class Scale(Variant):
    """Divided by the mean response of all channels, which takes no gradient."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) / (statistics.a.detach().mean() + TINY)


class Width(Variant):
    """λ_gate in proportion to the width, as given at 32 channels."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) * (gates.shape[1] / 32)


class Loss(Variant):
    """λ_gate in proportion to the layer's present auxiliary loss."""

    def losses(self, statistics: BatchStatistics, shares: Tensor) -> tuple[Tensor, Tensor]:
        aux, gate = super().losses(statistics, shares)
        return aux, gate * aux.detach()


class Gradient(Variant):
    """λ_gate 1 gives the gate loss the auxiliary loss's size of gradient by the features."""

    def losses(self, statistics: BatchStatistics, shares: Tensor) -> tuple[Tensor, Tensor]:
        aux, gate = super().losses(statistics, shares)
        assert self.decision is not None
        one_hot = statistics.one_hot
        with torch.no_grad():
            target = one_hot * shares
            probability = statistics.logits.softmax(1)
            by_logits = probability * target.sum(1, keepdim=True) - target
            of_aux = (by_logits @ self.decision.weight.to(one_hot.dtype)).norm()
            gates = self.gates().to(one_hot.dtype)
            share = gates / gates.sum(1, keepdim=True).clamp(min=1) / max(len(one_hot), 1)
            of_gate = (one_hot @ share).norm()
        return aux, gate * (of_aux / (of_gate + TINY))


class BeforeActivation(Variant):
    """Acts on softplus of what enters the threshold, so that silent channels are pushed as well."""

    entered: Tensor | None = None

    def clear(self) -> None:
        self.entered = None
        super().clear()

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "entered": None}

    def batch_statistics(self, one_hot: Tensor, index: F.Index = None) -> BatchStatistics:
        entered = self.entered
        statistics = super().batch_statistics(one_hot, index)  # which clears
        self.entered = entered
        return statistics

    def forward(self, x: Tensor) -> Tensor:
        self.entered = x if self.training else None
        return super().forward(x)

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        assert self.entered is not None
        response = torch_F.softplus(F.take(self.entered, statistics.labelled))
        self.entered = None
        return F.gate_loss(response, statistics.one_hot, gates)


class Balanced(Variant):
    """Every class's mean has the same weight, however rare the class is."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        one_hot = statistics.one_hot
        per_class = len(one_hot) / (one_hot.shape[1] * one_hot.sum(0).clamp(min=1))
        per_gated = per_class / gates.sum(1).clamp(min=1)
        response = one_hot.T @ statistics.a
        return (gates * response * per_gated[:, None]).sum() / max(len(one_hot), 1)


class AllNodes(Variant):
    """Over all nodes: one without a label counts for each class as its decision unit sees it."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        assert self.decision is not None
        index = statistics.labelled
        with torch.no_grad():
            belongs = self.decision(statistics.features).softmax(1)
            belongs[slice(None) if index is None else index] = statistics.one_hot
        return F.gate_loss(statistics.features, belongs, gates)


# When and where it acts.

RAMP = 50
"""Steps; gates settle within them (docs/research/channels.md)."""


class WarmUp(Variant):
    """λ_gate grows from 0 over the first `RAMP` steps."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) * min(1.0, (self.step - 1) / RAMP)


class Decay(Variant):
    """λ_gate falls to 0 over the first `RAMP` steps."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) * max(0.0, 1.0 - (self.step - 1) / RAMP)


class FirstLayer(Variant):
    """The first layer alone has a gate loss."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) * float(statistics.layer == 0)


class LastLayer(Variant):
    """The last layer alone has a gate loss."""

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return super().gate_loss(statistics, gates) * float(
            statistics.layer == statistics.num_layers - 1
        )


# What is gated.

MARGIN = 0.25
"""Of the relative firing rate, and of the decision weights in standard deviations."""


class Margin(Variant):
    """Both assessments must call a channel irrelevant by a margin."""

    def gates(self) -> Tensor:
        rate, weight = self.assessments()
        return (rate <= -MARGIN) & (weight <= -MARGIN) & self.counted()


class Hysteresis(Variant):
    """An assessment changes its mind only where it is off 0 by a margin."""

    verdicts: tuple[Tensor, Tensor] | None = None

    def gates(self) -> Tensor:
        rate, weight = self.assessments()
        if self.verdicts is None:
            self.verdicts = rate <= 0, weight <= 0
        before = zip((rate, weight), self.verdicts, strict=True)
        # One that stands falls above the margin; another arises below its negative.
        now = [torch.where(held, x <= MARGIN, x <= -MARGIN) for x, held in before]
        self.verdicts = now[0], now[1]
        return now[0] & now[1] & self.counted()


class Confidence(Variant):
    """Gates between 0 and 1: how sure the two assessments are, multiplied."""

    def gates(self) -> Tensor:
        rate, weight = self.assessments()
        sure = torch.sigmoid(-rate / MARGIN) * torch.sigmoid(-weight / MARGIN)
        return sure * self.counted()


class Memory(Variant):
    """Counters with an exponential average over the steps."""

    keeps = 0.9
    mean_theta: Tensor | None = None
    mean_phi: Tensor | None = None

    def losses(self, statistics: BatchStatistics, shares: Tensor) -> tuple[Tensor, Tensor]:
        dtype = statistics.a.dtype
        theta, phi = statistics.theta.to(dtype), statistics.phi.to(dtype)
        if self.mean_theta is not None and self.mean_phi is not None:
            theta, phi = theta + self.keeps * self.mean_theta, phi + self.keeps * self.mean_phi
        self.mean_theta, self.mean_phi = theta, phi
        return super().losses(statistics, shares)

    def gates(self) -> Tensor:
        if self.mean_theta is None or self.mean_phi is None or self.decision is None:
            return super().gates()
        return self.gate(self.mean_theta, self.mean_phi, self.decision.weight)


class Protect(Variant):
    """A channel that both assessments call relevant to another class is gated for none."""

    def gates(self) -> Tensor:
        rate, weight = self.assessments()
        irrelevant = (rate <= 0) & (weight <= 0)
        needed = ((rate > 0) & (weight > 0)).any(0)
        return irrelevant & ~needed & self.counted()


TRIED: dict[str, type[Variant]] = {
    "share": Share,
    "scale": Scale,
    "width": Width,
    "loss": Loss,
    "gradient": Gradient,
    "before_activation": BeforeActivation,
    "balanced": Balanced,
    "all_nodes": AllNodes,
    "warm_up": WarmUp,
    "decay": Decay,
    "first_layer": FirstLayer,
    "last_layer": LastLayer,
    "margin": Margin,
    "hysteresis": Hysteresis,
    "confidence": Confidence,
    "memory": Memory,
    "protect": Protect,
}

for _name, _cls in TRIED.items():
    register_variant(_name, _cls)
