"""A user's tables over time, whose edges or nodes have dates."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.bench.backtest.moments import STRUCTURAL
from aiec_graph.bench.backtest.timeline import (
    Snapshot,
    StepTimeline,
    Timeline,
    is_directed,
    subgraph,
    with_features,
)
from aiec_graph.data.user.dated import DatedTables
from aiec_graph.errors import InputError
from aiec_graph.graph.column import Column
from aiec_graph.graph.graph import UNKNOWN, Graph

KEPT = 3
"""Snapshots without structural features that are held."""


@dataclass(frozen=True)
class DatedTimeline:
    """A graph that is made anew of the rows that were known at each moment.

    Aggregates of transactions, links and kinds of edges are computed of those rows alone.
    """

    tables: DatedTables
    features: str = "standard"
    """See `StepTimeline`."""
    _held: dict[tuple[int, int | None], Graph] = field(default_factory=dict, repr=False)
    _columns: dict[int, tuple[Column, ...] | None] = field(default_factory=dict, repr=False)
    """Of the moments that models were trained at."""

    @property
    def unit(self) -> str:
        """See `Timeline`."""
        return self.tables.unit

    @property
    def label(self) -> str:
        """See `Timeline`."""
        return self.tables.name

    @property
    def is_frozen(self) -> bool:
        """See `Timeline`; later rows change what is known of a node."""
        return False

    @property
    def last(self) -> int:
        """See `Timeline`."""
        return self.tables.last

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Timeline`."""
        count = self.tables.undated
        line = f"nodes that no row with a time names are left out: {count:,}"
        return (line,) if count else ()

    @property
    def moment(self) -> NDArray[np.int64]:
        """See `Timeline`."""
        return self._moment

    @property
    def y(self) -> NDArray[np.int64]:
        """See `Timeline`."""
        return self._y

    @cached_property
    def _moment(self) -> NDArray[np.int64]:
        return self.tables.first.to_numpy().astype(np.int64)

    @cached_property
    def _y(self) -> NDArray[np.int64]:
        return self._own(self.last).y

    @cached_property
    def has_directions(self) -> bool:
        """Whether some edge of the whole graph has no counterpart."""
        return is_directed(self._own(self.last))

    def labels(self, known: int) -> NDArray[np.int64]:
        """See `Timeline`; labels of transactions are those of the rows that were known."""
        then = np.full(len(self.moment), UNKNOWN)
        if known >= self.moment[0]:
            y = self._own(known).y
            then[: len(y)] = y
        return then

    def at(self, moment: int, like: int | None = None) -> Snapshot:
        """See `Timeline`."""
        graph = with_features(self._own(moment, like), self.features, self.has_directions)
        return Snapshot(graph, self.moment[: len(graph.y)])

    def _own(self, moment: int, like: int | None = None) -> Graph:
        """The graph of a moment with its own columns, its nodes in the order of time."""
        if moment < self.moment[0]:
            raise InputError(f"{self.label}: no node is there at {self.tables.written(moment)}")
        key = (moment, like)
        if key not in self._held:
            if like is not None and like not in self._columns:
                self._columns[like] = self._own(like).columns
            columns = None if like is None else self._columns[like]
            while len(self._held) >= KEPT:
                del self._held[next(iter(self._held))]
            self._held[key] = self._in_order(self.tables.at(moment, columns), moment)
        return self._held[key]

    def _in_order(self, graph: Graph, moment: int) -> Graph:
        wanted = self.tables.first.index[: np.searchsorted(self.moment, moment, side="right")]
        order = pd.Index(np.asarray(graph.node_ids).astype(str)).get_indexer(wanted)
        if len(order) != len(graph.y) or (order < 0).any():
            raise RuntimeError(f"{self.label}: the nodes of moment {moment} are not those expected")
        return subgraph(graph, order.astype(np.int64))


def own_timeline(path: Path, load: Callable[[], Graph], features: str) -> Timeline:
    """The timeline of a user's own graph.

    Args:
        path: of its files.
        load: loads all of it.
        features: see `StepTimeline`.

    Raises:
        InputError: nothing says when its nodes or edges were there.
    """
    if not DatedTables.is_needed(path):
        return StepTimeline(load(), features)
    tables = DatedTables(path, needs_features=features != STRUCTURAL)
    if not tables.is_fixed:
        return DatedTimeline(tables, features)
    is_bare = features == STRUCTURAL and not tables.are_payments
    graph = tables.at(tables.last) if is_bare else load()
    assert graph.time_step is not None
    step = tables.to_moments(graph.time_step)
    return StepTimeline(replace(graph, time_step=step, trusted=True), features, tables.unit)
