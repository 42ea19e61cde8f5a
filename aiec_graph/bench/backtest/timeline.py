"""A graph over time: what of it was there at a moment."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.bench.backtest.moments import BOTH, STRUCTURAL
from aiec_graph.data.transforms.position import with_position
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import UNKNOWN, Graph


class Snapshot(NamedTuple):
    """The graph as it was at a moment: nodes that were there, and edges between them."""

    graph: Graph
    """With labels that are not to be used: `Timeline.labels` says which are known."""
    moment: NDArray[np.int64]
    """When each node first appeared [N]."""


class Timeline(Protocol):
    """A graph whose nodes and edges appear over time."""

    @property
    def unit(self) -> str:
        """What moments count: "step" or "day"."""
        ...

    @property
    def label(self) -> str:
        """The data set's name to print."""
        ...

    @property
    def moment(self) -> NDArray[np.int64]:
        """When each node first appears [N], sorted."""
        ...

    @property
    def last(self) -> int:
        """The last moment at which something appears."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told of the data."""
        ...

    @property
    def y(self) -> NDArray[np.int64]:
        """Their labels once all is known [N]: 1 anomalous, 0 normal, -1 unknown."""
        ...

    def labels(self, known: int) -> NDArray[np.int64]:
        """Their labels as known at a moment [N], -1 where not yet known.

        A node's own label is taken to be known from the moment when the node appears.
        """
        ...

    @property
    def is_frozen(self) -> bool:
        """Whether what is known of a node never changes after the moment when it appears.

        That is so where no edge joins nodes of two moments: the last snapshot then holds all
        others.
        """
        ...

    def at(self, moment: int, like: int | None = None) -> Snapshot:
        """The snapshot of a moment: of what came later there is no trace in it.

        Its nodes are the first ones of `moment`, in that order.

        Args:
            moment: of which all is known.
            like: the moment whose snapshot a model was trained on, where this one is to be scored:
                its columns and categories are then those.

        Raises:
            InputError: nothing was there.
        """
        ...


@dataclass(frozen=True)
class StepTimeline:
    """A graph whose nodes have time steps; an edge is there when both of its ends are.

    A node's own features are taken to be those that were known at its time step.

    Raises:
        InputError: the graph has no time steps.
    """

    source: Graph
    features: str = "standard"
    """`STRUCTURAL`, `BOTH`, or another kind, which leaves the nodes' own columns."""
    unit: str = "step"
    """What the time steps count: "step", or "day" for days since 1970."""

    def __post_init__(self) -> None:
        if self.source.time_step is None:
            raise InputError(
                f"{self.source.label}: a backtest needs the time of each node, in a column "
                "time_step of the nodes (docs/guides/own-graphs.md)"
            )

    @property
    def label(self) -> str:
        """See `Timeline`."""
        return self.source.label

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Timeline`."""
        return ()

    @property
    def last(self) -> int:
        """See `Timeline`."""
        return int(self.moment[-1])

    @property
    def moment(self) -> NDArray[np.int64]:
        """See `Timeline`."""
        return self._sorted.moment

    @property
    def y(self) -> NDArray[np.int64]:
        """See `Timeline`."""
        return self._sorted.graph.y

    def labels(self, known: int) -> NDArray[np.int64]:
        """See `Timeline`."""
        return np.where(self.moment <= known, self.y, UNKNOWN)

    @property
    def is_frozen(self) -> bool:
        """See `Timeline`."""
        return self._joins_no_moments

    @cached_property
    def _joins_no_moments(self) -> bool:
        graph, moment = self._sorted
        return bool((moment[graph.edges.targets] == moment[graph.edges.indices]).all())

    @cached_property
    def has_directions(self) -> bool:
        """Whether some edge of the whole graph has no counterpart."""
        return is_directed(self.source)

    @cached_property
    def _sorted(self) -> Snapshot:
        """The whole graph with its nodes in the order of time, so that a snapshot is a prefix."""
        step = self.source.time_step
        assert step is not None
        order = np.argsort(step, kind="stable")
        graph = subgraph(self.source, order)
        return Snapshot(graph, step[order])

    @cached_property
    def _whole(self) -> Graph:
        """The whole graph with its features."""
        return self._with_features(self._sorted.graph)

    def at(self, moment: int, like: int | None = None) -> Snapshot:
        """See `Timeline`."""
        del like  # a node's own columns are the same at all moments
        count = int(np.searchsorted(self.moment, moment, side="right"))
        if not count:
            raise InputError(f"{self.label}: no node is there at {self.unit} {moment}")
        # Where nothing changes later, the features of the whole graph are those of the moment.
        graph = first_nodes(self._whole if self.is_frozen else self._sorted.graph, count)
        return Snapshot(
            graph if self.is_frozen else self._with_features(graph), self.moment[:count]
        )

    def _with_features(self, graph: Graph) -> Graph:
        return with_features(graph, self.features, self.has_directions)


def with_features(graph: Graph, features: str, has_directions: bool) -> Graph:
    """The graph with the features of its structure, where they are asked for."""
    if features not in (STRUCTURAL, BOTH):
        return graph
    return with_position(graph, has_directions, features == BOTH)


def is_directed(graph: Graph) -> bool:
    """Whether some edge of a graph has no counterpart."""
    from aiec_graph.data.transforms.structural import is_symmetric

    return not is_symmetric(replace(graph.edges, weight=None))


def first_nodes(graph: Graph, count: int) -> Graph:
    """The first nodes of a graph and the edges between them, without a copy of the features."""
    edges = graph.edges
    stop = int(edges.indptr[count])
    indptr, indices = edges.indptr[: count + 1], edges.indices[:stop]
    weight = None if edges.weight is None else edges.weight[:stop]
    keep = indices < count
    if not keep.all():
        indptr = np.concatenate([[0], np.cumsum(keep)])[indptr]
        indices = indices[keep]
        weight = None if weight is None else weight[keep]
    return replace(
        graph,
        x=graph.x[:count],
        edges=Edges(indptr, indices, weight),
        y=graph.y[:count],
        node_ids=graph.node_ids[:count],
        given={},
        time_step=None if graph.time_step is None else graph.time_step[:count],
        trusted=True,
    )


def subgraph(graph: Graph, nodes: NDArray[np.int64]) -> Graph:
    """Some nodes of a graph in a given order, and the edges between them.

    Args:
        graph: not changed.
        nodes: their numbers, each once [M].
    """
    matrix = graph.edges.to_scipy()[nodes][:, nodes]
    matrix.sort_indices()
    weight = None if graph.edges.weight is None else matrix.data.astype(np.float32)
    edges = Edges(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), weight)
    return replace(
        graph,
        x=graph.x[torch.from_numpy(nodes)],
        edges=edges,
        y=graph.y[nodes],
        node_ids=np.asarray(graph.node_ids)[nodes],
        given={},
        time_step=None if graph.time_step is None else graph.time_step[nodes],
        trusted=True,
    )
