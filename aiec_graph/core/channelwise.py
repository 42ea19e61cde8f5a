"""The base of activations that hold something per channel and so must know the width."""

from torch import nn


class ChannelwiseActivation(nn.Module):
    """An activation with state or parameters per channel.

    It may be made before its width is known and is then built when the width is: by `convert`,
    by `build_activations`, or by hand.
    """

    @property
    def is_built(self) -> bool:
        """Whether the number of channels is known."""
        raise NotImplementedError

    def build(self, num_channels: int) -> None:
        """Makes the parameters and buffers for `num_channels` channels, on the CPU."""
        raise NotImplementedError
