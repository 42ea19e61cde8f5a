"""Generalised divisive normalisation as an activation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.layout import check_layout

# Parameters are stored as square roots, which keeps β and γ non-negative without a projection.
# The pedestal keeps the gradient of a zero γ alive; the floor keeps the denominator positive.
PEDESTAL = 2.0**-36
BETA_FLOOR = 1e-6


class GDN(ChannelwiseActivation):
    """GDN: y_i = x_i / sqrt(β_i + Σ_j γ_ij x_j²) over the channels (Ballé et al., 2016).

    β starts at 1 and γ at 0.1 times the identity; both stay non-negative.

    Args:
        num_channels: C, or None to build later.
        layout: where the channels are: "NC", "NLC", "NCL", "NCHW" or "NHWC". By default vectors
            are [N, C], tokens [N, T, C] and maps [N, C, H, W].

    Shape:
        As `layout` says; the output has the input's shape.

    Raises:
        ValueError: the layout is unknown, or an input has another number of dimensions.
    """

    root_beta: nn.Parameter | None
    root_gamma: nn.Parameter | None

    def __init__(self, num_channels: int | None = None, layout: str | None = None) -> None:
        super().__init__()
        check_layout(layout)
        self.layout = layout
        self.register_parameter("root_beta", None)
        self.register_parameter("root_gamma", None)
        if num_channels is not None:
            self.build(num_channels)

    @property
    def is_built(self) -> bool:
        return self.root_gamma is not None

    def build(self, num_channels: int) -> None:
        self.root_beta = nn.Parameter(torch.empty(num_channels))
        self.root_gamma = nn.Parameter(torch.empty(num_channels, num_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        if self.root_beta is not None and self.root_gamma is not None:
            with torch.no_grad():
                self.root_beta.fill_((1 - BETA_FLOOR) ** 0.5)
                self.root_gamma.copy_((0.1 * torch.eye(len(self.root_beta)) + PEDESTAL).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        if self.root_beta is None or self.root_gamma is None:
            raise RuntimeError("this GDN does not know its number of channels: call build first")
        beta = self.root_beta.square() + BETA_FLOOR
        gamma = self.root_gamma.square()
        energy = x.square()
        if self.channel_dim(x) == x.dim() - 1:
            pooled = F.linear(energy, gamma, beta)
        elif x.dim() == 4:
            pooled = F.conv2d(energy, gamma[:, :, None, None], beta)
        else:
            pooled = F.conv1d(energy, gamma[:, :, None], beta)
        return x * pooled.rsqrt()

    def extra_repr(self) -> str:
        return "unbuilt" if self.root_beta is None else f"{len(self.root_beta)}"
