"""Where the channels of a tensor are: declared by name, or followed through a forward pass.

A layout is a name such as "NCHW": N samples, C channels, H and W (or L) positions.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LAYOUTS = ("NC", "NLC", "NCL", "NCHW", "NHWC")
"""The layouts that a channel-wise activation takes."""

USUAL = {2: "NC", 3: "NLC", 4: "NCHW"}
"""The layout of an activation that none is declared for, by its number of dimensions."""


def check_layout(layout: str | None) -> None:
    """Checks the name of a layout; None stands for the usual one.

    Raises:
        ValueError: it is unknown.
    """
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")


def layout_of(x: Tensor, layout: str | None = None) -> str:
    """Returns the layout of a tensor: the declared one, or the usual one.

    Raises:
        ValueError: the tensor has another number of dimensions.
    """
    found = USUAL.get(x.dim(), "") if layout is None else layout
    if len(found) != x.dim():
        expected = "[N, C], [N, T, C] or [N, C, H, W]" if layout is None else f"layout {layout}"
        raise ValueError(f"the activation takes {expected}, not a tensor of shape {list(x.shape)}")
    return found


def channel_dim(x: Tensor, layout: str | None = None) -> int:
    """Returns the dimension that holds the channels.

    Raises:
        ValueError: as `layout_of`.
    """
    return layout_of(x, layout).index("C")


_SECOND = {"batch_norm", "group_norm", "instance_norm"}
_BEFORE_POSITIONS = {"conv1d": 2, "conv2d": 3, "conv3d": 4}
_LAST = {"linear"}
_POINTWISE = {
    *("add", "sub", "mul", "div", "neg", "clamp", "clone", "contiguous", "detach", "to", "float"),
    *("dropout", "relu", "relu6", "gelu", "silu", "elu", "selu", "sigmoid", "tanh", "softplus"),
    *("leaky_relu", "hardswish", "hardsigmoid", "mish", "threshold", "layer_norm", "rms_norm"),
}
"""Functions that leave each channel where it is, where the result has the input's shape."""

_MOVING = {"permute", "transpose", "movedim", "swapaxes"}


class ChannelTracker(TorchFunctionMode):
    """While entered, notes on each tensor which dimension holds its channels, where that is known.

    Linear maps put channels last, convolutions and batch norms second; pointwise functions leave
    them where they are, and `permute` and `transpose` say where they go. Nothing is known of what
    other functions return.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            dim = _channels_after(getattr(func, "__name__", "").strip("_"), out, args, kwargs or {})
            if dim is not None:
                out._channel_dim = dim  # pyright: ignore[reportAttributeAccessIssue]
            elif hasattr(out, "_channel_dim"):  # an operation in place that nothing is known of
                del out._channel_dim  # pyright: ignore[reportAttributeAccessIssue]
        return out


def tracked_layout(x: Tensor) -> str | None:
    """Returns the layout that a `ChannelTracker` has noted on a tensor; None where it has not.

    Two dimensions of which nothing is known are samples and channels.
    """
    channels = _noted(x)
    if x.dim() == 2 and channels is None:
        return "NC"
    found = {(2, 1): "NC", (3, 1): "NCL", (3, 2): "NLC", (4, 1): "NCHW", (4, 3): "NHWC"}
    return None if channels is None else found.get((x.dim(), channels))


def _channels_after(
    name: str, out: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> int | None:
    if name in _SECOND:
        return 1
    if name in _BEFORE_POSITIONS:
        return out.dim() - _BEFORE_POSITIONS[name]
    if name in _LAST:
        return out.dim() - 1
    inputs = [a for a in args if isinstance(a, Tensor)]
    noted = {_noted(a) for a in inputs if a.shape == out.shape} - {None}
    if name in _MOVING and inputs and _noted(inputs[0]) is not None:
        # Moves a tensor whose sizes number its dimensions in the same way.
        numbers = torch.empty(tuple(range(out.dim())), device="meta")
        moved = getattr(numbers, name)(*args[1:], **kwargs)
        return moved.shape.index(_noted(inputs[0]))
    operator = name.removeprefix("i").removeprefix("r")  # of __iadd__ and __radd__
    return noted.pop() if len(noted) == 1 and {name, operator} & _POINTWISE else None


def _noted(x: Tensor) -> int | None:
    return getattr(x, "_channel_dim", None)
