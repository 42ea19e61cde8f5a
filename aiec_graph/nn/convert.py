"""Put an activation into PyG's stock models, whose layers share one activation instance."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from aiec_graph.core import convert as core_convert


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
) -> list[str]:
    """`aiec_graph.core.convert`, for PyG's `BasicGNN` models (GCN, GraphSAGE, GIN, …) too.

    A `BasicGNN` calls one activation instance after each of its layers, which would mix the
    layers' statistics. Here each layer gets its own, beside its normalisation, and the model's
    `act` becomes None; what the model computes stays the same. Arguments, return value and errors
    are those of `aiec_graph.core.convert`.
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
    try:
        return core_convert(
            model, act, example_inputs, num_classes=num_classes, where=where, options=options
        )
    except BaseException:
        for module, instance, norms in shared:
            module.act = instance
            for i, norm in enumerate(norms):
                module.norms[i] = norm
        raise
