"""The baselines of the paper's Table 8: L0 on activations, and attention over channels and places.

Each takes the place of an activation: it activates, then weighs what it let through.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from timm.layers.cbam import CbamModule
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.errors import InputError

# The constants of Louizos et al. (2018): temperature and the interval that is stretched to.
BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
OPEN_AT_FIRST = 0.9  # share of the gates that are open before training


class HardConcrete(ChannelwiseActivation):
    """An activation whose channels pass gates that an L0 penalty closes (Louizos et al., 2018).

    In training each channel's gate is drawn anew in each forward pass; in eval mode it has its
    expected place. `penalty` belongs into the loss.
    """

    activate: Callable[[Tensor], Tensor]

    def __init__(self, num_channels: int | None = None) -> None:
        super().__init__()
        self.log_alpha: nn.Parameter | None = None
        if num_channels is not None:
            self.build(num_channels)

    @property
    def is_built(self) -> bool:
        return self.log_alpha is not None

    def build(self, num_channels: int) -> None:
        first = math.log(OPEN_AT_FIRST / (1 - OPEN_AT_FIRST))
        self.log_alpha = nn.Parameter(torch.full((num_channels,), first))

    def gates(self) -> Tensor:
        """The gates [C], within 0 and 1."""
        logits = self._log_alpha()
        if self.training:
            tiny = torch.finfo(logits.dtype).eps
            u = torch.rand_like(logits).clamp(tiny, 1 - tiny)
            logits = (torch.logit(u) + logits) / BETA
        return (logits.sigmoid() * (ZETA - GAMMA) + GAMMA).clamp(0, 1)

    def penalty(self) -> Tensor:
        """The expected share of open gates, a scalar."""
        return (self._log_alpha() - BETA * math.log(-GAMMA / ZETA)).sigmoid().mean()

    def forward(self, x: Tensor) -> Tensor:
        shape = [1] * x.dim()
        shape[self.channel_dim(x)] = -1
        return self.activate(x) * self.gates().to(x.dtype).view(shape)

    def _log_alpha(self) -> Tensor:
        if self.log_alpha is None:
            raise RuntimeError("this activation does not know its number of channels: use convert")
        return self.log_alpha


class ReLUL0(HardConcrete):
    """ReLU with hard-concrete gates."""

    activate = staticmethod(F.relu)


class GELUL0(HardConcrete):
    """GELU with hard-concrete gates."""

    activate = staticmethod(F.gelu)


class _Attention(ChannelwiseActivation):
    """ReLU, and a block that weighs what it let through."""

    make_block: Callable[[int], nn.Module]

    def __init__(self, num_channels: int | None = None) -> None:
        super().__init__()
        self.block: nn.Module | None = None
        if num_channels is not None:
            self.build(num_channels)

    @property
    def is_built(self) -> bool:
        return self.block is not None

    def build(self, num_channels: int) -> None:
        self.block = self.make_block(num_channels)

    def weigh(self, maps: Tensor) -> Tensor:
        """The block on maps [N, C, H, W]."""
        if self.block is None:
            raise RuntimeError("this activation does not know its number of channels: use convert")
        return self.block(maps)


class SqueezeExcite(_Attention):
    """ReLU and SENet's block (Hu et al., 2018); tokens are squeezed as the places of a map are."""

    make_block = SEModule

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        if x.dim() == 4:
            return self.weigh(x)
        if x.dim() == 3:
            return self.weigh(x.mT.unsqueeze(3)).squeeze(3).mT
        return self.weigh(x[:, :, None, None])[:, :, 0, 0]


class CBAM(_Attention):
    """ReLU and the convolutional block attention module (Woo et al., 2018), for maps alone.

    Raises:
        InputError: it is given anything but maps [N, C, H, W].
    """

    make_block = CbamModule

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise InputError(
                "cbam convolves over maps [N, C, H, W] and cannot take the place of an activation "
                f"on a tensor of shape {list(x.shape)}; it fits convolutional networks alone"
            )
        return self.weigh(F.relu(x))
