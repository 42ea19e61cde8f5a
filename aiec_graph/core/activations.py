"""The eight compared activations by name, and how an instance is made for a site."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from aiec_graph.core.aiec import AIEC
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.gdn import GDN
from aiec_graph.errors import InputError, did_you_mean, look_up

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gdn": GDN,
    "aiec": AIEC,
}

AIEC_OPTIONS = ("tau", "gate", "count", "gate_norm", "detach_aux")
"""What a benchmark may change about AIEC; width, classes and pooling follow from the site."""


def check_options(options: Mapping[str, Any]) -> None:
    """Checks options of AIEC by name and value.

    Raises:
        InputError: one is unknown or out of its set.
    """
    for option in options:
        if option not in AIEC_OPTIONS:
            raise InputError(
                f"unknown AIEC option {option!r}.{did_you_mean(option, AIEC_OPTIONS)} Known: "
                f"{', '.join(AIEC_OPTIONS)}"
            )
    kinds = {"tau": (int, float), "detach_aux": bool}
    for option, value in options.items():
        kind = kinds.get(option, str)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or wrong_bool or value == float("inf"):
            raise InputError(f"act_options: {option} cannot be {value!r}")
    try:
        AIEC(1, **options)
    except ValueError as error:
        raise InputError(f"act_options: {error}") from None


def make_activation(
    act: str | type[nn.Module],
    num_channels: int | None = None,
    num_classes: int = 2,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Makes a fresh activation for one site.

    Args:
        act: a name in `ACTIVATIONS` or an activation class.
        num_channels: width of the site; None leaves AIEC and GDN to be built later.
        num_classes: K, which only AIEC needs.
        options: further arguments of the class, such as `{"gate": "union"}`.

    Raises:
        InputError: the name is unknown.
        TypeError: `act` is an instance, which several sites would share, or an option is unknown.
    """
    if isinstance(act, nn.Module):
        raise TypeError(
            f"act must be a name or a class, not an instance of {type(act).__name__}: each site "
            "gets an instance of its own"
        )
    cls = look_up(act, ACTIVATIONS, "activation") if isinstance(act, str) else act
    arguments: dict[str, Any] = dict(options or {})
    if issubclass(cls, ChannelwiseActivation):
        arguments["num_channels"] = num_channels
    if issubclass(cls, AIEC):
        arguments["num_classes"] = num_classes
    return cls(**arguments)
