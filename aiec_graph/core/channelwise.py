"""The base of activations that hold something per channel and so must know the width."""

from torch import Tensor, nn

from aiec_graph.core.layout import channel_dim


class ChannelwiseActivation(nn.Module):
    """An activation with state or parameters per channel.

    It may be made before its width is known and is then built when the width is: by `convert`,
    by `build_activations`, or by hand.
    """

    layout: str | None = None
    """Where the channels are: one of `layout.LAYOUTS`, or None for [N, C], [N, T, C] and
    [N, C, H, W], by the number of dimensions."""

    @property
    def is_built(self) -> bool:
        """Whether the number of channels is known."""
        raise NotImplementedError

    def build(self, num_channels: int) -> None:
        """Makes the parameters and buffers for `num_channels` channels, on the CPU."""
        raise NotImplementedError

    def channel_dim(self, x: Tensor) -> int:
        """Returns the dimension of an input that holds the channels.

        Raises:
            ValueError: the input has another number of dimensions than the layout.
        """
        return channel_dim(x, self.layout)
