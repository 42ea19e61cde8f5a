"""The inputs of a network for the nodes of a graph, all at once or some at a time."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.data import Graph, Preprocessor
from aiec_graph.train.memory import AT_HAND


class NodeInputs:
    """Reads the inputs of nodes.

    Args:
        preprocessor: makes them of the graph's features.
        graph: the graph.
        change: what happens to those of all nodes before they are read.

    Attributes:
        whole: of all nodes [N, in_channels], where they are at hand: the graph's own features,
            which may lie in a mapped file, or such as take little room. Else None, and each call
            makes those that it is asked for.

    Raises:
        InputError: the graph has other columns, or an input is too large for 32-bit floats.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        graph: Graph,
        change: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._preprocessor, self._graph = preprocessor, graph
        self.width = preprocessor.network_inputs(graph, np.arange(1)).shape[1]
        size = 4 * self.width * graph.edges.num_nodes
        is_at_hand = preprocessor.pipeline is None or size <= AT_HAND
        self.whole = preprocessor.network_inputs(graph) if is_at_hand else None
        if change is not None:
            self.whole = change(self.all())

    def all(self) -> Tensor:
        """Those of all nodes [N, in_channels]."""
        if self.whole is None:
            return self._preprocessor.network_inputs(self._graph)
        return self.whole

    def __call__(self, nodes: NDArray[np.integer]) -> Tensor:
        """The inputs of some nodes [M, in_channels], in their order; of none, where M is 0."""
        if not len(nodes):  # a process may have no seed, and no pipeline takes no row
            return torch.empty(0, self.width)
        if self.whole is None:
            return self._preprocessor.network_inputs(self._graph, nodes)
        return self.whole.index_select(0, torch.from_numpy(nodes))
