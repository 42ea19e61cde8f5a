"""Put an activation into an existing model, and strip AIEC from a trained one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from aiec_graph.core.activations import ACTIVATIONS, make_activation
from aiec_graph.core.aiec import AIEC
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.layout import ChannelTracker, channel_dim, check_layout, tracked_layout

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
    num_samples: int | None = None,
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
        options: further arguments of the activation. AIEC and GDN take a `layout`, such as "NHWC",
            which says where the channels are at every site; by default it is followed from linear
            maps, convolutions and norms through the forward pass.
        num_samples: how many of the labelled rows' kind the example has, where the model does not
            return one tensor with a row for each: for AIEC, whose labels belong to samples.

    Returns:
        The qualified names of what was replaced.

    Raises:
        ValueError: nothing matches; a matching site never runs or runs several times in one
            forward pass (its statistics would mix); it is not known where its channels are; or
            its rows are no samples, such as edges or nodes of another type. The model is then as
            it was.
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
        at = {name for name, _ in sites}
        build_activations(model, example_inputs, at=at, num_samples=num_samples)
    except BaseException:
        for name, module in sites:
            _replace(model, name, module)
        raise
    return [name for name, _ in sites]


def build_activations(
    model: nn.Module,
    example_inputs: tuple[Any, ...],
    *,
    at: set[str] | None = None,
    layout: str | None = None,
    num_samples: int | None = None,
) -> None:
    """Builds the unbuilt AIEC and GDN layers of a model from one forward pass without gradient.

    For models that make their activations themselves from a class, such as timm's `act_layer`.

    Args:
        model: any module.
        example_inputs: arguments of one forward pass.
        at: names of modules that must run exactly once in the pass; by default the unbuilt ones.
        layout: where the channels are; a layer that was made with a layout keeps it.
        num_samples: as for `convert`.

    Raises:
        ValueError: as `convert`.
    """
    check_layout(layout)
    modules = dict(model.named_modules(remove_duplicate=False))
    if at is None:
        at = {name for name, m in modules.items() if _is_unbuilt(m)}
    sites = {name: modules[name] for name in sorted(at)}
    rows: dict[str, list[int]] = {name: [] for name in sites}

    def watch(name: str, module: nn.Module) -> RemovableHandle:
        def before(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            if isinstance(module, ChannelwiseActivation) and not module.is_built:
                _build(name, module, args[0], layout)
            rows[name].append(args[0].shape[0] if args[0].dim() else 0)

        return module.register_forward_pre_hook(before)

    handles = [watch(name, module) for name, module in sites.items()]
    try:
        with ChannelTracker():
            out = run_once(model, example_inputs)
    finally:
        for handle in handles:
            handle.remove()
    for name, seen in rows.items():
        if len(seen) != 1:
            raise ValueError(
                f"the activation {name!r} ran {len(seen)} times in one forward pass; AIEC needs "
                "sites that run exactly once: give each site an instance of its own"
            )
    of_aiec = {name: rows[name][0] for name, m in sites.items() if isinstance(m, AIEC)}
    if of_aiec:
        _check_samples(of_aiec, out, num_samples)


def run_once(model: nn.Module, example_inputs: tuple[Any, ...]) -> Any:
    """Runs a forward pass without gradient in eval mode and returns what it gives.

    Afterwards every module is in the mode that it was in.
    """
    mode = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            return model(*example_inputs)
    finally:
        for module, training in mode.items():
            module.training = training


def _build(name: str, module: ChannelwiseActivation, x: Tensor, layout: str | None) -> None:
    """Builds a site from its input; it learns the layout where none is declared."""
    declared = module.layout or layout
    if declared is not None and len(declared) == x.dim():
        module.layout = declared
    else:
        module.layout = tracked_layout(x)
    if module.layout is None:
        raise ValueError(
            f"the activation {name!r} takes a tensor of shape {list(x.shape)}, and which dimension "
            "holds its channels is not known: give the option layout (such as 'NCHW', 'NHWC', "
            "'NLC' or 'NCL'), or leave the site out by `where`"
        )
    module.build(x.shape[channel_dim(x, module.layout)])
    dtype = x.dtype if x.is_floating_point() else None
    device = x.device.type
    casts = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    if dtype is not None and casts:
        dtype = torch.promote_types(dtype, torch.float32)  # weights are not cast to half precision
    module.to(x.device, dtype)


def _check_samples(rows: Mapping[str, int], out: Any, num_samples: int | None) -> None:
    """Checks that each AIEC's rows are the samples that labels will belong to.

    Args:
        rows: number of rows by site.
        out: what the model returned.
        num_samples: the number of samples, where it was given.

    Raises:
        ValueError: they are not, or nothing tells.
    """
    if num_samples is None:
        if not isinstance(out, Tensor) or out.dim() == 0:
            raise ValueError(
                f"the model returns a {type(out).__name__}, not one tensor with a row for each "
                "sample: give num_samples, the number of samples in the example that have labels"
            )
        num_samples = out.shape[0]
    if isinstance(out, Mapping):
        same = [k for k, v in out.items() if isinstance(v, Tensor) and len(v) == num_samples]
        if len(same) > 1:
            raise ValueError(
                f"{' and '.join(map(repr, same))} have {num_samples} rows each, so their sites "
                "cannot be told apart: give an example in which they differ"
            )
    wrong = {name: n for name, n in rows.items() if n != num_samples}
    if wrong:
        found = ", ".join(f"{name!r} ({n})" for name, n in wrong.items())
        raise ValueError(
            f"the example has {num_samples} samples, but these sites have other rows, such as "
            f"edges, pooled nodes or nodes of another type, which have no labels: {found}. Leave "
            "them out by `where`"
        )


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
