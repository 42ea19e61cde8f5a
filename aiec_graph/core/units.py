"""The four units of AIEC: threshold, counting, decision and gatekeeping."""

import torch
from torch import Tensor, nn

from aiec_graph.core import functional as F
from aiec_graph.errors import look_up


class ThresholdActivation(nn.Module):
    """TAU: passes what exceeds the threshold (eq. 1, 2). All that is left of AIEC at inference.

    Args:
        tau: the threshold, τ ≥ 0; at 0 the unit is ReLU.

    Raises:
        ValueError: τ is negative or NaN, now or when it is set later.
    """

    def __init__(self, tau: float = 0.0) -> None:
        super().__init__()
        self.tau = tau

    @property
    def tau(self) -> float:
        """The threshold."""
        return self._tau

    @tau.setter
    def tau(self, tau: float) -> None:
        if not tau >= 0:
            raise ValueError(f"tau must be at least 0, not {tau}")
        self._tau = tau

    def forward(self, x: Tensor) -> Tensor:
        return F.threshold(x, self._tau)

    def extra_repr(self) -> str:
        return f"tau={self.tau}"


class ActivationCounter(nn.Module):
    """ACU: counts per class which channels fire (eq. 4 to 6).

    Args:
        num_channels: C.
        num_classes: K.

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
        """Adds the counts of a batch, θ [K, C] and φ [K]."""
        self.theta += theta
        self.phi += phi

    @property
    def firing_rate(self) -> Tensor:
        """Relative firing rate v [K, C] (eq. 6); NaN for a class without a counted sample."""
        return F.firing_rate(self.theta, self.phi)


class DecisionUnit(nn.Module):
    """DMU: a bias-free linear classifier on the global feature (eq. 8 to 10).

    Args:
        num_channels: C.
        num_classes: K.

    Attributes:
        weight: the decision weights W [K, C].
    """

    def __init__(self, num_channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, num_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new decision weights."""
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, a: Tensor) -> Tensor:
        """Returns the logits [N, K] of global features `a` [N, C]."""
        # One class after the other in memory: a softmax over the long samples is then ten times
        # as fast as over rows of a few classes.
        return (self.weight.to(a.dtype) @ a.T).T


class ConsensusGate(nn.Module):
    """CGU: which channels both assessments call irrelevant to a class (eq. 7, 10 and 11).

    Args:
        mode: "consensus", or one of the ablations of the paper's Table 3.

    Raises:
        ValueError: the mode is unknown.
    """

    def __init__(self, mode: str = "consensus") -> None:
        super().__init__()
        look_up(mode, F.GATES, "gate")
        self.mode = mode

    def forward(self, theta: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
        """Returns G [K, C], boolean, from θ [K, C], φ [K] and W [K, C]."""
        return F.gate(theta, phi, weight, self.mode)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}"
