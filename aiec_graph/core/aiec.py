"""AIEC, the activation with intrinsic-extrinsic consensus."""

from typing import NamedTuple

import torch
from torch import Tensor

from aiec_graph.core import functional as F
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.layout import check_layout
from aiec_graph.core.units import (
    ActivationCounter,
    ConsensusGate,
    DecisionUnit,
    ThresholdActivation,
)


class CapturedActivation(NamedTuple):
    """What the forward passes since the last step left for the penalty."""

    features: Tensor
    """Global features of all samples of the last pass [M, C], with their gradient."""
    output: Tensor
    """What the layer returned in that pass."""
    version: int | None
    """The output's version counter at that time; None under `torch.compile`, which has none."""
    calls: int
    """Number of forward passes."""


class BatchStatistics(NamedTuple):
    """What one layer knows of one batch before its counters and gates are updated."""

    features: Tensor
    """Global features of all samples [M, C], float32 or wider, with their gradient."""
    labelled: F.Index
    """Which of them are labelled."""
    one_hot: Tensor
    """Labels of the labelled samples [N, K], in the dtype of the features."""
    a: Tensor
    """Global features of the labelled samples [N, C], with their gradient."""
    logits: Tensor
    """The decision unit's logits for them [N, K], with their gradient."""
    theta: Tensor
    """Activations of the batch [K, C], int64."""
    phi: Tensor
    """Counted samples of the batch [K], int64."""
    layer: int = 0
    """The layer's position among the model's AIEC layers, in the order of its modules."""
    num_layers: int = 1
    """The number of these layers."""


COUNTS = ("correct", "all")


