"""What hidden channels owe to planted signal and to planted noise among the inputs.

The measure is Sobol's total effect of a group of inputs, by Jansen's estimator: half the mean
square by which a channel's response before activation changes where the group's columns are
drawn anew, here from other nodes. In the first layer, which is linear, and for independent
columns it is the sum over the group of squared weight times variance of the aggregated column;
in deeper layers it is what the group does through the layers below, alone and together with
other inputs.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aiec_graph.nn import Adjacency
from aiec_graph.nn.networks import GNN

DRAWS = 5


class Effects(NamedTuple):
    """Total effect of a group of inputs."""

    channels: NDArray[np.float64]
    """On the response before activation [L, C]."""
    margin: float
    """On the margin between the two classes."""


def total_effects(
    network: GNN,
    x: Tensor,
    adjacency: Adjacency,
    columns: Sequence[int],
    rows: NDArray[np.int64],
    seed: int,
) -> Effects:
    """Measures the total effect of some input columns.

    Args:
        network: in eval mode.
        x: its inputs [N, F].
        adjacency: of the graph.
        columns: the group.
        rows: the nodes to average over.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    usual = _responses(network, x, adjacency, rows)
    sums = [torch.zeros(part.shape[1], dtype=torch.float64) for part in usual]
    for _ in range(DRAWS):
        order = torch.randperm(len(x), generator=generator)
        changed = x.clone()
        # One order for all columns: what they have in common among themselves stays.
        changed[:, columns] = x[order][:, columns]
        for i, (a, b) in enumerate(
            zip(usual, _responses(network, changed, adjacency, rows), strict=True)
        ):
            sums[i] += (a - b).square().mean(0) / 2 / DRAWS
    *layers, margin = [part.numpy() for part in sums]
    return Effects(np.stack(layers), float(margin[0]))


def _responses(
    network: GNN, x: Tensor, adjacency: Adjacency, rows: NDArray[np.int64]
) -> list[Tensor]:
    """Each layer's response before activation, and last the margin [N', 1]."""
    index = torch.from_numpy(rows)
    seen: list[Tensor] = []

    def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        seen.append(inputs[0][index].double())

    handles = [act.register_forward_pre_hook(see) for act in network.acts]
    with torch.no_grad():
        logits = network(x, adjacency)[index].double()
    for handle in handles:
        handle.remove()
    return [*seen, logits[:, 1:] - logits[:, :1]]
