"""How far a model looks from a node, and the part of the graph that its reasons are computed in."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.nn.bwgnn import BWGNN
from aiec_graph.nn.mlp import MLP
from aiec_graph.nn.networks import GNN

Csr = Any
Index = NDArray[np.int64]
MOST_REACHED = 20_000
"""Nodes of the neighbourhood in which the reasons of one node are computed."""


class Reach(NamedTuple):
    """The nodes around one node."""

    nodes: Index
    """Their numbers [M], ascending, the node among them."""
    row: int
    """The place of the node among them."""
    within: int
    """Nodes of the whole graph within the model's hops, the node itself among them."""
    is_capped: bool
    """Whether some that the score depends on are not among `nodes`."""

    def induced(self, matrix: Csr) -> Csr:
        """The rows and columns of these nodes [M, M] of a CSR matrix [N, N]."""
        return matrix if len(self.nodes) == matrix.shape[0] else matrix[self.nodes][:, self.nodes]


def reach_of(partners: Csr, node: int, hops: int, most: int = MOST_REACHED) -> Reach:
    """The nodes that the score of a node depends on, and their neighbours, up to a number.

    What is computed for a node at most `hops` away takes its degree, and so its neighbours, one
    hop further; with all of them the score in the part is that in the whole graph. Where they are
    too many, the nearest are kept, and of the hop at which they become too many as many as fit,
    drawn at random.

    Args:
        partners: the graph without directions, CSR [N, N].
        node: its number.
        hops: how far the model looks.
        most: nodes that are kept.
    """
    reached = np.zeros(partners.shape[0], bool)
    reached[node] = True
    kept, frontier = [np.array([node])], np.array([node])
    within, room, is_capped = 1, most - 1, False
    for hop in range(1, hops + 2 if hops else 1):
        near = np.zeros_like(reached)
        near[partners[frontier].indices] = True
        frontier = np.flatnonzero(near & ~reached)
        reached |= near
        within += len(frontier) if hop <= hops else 0
        taken = frontier
        if len(frontier) > room:
            taken = np.random.default_rng(node).choice(frontier, room, replace=False)
            is_capped = True
        kept.append(taken)
        room -= len(taken)
    nodes = np.sort(np.concatenate(kept))
    return Reach(nodes, int(np.searchsorted(nodes, node)), within, is_capped)


def computed_for(
    network: GNN, adjacency: Adjacency, node: int
) -> tuple[NDArray[np.integer] | None, Any, int]:
    """What a network computes for the output of one node.

    Returns:
        The nodes whose inputs it takes, None for all; the graph or its blocks, for `forward`; and
        the row of the node in the output.
    """
    depth = depth_of(network)
    if depth is None:
        return None, adjacency, node
    blocks = adjacency.blocks(np.array([node]), depth)
    return blocks.inputs, blocks.layers, 0


def depth_of(network: GNN) -> int | None:
    """The number of blocks that a network takes; None for one that takes a graph at once."""
    return None if isinstance(network, BWGNN) else len(network.convs)


def hops_of(network: GNN) -> int:
    """How many hops away a node can be that changes an output of a network."""
    convs: Any = network.convs
    if isinstance(network, MLP):
        return 0
    return len(convs[-1].coefficients) - 1 if isinstance(network, BWGNN) else len(convs)