class AIEC(ChannelwiseActivation):
    """Activation with intrinsic-extrinsic consensus.

    The forward pass is a threshold and nothing else. In training mode it also keeps a reference
    to its output, the captured activation. `AIECPenalty`, or `AIECLoss` on top of it, then
    computes the losses where the labels are at hand. So no label travels through a forward
    signature, and any module that takes an activation takes this one. Each site of a network
    needs an instance of its own.

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
        layout: where the channels are: "NC", "NLC", "NCL", "NCHW" or "NHWC". By default nodes are
            [N, C], tokens [N, T, C] and maps [N, C, H, W].

    Shape:
        As `layout` says; the output has the input's shape.

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
        layout: str | None = None,
    ) -> None:
        super().__init__()
        check_layout(layout)
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
        self.layout = layout
        self.threshold = ThresholdActivation(tau)
        self.gate = ConsensusGate(gate)
        self.counter: ActivationCounter | None = None
        self.decision: DecisionUnit | None = None
        self._captured: CapturedActivation | None = None
        if num_channels is not None:
            self.build(num_channels)

    @property
    def tau(self) -> float:
        """The threshold of the TAU; setting it sets the unit's."""
        return self.threshold.tau

    @tau.setter
    def tau(self, tau: float) -> None:
        self.threshold.tau = tau

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
        out = self.threshold(x)
        if self.training:
            self.record(out)
        return out

    def record(self, output: Tensor) -> None:
        """Captures the output of a forward pass in training, for the penalty.

        A pass without gradient is no training step, and one inside of a backward pass is a
        recomputation by gradient checkpointing: both are ignored.
        """
        compiling = torch.compiler.is_compiling()
        # Torch itself tells recomputations so; there is no public function for it.
        recomputed = not compiling and torch._C._current_graph_task_id() != -1
        if recomputed or not torch.is_grad_enabled():
            return
        # Pooled here and not by the penalty, so that autograd reaches the pooling together with
        # the layer: from the penalty, it would spread the gradients of all layers over their
        # maps first and hold them all at once.
        wide = torch.promote_types(output.dtype, torch.float32)
        features = F.global_feature(output, self.pooling, wide, self.layout)
        version = None if compiling else output._version
        calls = 1 if self._captured is None else self._captured.calls + 1
        self._captured = CapturedActivation(features, output, version, calls)

    def clear(self) -> None:
        """Drops the captured activation."""
        self._captured = None

    def pop(self) -> Tensor:
        """Returns the captured global features [M, C], with their gradient, and drops them.

        Raises:
            RuntimeError: the layer is unbuilt, ran no forward pass with gradients since the last
                step, ran several, or its output was changed in place.
        """
        captured = self._captured
        self.clear()
        if self.decision is None:
            raise RuntimeError(
                "this AIEC does not know its number of channels: give num_channels, or pass the "
                "model through convert or build_activations"
            )
        if captured is None:
            raise RuntimeError(
                "AIEC ran no forward pass since the last step: run the model in training mode "
                "with gradients enabled, once before each call of the penalty (gradient "
                "checkpointing needs use_reentrant=False)"
            )
        if captured.calls > 1:
            raise RuntimeError(
                f"AIEC ran {captured.calls} times since the last step: give each site an instance "
                "of its own, and call the penalty (or its clear method) after each forward pass"
            )
        if captured.version is not None and captured.output._version != captured.version:
            raise RuntimeError(
                "the output of AIEC was changed in place after the layer; use the out-of-place form"
            )
        return captured.features

    def batch_statistics(self, one_hot: Tensor, index: F.Index = None) -> BatchStatistics:
        """Computes what the last forward pass tells of a batch; the counters stay as they are.

        Args:
            one_hot: labels of the labelled samples [N, K], as `functional.one_hot_labels` gives.
            index: the labelled samples among those of the pass, as for `functional.take`.

        Raises:
            RuntimeError: as `pop`.
            ValueError: `index` and `one_hot` disagree, or the features have another width.
        """
        features = self.pop()
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        a = F.take(features, index)
        assert self.decision is not None
        if len(a) != len(one_hot):
            raise ValueError(
                f"there are {len(one_hot)} labels for {len(a)} of the {len(features)} samples that "
                "AIEC saw: index must say which samples the labels belong to"
            )
        num_channels = self.decision.weight.shape[1]
        if a.shape[1] != num_channels:
            raise ValueError(
                f"this AIEC was built for {num_channels} channels, but its input has {a.shape[1]}: "
                "where they are in another dimension, give the layout (such as layout='NHWC')"
            )
        logits = self.decision(a.detach() if self.detach_aux else a)
        with torch.no_grad():
            one_hot = counted = one_hot.to(a.dtype)
            if self.count == "correct":
                counted = F.correctly_classified(one_hot, logits)
            theta, phi = F.count_activations(a, counted)
        return BatchStatistics(features, index, one_hot, a, logits, theta, phi)

    def gates(self) -> Tensor:
        """Computes G [K, C] from the counters and the decision weights as they are now.

        Raises:
            RuntimeError: the layer is unbuilt.
        """
        if self.counter is None or self.decision is None:
            raise RuntimeError("this AIEC is unbuilt and has no gates yet")
        return self.gate(self.counter.theta, self.counter.phi, self.decision.weight)

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        """Computes L_gate (eq. 12 and 13), a scalar, from the gates G [K, C]."""
        return F.gate_loss(statistics.a, statistics.one_hot, gates, self.gate_norm)

    def losses(self, statistics: BatchStatistics, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Counts the batch, derives the gates and computes L_aux and L_gate, both scalars.

        Args:
            statistics: of the batch, the counts summed over all processes.
            shares: what each sample counts in L_aux [N, K], in the column of its class: its weight
                over the total weight of the samples.

        Raises:
            RuntimeError: the layer is unbuilt.
        """
        if self.counter is not None:
            self.counter.add(statistics.theta, statistics.phi)
        aux = F.auxiliary_loss(statistics.logits, shares.to(statistics.logits.dtype))
        return aux, self.gate_loss(statistics, self.gates())

    def __getstate__(self) -> dict[str, object]:
        # The captured activation belongs to a step under way: it is never copied or saved.
        return {**self.__dict__, "_captured": None}

    def extra_repr(self) -> str:
        return (
            f"num_classes={self.num_classes}, count={self.count!r}, "
            f"gate_norm={self.gate_norm!r}, pooling={self.pooling!r}"
            + (f", layout={self.layout!r}" if self.layout else "")
        )
