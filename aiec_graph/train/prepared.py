"""A data set made ready for training, in the forms that trainers take it in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aiec_graph.data import Graph
from aiec_graph.nn import Adjacency

if TYPE_CHECKING:
    from aiec_graph.nn.sampled import RowAdjacency


class Prepared:
    """A data set with its adjacency, which is shared by all runs on it and made at first use.

    Args:
        graph: the data set.
        adjacency: made already; None to make it of the graph's edges, with self-loops, as the
            protocol asks.
    """

    def __init__(self, graph: Graph, adjacency: Adjacency | None = None) -> None:
        self.graph = graph
        self._forms: dict[str, Any] = {}
        edges = graph.edges
        self._rows = edges.indptr, edges.indices, edges.weight
        if adjacency is not None:
            csr = adjacency.csr
            indices = csr.indices.astype(np.int32, copy=False)
            self._forms["whole"] = adjacency
            self._rows = csr.indptr.astype(np.int64), indices, csr.data

    @property
    def adjacency(self) -> Adjacency:
        """The adjacency matrix, prepared as a whole."""
        if "whole" not in self._forms:
            self._forms["whole"] = Adjacency(self.graph.edges.to_scipy()).with_self_loops()
        return self._forms["whole"]

    @property
    def rows(self) -> "RowAdjacency":
        """The same, read by rows where the graph's edges lie, such as in a mapped file."""
        if "rows" not in self._forms:
            from aiec_graph.nn.sampled import RowAdjacency  # loads Numba

            self._forms["rows"] = RowAdjacency(*self._rows)
        return self._forms["rows"]

    def with_graph(self, graph: Graph) -> "Prepared":
        """The same edges with other features; what is made of the edges is shared."""
        found = Prepared(graph)
        found._forms, found._rows = self._forms, self._rows
        return found

    def __iter__(self) -> Iterator[Any]:
        """The graph and its adjacency, to be unpacked."""
        return iter((self.graph, self.adjacency))


def prepare_graph(graph: Graph) -> Prepared:
    """A data set to train on; self-loops are added, and duplicate edges are merged already."""
    return Prepared(graph)
