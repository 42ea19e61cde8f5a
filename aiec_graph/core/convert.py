"""Put an activation into an existing model, and strip AIEC from a trained one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from aiec_graph.core.activations import ACTIVATIONS, make_activation
from aiec_graph.core.aiec import AIEC
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.functional import channel_dim

REPLACEABLE: tuple[type[nn.Module], ...] = (
    *ACTIVATIONS.values(),
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Hardswish,
    nn.Mish,
    nn.Tanh,
)


def convert(
    model: nn.Module,
    act: str | type[nn.Module],
    example_inputs: tuple[Any, ...],
    *,
    num_classes: int = 2,
    where: Callable[[str, nn.Module], bool] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Replaces activation modules of a model in place, each by an instance of its own.

    Activations called as functions, such as `F.relu`, are no modules and cannot be replaced.

    Args:
        model: any module.
        act: a name in `ACTIVATIONS` or an activation class.
        example_inputs: arguments of one forward pass; it runs without gradient in eval mode to
            learn the width of each site.
        num_classes: K, which AIEC needs.
        where: takes a module's qualified name and the module and says whether to replace it;
            by default each known activation is.
        options: further arguments of the activation.

    Returns:
        The qualified names of what was replaced.

    Raises:
        ValueError: nothing matches, or a matching site never runs or runs several times in one
            forward pass (its statistics would mix); the model is then as it was.
    """
    chosen = where or (lambda _, module: isinstance(module, REPLACEABLE))
    sites = [
        (name, module)
        for name, module in model.named_modules(remove_duplicate=False)
        if name and chosen(name, module)
    ]
    if not sites:
        raise ValueError(f"no activation module to replace in {type(model).__name__}")
    for name, _ in sites:
        _replace(model, name, make_activation(act, None, num_classes, options))
    try:
        build_activations(model, example_inputs, at={name for name, _ in sites})
    except BaseException:
        for name, module in sites:
            _replace(model, name, module)
        raise
    return [name for name, _ in sites]


def build_activations(
    model: nn.Module, example_inputs: tuple[Any, ...], *, at: set[str] | None = None
) -> None:
    """Builds the unbuilt AIEC and GDN layers of a model from one forward pass without gradient.

    For models that make their activations themselves from a class, such as timm's `act_layer`.

    Args:
        model: any module.
        example_inputs: arguments of one forward pass.
        at: names of modules that must run exactly once in the pass; by default the unbuilt ones.

    Raises:
        ValueError: such a module never ran, or ran several times.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    if at is None:
        at = {name for name, m in modules.items() if _is_unbuilt(m)}
    calls = dict.fromkeys(sorted(at), 0)
    handles = []

    def watch(name: str) -> None:
        def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            calls[name] += 1
            if isinstance(module, ChannelwiseActivation) and not module.is_built:
                x = inputs[0]
                module.build(x.shape[channel_dim(x)])
                module.to(x.device, x.dtype if x.is_floating_point() else None)

        handles.append(modules[name].register_forward_pre_hook(before))

    for name in calls:
        watch(name)
    try:
        run_once(model, example_inputs)
    finally:
        for handle in handles:
            handle.remove()
    for name, count in calls.items():
        if count != 1:
            raise ValueError(
                f"the activation {name!r} ran {count} times in one forward pass; AIEC needs sites "
                "that run exactly once: give each site an instance of its own"
            )


def run_once(model: nn.Module, example_inputs: tuple[Any, ...]) -> None:
    """One forward pass without gradient in eval mode; every module's mode is as it was then."""
    mode = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            model(*example_inputs)
    finally:
        for module, training in mode.items():
            module.training = training


def strip(model: nn.Module) -> nn.Module:
    """Replaces each AIEC of a model, in place, by its threshold unit, for inference.

    Outputs in eval mode are the same bit for bit, and no parameter or buffer of AIEC is left.

    Returns:
        The model; where it is itself an AIEC, its threshold unit.
    """
    if isinstance(model, AIEC):
        return model.threshold
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, AIEC):
            _replace(model, name, module.threshold)
    return model


def _is_unbuilt(module: nn.Module) -> bool:
    return isinstance(module, ChannelwiseActivation) and not module.is_built


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, module)
