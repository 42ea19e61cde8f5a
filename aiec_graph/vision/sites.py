"""Which activations of an image network are replaced, and at which AIEC can take part."""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from aiec_graph.core import AIEC, ThresholdActivation
from aiec_graph.core import convert as core
from aiec_graph.core.convert import REPLACEABLE, run_once
from aiec_graph.errors import InputError, look_up
from aiec_graph.vision.activations import IMAGE_ACTIVATIONS

# Modules of these files are activations too.
ACTIVATION_FILES = frozenset(
    {"transformers.activations", "timm.layers.activations", "timm.layers.activations_me"}
)
PROBES = 2  # images in the forward pass that looks at shapes


def convert(
    model: nn.Module,
    act: str,
    *,
    num_classes: int,
    image_size: int = 224,
    blocks: str = "all",
    pooling: str = "auto",
    options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Puts an activation into an image network, in place.

    AIEC takes part where the first dimension is that of the images. Elsewhere, as at the inner
    tokens of TNT, its threshold unit alone takes the place. Activations called as functions are no
    modules and cannot be replaced.

    Args:
        model: from images [N, 3, H, W] to logits.
        act: one of `IMAGE_ACTIVATIONS`.
        num_classes: K, for AIEC's decision units.
        image_size: H and W of the forward pass that looks at shapes.
        blocks: "all" activations, those of the "last" block that gives maps or tokens, or a
            regular expression that module names must match whole.
        pooling: how AIEC makes one vector of a sequence of tokens: "mean", "class_token", or
            "auto", the class token where there is one more token than a square has.
        options: further arguments of the activation.

    Returns:
        The names of the modules replaced.

    Raises:
        InputError: nothing matches, or the name of the activation is unknown.
    """
    cls = look_up(act, IMAGE_ACTIVATIONS, "activation")
    sites = find_sites(model, image_size, blocks, pooling)
    example = (_probe(model, image_size),)
    groups: dict[str | None, set[str]] = {}
    for name, way in sites.items():
        groups.setdefault(way if cls is AIEC else None, set()).add(name)
    for way, names in groups.items():
        extra = dict(options or {}) | ({} if way is None else {"pooling": way})
        new = cls
        if way == NO_SAMPLES:
            new = ThresholdActivation
            extra = {k: v for k, v in (options or {}).items() if k == "tau"}
        core(
            model,
            new,
            example,
            num_classes=num_classes,
            where=lambda name, _, names=names: name in names,
            options=extra,
        )
    return list(sites)


NO_SAMPLES = "no samples"


def find_sites(
    model: nn.Module, image_size: int, blocks: str = "all", pooling: str = "auto"
) -> dict[str, str]:
    """The activations of a network that `convert` would replace, and how each makes one vector.

    Takes the arguments of `convert`.

    Returns:
        By module name "mean", "class_token", or `NO_SAMPLES` where a row is no image.

    Raises:
        InputError: nothing matches.
    """
    shapes = _shapes(model, image_size)
    chosen = _choose(shapes, blocks)
    if not chosen:
        known = ", ".join(shapes) or "none"
        raise InputError(
            f"no activation of {type(model).__name__} matches blocks={blocks!r}; found: {known}"
        )
    return {name: _pooling_at(shapes[name], pooling) for name in chosen}


def _pooling_at(shape: torch.Size, pooling: str) -> str:
    if shape[0] != PROBES or len(shape) not in (2, 3, 4):
        return NO_SAMPLES
    if pooling != "auto":
        return pooling
    tokens = shape[1] if len(shape) == 3 else 0
    has_class_token = tokens > 1 and math.isqrt(tokens - 1) ** 2 == tokens - 1
    return "class_token" if has_class_token else "mean"


def _choose(shapes: Mapping[str, torch.Size], blocks: str) -> list[str]:
    if blocks == "all":
        return list(shapes)
    if blocks == "last":
        inside = [name for name, shape in shapes.items() if len(shape) > 2]
        return [n for n in inside if _block_of(n) == _block_of(inside[-1])] if inside else []
    try:
        pattern = re.compile(blocks)
    except re.error as error:
        raise InputError(f"blocks={blocks!r} is no regular expression ({error})") from None
    return [name for name in shapes if pattern.fullmatch(name)]


def _block_of(name: str) -> str:
    """A module's name up to its last number: `layer4.1.act2` is in `layer4.1`."""
    found = re.match(r"(.*\.\d+)(\.|$)", name)
    return found[1] if found else name


def _is_activation(module: nn.Module) -> bool:
    known = (*REPLACEABLE, *IMAGE_ACTIVATIONS.values(), ThresholdActivation)
    return isinstance(module, known) or type(module).__module__ in ACTIVATION_FILES


def _shapes(model: nn.Module, image_size: int) -> dict[str, torch.Size]:
    """What each activation sees in a forward pass of `PROBES` images, in the order of the pass."""
    shapes: dict[str, torch.Size] = {}
    handles = []

    def watch(name: str, module: nn.Module) -> None:
        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            shapes[name] = inputs[0].shape

        handles.append(module.register_forward_pre_hook(see))

    found: list[str] = []
    for name, module in model.named_modules():
        # What is inside of a site, such as the ReLU of an attention block, is no site.
        if _is_activation(module) and not any(name.startswith(f"{site}.") for site in found):
            found.append(name)
            watch(name, module)
    try:
        run_once(model, (_probe(model, image_size),))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _probe(model: nn.Module, image_size: int) -> Tensor:
    weight = next(model.parameters())
    return torch.zeros(PROBES, 3, image_size, image_size, device=weight.device, dtype=weight.dtype)
