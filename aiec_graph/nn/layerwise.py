"""Exact outputs of a network on a large graph: one layer after the other, some rows at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core.processes import num_processes, process_rank, send_from
from aiec_graph.nn.networks import GNN

if TYPE_CHECKING:
    from aiec_graph.nn.sampled import RowAdjacency

Inputs = Callable[[NDArray[np.integer]], Tensor]
"""Reads the inputs of some nodes: [M] to [M, in_channels]."""


def layerwise_logits(
    network: GNN,
    graph: "RowAdjacency",
    inputs: Inputs,
    targets: NDArray[np.bool_] | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """The logits of a network in eval mode, over all neighbours of each node.

    Each layer is computed for all nodes that are needed before the next one begins, so that
    nothing is computed twice; of the layers between, two are held, [N, hidden_channels] each. In
    a process group the processes share out the rows, and each gets all logits.

    Args:
        network: computes a layer from a block of the graph.
        graph: the graph.
        inputs: reads the features of nodes, in the network's dtype.
        targets: which nodes are wanted [N]; None for all.
        device: where a layer is computed; by default on the CPU.

    Returns:
        [M, K] on the CPU, a row for each target in the order of the nodes.
    """
    network.eval()
    device = device or torch.device("cpu")
    needed = [np.ones(graph.num_nodes, dtype=bool) if targets is None else targets]
    for _ in range(len(network.convs) - 1):
        needed.append(needed[-1] if needed[-1].all() else graph.reached(needed[-1]))
    last, dtype = len(network.convs) - 1, network.lin.weight.dtype
    hidden = torch.empty(0)
    with torch.no_grad():
        for i, mask in enumerate(reversed(needed)):
            rows = np.flatnonzero(mask)
            width: Any = network.lin.out_features if i == last else network.convs[i].out_channels
            # The last layer's rows stand one after the other, the others' by number of node.
            out = torch.empty(len(rows) if i == last else graph.num_nodes, width, dtype=dtype)
            pieces = list(graph.pieces(rows))
            shares = np.array_split(np.arange(len(pieces)), num_processes())
            for n in shares[process_rank()]:
                nodes, block = graph.rows(rows[pieces[n]])
                x = inputs(nodes) if i == 0 else hidden.index_select(0, torch.from_numpy(nodes))
                x = x.to(device)
                aggregated = network.aggregate_input(x, block) if i == 0 else None
                h = network.layer(i, x, block, aggregated)
                h = network.lin(h) if i == last else h
                out[_places(rows, pieces[n], i == last)] = h.cpu()
            for rank, share in enumerate(shares) if num_processes() > 1 else ():
                if len(share):
                    whole = slice(pieces[share[0]].start, pieces[share[-1]].stop)
                    at = _places(rows, whole, i == last)
                    out[at] = send_from(rank, out[at])
            hidden = out
    return hidden


def _places(rows: NDArray[np.integer], piece: slice, compact: bool) -> slice | Tensor:
    """Where the outputs of a piece of the rows are kept."""
    if compact:
        return piece
    chosen = rows[piece]
    if chosen[-1] - chosen[0] == len(chosen) - 1:  # one after the other: no copy of an index
        return slice(int(chosen[0]), int(chosen[-1]) + 1)
    return torch.from_numpy(chosen)
