"""Hard-concrete gates on a graph network's channels, as a rival that also silences channels.

`--plugins research.l0 --act aiec:variant=l0,lambda_aux=0,lambda_gate=0.01` trains with them.
Louizos, Welling and Kingma, Learning sparse neural networks through L0 regularization (2018), eq.
10 to 12.
"""

from torch import Tensor

from aiec_graph.core.activations import register_variant
from aiec_graph.core.aiec import BatchStatistics
from aiec_graph.vision.baselines import ReLUL0
from research.variants import Variant


class L0(Variant):
    """ReLU whose channels pass hard-concrete gates; nothing of AIEC is in it but its place.

    L_gate is the expected share of open gates, and λ_gate its weight. L_aux takes no part in it and
    should have the weight 0.
    """

    is_random = True
    """The gates are drawn anew in each pass of the training."""

    def build(self, num_channels: int) -> None:
        super().build(num_channels)
        self.gated = ReLUL0(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.gated(x)
        if self.training:
            self.record(out)
        return out

    def gate_loss(self, statistics: BatchStatistics, gates: Tensor) -> Tensor:
        return self.gated.penalty()


register_variant("l0", L0)
