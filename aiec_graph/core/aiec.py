"""AIEC, the activation with intrinsic-extrinsic consensus, and its four units."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from aiec_graph.core import functional as F
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.layer_losses import Rows, layer_losses, take
from aiec_graph.errors import look_up


class ThresholdActivation(nn.Module):
    """TAU: passes what exceeds the threshold (eq. 1, 2). All that is left of AIEC at inference.

    Args:
        tau: the threshold, τ ≥ 0; at 0 the unit is ReLU.
    """

    def __init__(self, tau: float = 0.0) -> None:
        super().__init__()
        if not tau >= 0:
            raise ValueError(f"tau must be at least 0, not {tau}")
        self.tau = tau

    def forward(self, x: Tensor) -> Tensor:
        return F.threshold(x, self.tau)

    def extra_repr(self) -> str:
        return f"tau={self.tau}"


class ActivationCounter(nn.Module):
    """ACU: counts per class which channels fire (eq. 4 to 6).

    Attributes:
        theta: activations [K, C], int64, so that no dtype or autocast setting rounds them.
        phi: counted samples [K], int64. The inhibitions η are φ − θ.
    """

    theta: Tensor
    phi: Tensor

    def __init__(self, num_channels: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("theta", torch.zeros(num_classes, num_channels, dtype=torch.long))
        self.register_buffer("phi", torch.zeros(num_classes, dtype=torch.long))

    def reset(self) -> None:
        """Clears the counters, as is done when an epoch begins."""
        self.theta.zero_()
        self.phi.zero_()

    def add(self, theta: Tensor, phi: Tensor) -> None:
        """Adds the counts of a batch."""
        self.theta += theta
        self.phi += phi

    @property
    def firing_rate(self) -> Tensor:
        """Relative firing rate v [K, C] (eq. 6); NaN for a class without a counted sample."""
        return F.firing_rate(self.theta, self.phi)


class DecisionUnit(nn.Module):
    """DMU: a bias-free linear classifier on the global feature (eq. 8 to 10).

    Attributes:
        weight: the decision weights W [K, C].
    """

    def __init__(self, num_channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, num_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, a: Tensor) -> Tensor:
        """Returns the logits [N, K] of global features `a` [N, C]."""
        return a @ self.weight.T.to(a.dtype)


class ConsensusGate(nn.Module):
    """CGU: which channels both assessments call irrelevant to a class (eq. 7, 10 and 11).

    Args:
        mode: "consensus", or one of the ablations of the paper's Table 3.
    """

    def __init__(self, mode: str = "consensus") -> None:
        super().__init__()
        look_up(mode, F.GATES, "gate")
        self.mode = mode

    def forward(self, theta: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
        """Returns G [K, C], boolean."""
        return F.gate(theta, phi, weight, self.mode)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}"


class LetThrough(NamedTuple):
    """What the forward passes since the last step left for the objective."""

    features: Tensor
    """Global features of all samples of the last one [M, C], with their gradient."""
    output: Tensor
    version: int
    """Of the output, when it was put out."""
    calls: int
    """Forward passes."""


class Evidence(NamedTuple):
    """What one layer saw in one batch, before the counters and the gates know of it."""

    features: Tensor
    """Global features of all samples [M, C], with their gradient, float32 or wider."""
    a: Tensor
    """Those of the labelled samples [N, C]."""
    log_p: Tensor
    """Log-probabilities that the decision unit gives them [N, K], without gradient."""
    theta: Tensor
    """Activations of the batch [K, C]."""
    phi: Tensor
    """Counted samples of the batch [K]."""


COUNTS = ("correct", "all")


class AIEC(ChannelwiseActivation):
    """Activation with intrinsic-extrinsic consensus.

    The forward pass is a threshold and nothing else. In training mode it also keeps a reference
    to what it let through; `AIECLoss` then judges it where the labels are at hand. So no label
    travels through a forward signature, and any module that takes an activation takes this one.
    Each site of a network needs an instance of its own.

    Args:
        num_channels: C. None leaves the units unbuilt until `build`, which `convert` and
            `build_activations` call once they have seen the width.
        num_classes: K ≥ 2.
        tau: threshold of the TAU.
        gate: mode of the CGU: "consensus", "union", "intrinsic", "extrinsic", "all" or "none".
        count: whether the ACU counts the samples that the DMU classifies "correct"ly, or "all".
        gate_norm: reading of eq. 13: "abs", "vector", "square" or "batch" (`functional.gate_loss`).
        detach_aux: keep the auxiliary loss from flowing into the features.
        pooling: global feature of a token sequence: "mean" or "class_token".

    Shape:
        Nodes [N, C], maps [N, C, H, W] or tokens [N, T, C]; the output has the input's shape.

    Raises:
        ValueError: an option is outside its set.
    """

    def __init__(
        self,
        num_channels: int | None = None,
        num_classes: int = 2,
        *,
        tau: float = 0.0,
        gate: str = "consensus",
        count: str = "correct",
        gate_norm: str = "abs",
        detach_aux: bool = False,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, not {num_classes}")
        for option, value, known in (
            ("count", count, COUNTS),
            ("gate_norm", gate_norm, F.GATE_NORMS),
            ("pooling", pooling, F.POOLINGS),
        ):
            if value not in known:
                raise ValueError(f"{option} must be one of {', '.join(known)}, not {value!r}")
        self.num_classes = num_classes
        self.count = count
        self.gate_norm = gate_norm
        self.detach_aux = detach_aux
        self.pooling = pooling
        self.threshold = ThresholdActivation(tau)
        self.tau = tau
        self.gate = ConsensusGate(gate)
        self.counter: ActivationCounter | None = None
        self.decision: DecisionUnit | None = None
        self._let_through: LetThrough | None = None
        if num_channels is not None:
            self.build(num_channels)

    @property
    def is_built(self) -> bool:
        return self.decision is not None

    def build(self, num_channels: int) -> None:
        self.counter = ActivationCounter(num_channels, self.num_classes)
        self.decision = DecisionUnit(num_channels, self.num_classes)

    def reset_parameters(self) -> None:
        """Draws new decision weights and clears the counters."""
        if self.decision is not None and self.counter is not None:
            self.decision.reset_parameters()
            self.counter.reset()

    def forward(self, x: Tensor) -> Tensor:
        # Not through the unit's own call: that would cost a fifth of a small ReLU.
        return self.adopt(F.threshold(x, self.tau))

    def adopt(self, activated: Tensor) -> Tensor:
        """Takes what another operation thresholded at τ as this layer's own output."""
        if self.training:
            self._remember(activated)  # pyright: ignore
        return activated

    @torch.compiler.disable
    def _remember(self, out: Tensor) -> None:
        # A forward without gradient is no training step, and one inside a backward pass is a
        # recomputation by gradient checkpointing: neither is to be judged (again).
        if torch.is_grad_enabled() and torch._C._current_graph_task_id() == -1:
            # Pooled here and not by the objective, so that autograd reaches the pooling together
            # with the layer: from the objective, it would spread the gradients of all layers over
            # their maps first and hold them all at once.
            wide = torch.promote_types(out.dtype, torch.float32)
            features = F.global_feature(out, self.pooling, wide)
            calls = 1 if self._let_through is None else self._let_through.calls + 1
            # Past nn.Module's way of setting attributes, which costs as much as a small layer.
            self.__dict__["_let_through"] = LetThrough(features, out, out._version, calls)

    def forget(self) -> None:
        """Drops what the last forward left for the objective."""
        self.__dict__["_let_through"] = None

    def release(self) -> Tensor:
        """Gives up the global features [M, C] that the last forward left, with their gradient.

        Raises:
            RuntimeError: the layer is unbuilt, saw no forward with gradients since the last
                step, saw several, or its output was changed in place.
        """
        seen = self._let_through
        self.forget()
        if self.decision is None:
            raise RuntimeError(
                "this AIEC does not know its number of channels: give num_channels, or pass the "
                "model through convert or build_activations"
            )
        if seen is None:
            raise RuntimeError(
                "AIEC saw no forward pass since the last step: run the model in training mode "
                "with gradients enabled, once before each call of the objective (gradient "
                "checkpointing needs use_reentrant=False)"
            )
        if seen.calls > 1:
            raise RuntimeError(
                f"AIEC ran {seen.calls} times since the last step: give each site an instance of "
                "its own, and call the objective (or its forget method) after each forward pass"
            )
        if seen.output._version != seen.version:
            raise RuntimeError(
                "the output of AIEC was changed in place after the layer; use the out-of-place form"
            )
        return seen.features

    def observe(self, one_hot: Tensor, rows: Rows) -> Evidence:
        """Takes the batch that the last forward saw; the counters stay as they are.

        Args:
            one_hot: labels of the labelled samples [N, K], float32 or wider.
            rows: the labelled samples among those the layer saw.

        Raises:
            RuntimeError: as `release`.
        """
        features = self.release().to(one_hot.dtype)
        assert self.decision is not None
        with torch.no_grad():
            a = take(features, rows)
            logits = self.decision(a)
            counted = one_hot
            if self.count == "correct":
                counted = one_hot * one_hot.gather(1, logits.argmax(1, keepdim=True))
            theta, phi = F.count_activations(a, counted)
        return Evidence(features, a, logits.log_softmax(1), theta, phi)

    def gates(self) -> Tensor:
        """G [K, C] from the counters and the decision weights as they are now.

        Raises:
            RuntimeError: the layer is unbuilt.
        """
        if self.counter is None or self.decision is None:
            raise RuntimeError("this AIEC is unbuilt and has no gates yet")
        return self.gate(self.counter.theta, self.counter.phi, self.decision.weight)

    def gate_cost(self, gates: Tensor, seen: Evidence, one_hot: Tensor) -> Tensor:
        """What a unit of response adds to L_gate [K, C] (eq. 13), without gradient.

        Args:
            gates: G [K, C].
            seen: as for `losses`.
            one_hot: as for `observe`.
        """
        return F.gate_cost(gates, one_hot)

    def losses(
        self, seen: Evidence, rows: Rows, one_hot: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Counts the batch, derives the gates and returns L_aux and L_gate.

        Args:
            seen: what `observe` gave, the counts summed over all processes.
            rows: as for `observe`.
            one_hot: as for `observe`.
            target: the labels, each row times its share of the samples' total weight [N, K].

        Raises:
            RuntimeError: the layer is unbuilt.
        """
        if self.counter is not None:
            self.counter.add(seen.theta, seen.phi)
        gates = self.gates()
        assert self.decision is not None
        literal = self.gate_norm == "abs"
        cost = self.gate_cost(gates if literal else torch.zeros_like(gates), seen, one_hot)
        weight = self.decision.weight.to(one_hot.dtype)
        parts = (seen.a, seen.log_p, target, one_hot, cost, rows, self.detach_aux)
        aux, gate = layer_losses(seen.features, weight, *parts)
        if not literal:
            gate = F.gate_loss(take(seen.features, rows), one_hot, gates, self.gate_norm)
        return aux, gate

    def __getstate__(self) -> dict[str, object]:
        # What was let through belongs to a step under way: it is never copied or saved.
        return {**self.__dict__, "_let_through": None}

    def extra_repr(self) -> str:
        return (
            f"num_classes={self.num_classes}, count={self.count!r}, "
            f"gate_norm={self.gate_norm!r}, pooling={self.pooling!r}"
        )
