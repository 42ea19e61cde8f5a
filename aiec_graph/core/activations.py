"""The eight compared activations and AIEC's variants by name; how one is made for a site."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from torch import nn

from aiec_graph.core.aiec import AIEC
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.gdn import GDN
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.names import AIEC_OPTIONS

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

VARIANTS: dict[str, type[AIEC]] = {}
"""Variants of AIEC that are not the paper's, by name; empty until a plugin registers some."""


def register_variant(name: str, cls: type[AIEC]) -> None:
    """Makes a subclass of AIEC known by a name, which the option `variant` takes.

    Raises:
        ValueError: another class has the name.
    """
    if VARIANTS.setdefault(name, cls) is not cls:
        raise ValueError(f"there is a variant of AIEC called {name!r} already")


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
    types = {"tau": (int, float), "detach_aux": bool}
    for option, value in options.items():
        expected = types.get(option, str)
        wrong_bool = isinstance(value, bool) and expected is not bool
        if not isinstance(value, expected) or wrong_bool or value == float("inf"):
            raise InputError(f"act_options: {option} cannot be {value!r}")
    try:
        make_activation("aiec", 1, options=options)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"act_options: {error}") from None


def changed_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of AIEC's options that differ from their defaults."""
    defaults = {name: p.default for name, p in signature(AIEC).parameters.items()}
    return {k: v for k, v in options.items() if k not in defaults or defaults[k] != v}


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
        options: further arguments of the class, such as `{"gate": "union"}`; of AIEC also
            `variant`, the name of a variant that a plugin has registered.

    Raises:
        InputError: a name is unknown.
        TypeError: `act` is an instance, which several sites would share, or an option is unknown.
    """
    if isinstance(act, nn.Module):
        raise TypeError(
            f"act must be a name or a class, not an instance of {type(act).__name__}: each site "
            "gets an instance of its own"
        )
    cls = look_up(act, ACTIVATIONS, "activation") if isinstance(act, str) else act
    arguments: dict[str, Any] = dict(options or {})
    if cls is AIEC and "variant" in arguments:
        cls = _variant(arguments.pop("variant"))
    if issubclass(cls, ChannelwiseActivation):
        arguments["num_channels"] = num_channels
    if issubclass(cls, AIEC):
        arguments["num_classes"] = num_classes
    return cls(**arguments)


def _variant(name: str) -> type[AIEC]:
    if not VARIANTS:
        raise InputError(
            f"AIEC has no variant {name!r}: a plugin registers variants (plugins: "
            "[research.variants] has the repository's own)"
        )
    return look_up(name, VARIANTS, "variant of AIEC")
