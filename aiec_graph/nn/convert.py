"""Put an activation into PyG's stock models, whose layers share one activation instance."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from aiec_graph.core import AIEC
from aiec_graph.core import convert as core_convert
from aiec_graph.core.convert import REPLACEABLE, run_once


class _NormAndAct(nn.Module):
    """A layer's normalisation and its own activation in the order the model had them."""

    def __init__(self, norm: nn.Module, act: nn.Module, act_first: bool) -> None:
        super().__init__()
        self.norm = norm
        self.act = act
        self.act_first = act_first

    def forward(self, x: Tensor, *batch: Any) -> Tensor:
        if self.act_first:
            return self.norm(self.act(x), *batch)
        return self.act(self.norm(x, *batch))


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
    """`aiec_graph.core.convert`, for PyG's `BasicGNN` models (GCN, GraphSAGE, GIN, …) too.

    A `BasicGNN` calls one activation instance after each of its layers, which would mix the
    layers' statistics. Here each layer gets its own, beside its normalisation, and the model's
    `act` becomes None; what the model computes stays the same. Arguments and return value are
    those of `aiec_graph.core.convert`.

    Raises:
        ValueError: as `aiec_graph.core.convert`; or AIEC would be put where messages are computed,
            as in EdgeConv, whose rows are edges even where there are as many as nodes.
    """
    restore = _give_each_layer_its_own(model)
    try:
        if act == "aiec" or (isinstance(act, type) and issubclass(act, AIEC)):
            chosen = where or (lambda _, module: isinstance(module, REPLACEABLE))
            on_edges = [n for n, m in _on_edges(model, example_inputs).items() if chosen(n, m)]
            if on_edges:
                raise ValueError(
                    "AIEC needs a row for each node, but these sites are in a message function, "
                    f"where rows are edges: {', '.join(on_edges)}. Leave them out by `where`"
                )
        return core_convert(
            model,
            act,
            example_inputs,
            num_classes=num_classes,
            where=where,
            options=options,
            num_samples=num_samples,
        )
    except BaseException:
        restore()
        raise


def _give_each_layer_its_own(model: nn.Module) -> Callable[[], None]:
    """Puts a copy of a `BasicGNN`'s activation beside the normalisation of each of its layers.

    Returns:
        What makes the model as it was.
    """
    # Here, since PyG takes seconds to import and our own layers do not need it.
    from torch_geometric.nn.models.basic_gnn import BasicGNN

    shared: list[tuple[BasicGNN, nn.Module, list[nn.Module]]] = []
    for module in model.modules():
        if isinstance(module, BasicGNN) and module.act is not None:
            norms = list(module.norms)
            shared.append((module, module.act, norms))
            # The norm after the last layer runs only with jumping knowledge.
            used = len(norms) if module.jk_mode is not None else len(norms) - 1
            for i, norm in enumerate(norms[:used]):
                act_of_layer = copy.deepcopy(module.act)
                module.norms[i] = _NormAndAct(norm, act_of_layer, module.act_first)
            module.act = None

    def restore() -> None:
        for module, instance, norms in shared:
            module.act = instance
            for i, norm in enumerate(norms):
                module.norms[i] = norm

    return restore


def _on_edges(model: nn.Module, example_inputs: tuple[Any, ...]) -> dict[str, nn.Module]:
    """Returns by name the modules that run inside of a message function of PyG's."""
    from torch_geometric.nn import MessagePassing

    depth = 0
    found: dict[str, nn.Module] = {}

    def enter(*_: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    def watch(name: str, module: nn.Module) -> RemovableHandle:
        def before(*_: Any) -> None:
            if depth > 0:
                found[name] = module

        return module.register_forward_pre_hook(before)

    handles = [watch(name, module) for name, module in model.named_modules()]
    for module in model.modules():
        if isinstance(module, MessagePassing):
            handles += [
                module.register_message_forward_pre_hook(enter),
                module.register_message_forward_hook(leave),
                module.register_edge_update_forward_pre_hook(enter),
                module.register_edge_update_forward_hook(leave),
            ]
    try:
        run_once(model, example_inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found
