"""A user's tables as they stood on any day: read once, assembled anew for each."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.as_of import count_seconds, take_rows
from aiec_graph.data.user.assemble import assemble, assemble_transactions
from aiec_graph.data.user.dates import DAY
from aiec_graph.data.user.folder import declaration_of, is_whole, read_sources
from aiec_graph.data.user.ids import read_ids
from aiec_graph.data.user.labels import read_time_step
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.roles import check_optional, resolve
from aiec_graph.data.user.sources import find_sources, folder_of
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import read_times
from aiec_graph.errors import InputError
from aiec_graph.graph.column import Column

if TYPE_CHECKING:
    from aiec_graph.graph.graph import Graph

ENDS = ("source", "target")
NEVER = np.iinfo(np.int64).max
"""The moment of what has no time: it is never there."""


@dataclass(frozen=True)
class _Clock:
    """When the rows of a table happened."""

    moment: NDArray[np.int64]
    """[R]; `NEVER` where a row has no time."""
    unit: str
    """day or step."""
    is_seconds: bool = False
    """Whether the times are numbers that count seconds since 1970."""


class DatedTables:
    """The tables of a user's own graph, whose nodes or edges have times.

    A node is there from its `time_step` on, a number or a date. Without one it is there from the
    first transaction or edge that names it, and a node that none names is never there. An edge is
    there from its own time on, once both of its ends are.

    Args:
        path: a folder, or a table of transactions; see docs/guides/own-graphs.md.
        needs_features: whether nodes without a column of their own are refused; otherwise they
            have one that holds zeros.

    Raises:
        InputError: the tables cannot be read, nothing in them has a time, or the times of nodes
            and edges cannot be compared.
    """

    def __init__(self, path: Path, needs_features: bool = True) -> None:
        self.needs_features = needs_features
        sources = find_sources(path)
        self.declared = declaration_of(sources)
        self.name = folder_of(path).resolve().stem
        self.where = str(folder_of(path))
        if self.declared.as_of:
            raise InputError(
                f"{self.where}: as_of in graph.yaml: a backtest reads the rows up to each of its "
                "cuts; take as_of out, or rows after that day out of the tables"
            )
        reading = Reading(self.declared)
        found = {} if is_whole(sources) else read_sources(sources, reading)
        self._tables = {role: reading.clean(table) for role, table in found.items()}
        self._read_clocks(reading)
        reading.findings.raise_faults()

    @classmethod
    def is_needed(cls, path: Path) -> bool:
        """Whether the data at a path are tables, and not a graph in one file."""
        sources = find_sources(path)
        return sources.graph is None

    @property
    def are_payments(self) -> bool:
        """Whether the nodes are transactions, which are described by earlier ones alone."""
        return self.declared.nodes_are == "transactions"

    @property
    def is_fixed(self) -> bool:
        """Whether the graph of a moment is that of the nodes up to it, and the edges among them.

        So it is where nodes alone have times and are described by columns of their own, and where
        they are transactions.
        """
        has_links = bool(self.declared.link_by) or self.declared.tell_apart
        return self.are_payments or not (self._rows_are_dated or has_links)

    def to_moments(self, time_step: NDArray[np.int64]) -> NDArray[np.int64]:
        """The time steps of the loaded graph [N] in the unit of the moments."""
        return np.floor_divide(time_step, int(DAY)) if self._in_seconds else time_step

    @cached_property
    def first(self) -> "pd.Series[int]":
        """The moment from which on each node is there, by its id, in the order of time."""
        known = self._first[self._first < NEVER]
        return known.sort_values(kind="stable")

    @property
    def last(self) -> int:
        """The last moment at which something happened."""
        rows = self._edges
        times = [self.first.to_numpy()] + ([] if rows is None else [rows.moment])
        joined = np.concatenate(times)
        return int(joined[joined < NEVER].max())

    @property
    def undated(self) -> int:
        """Nodes that are never there, for nothing says when."""
        return int((self._first == NEVER).sum())

    def written(self, moment: int) -> str:
        """A moment as `as_of` takes it."""
        return str(np.datetime64(moment, "D")) if self.unit == "day" else str(moment)

    def at(self, moment: int, columns: tuple[Column, ...] | None = None) -> "Graph":
        """The graph of what was known at a moment, through the `as_of` of a declaration.

        Dates among the features that come after the moment count as missing.

        Args:
            moment: of which all is known.
            columns: those of the graph that a model was trained on.

        Raises:
            InputError: nothing was there, or the tables cannot be used.
        """
        from aiec_graph.data.user.frames import to_graph

        declared = replace(self.declared, as_of=self.written(moment))
        trained = columns if self.needs_features else None
        reading = Reading(declared, trained, hides_later=True, needs_features=self.needs_features)
        there = self._first.index[self._first.to_numpy() <= moment]
        tables = {
            role: self._known(role, table, there, moment) for role, table in self._tables.items()
        }
        labels, nodes = tables.get("labels"), tables.get("nodes")
        if "transactions" in tables:
            made = assemble_transactions(tables["transactions"], nodes, reading, labels)
        else:
            made = assemble(nodes, tables.get("edges"), reading, labels)
        return to_graph(made, reading, self.name, self.where)

    def _known(self, role: str, table: Table, there: pd.Index, moment: int) -> Table:
        """The rows of a table that are about nodes that are there."""
        if role in ("nodes", "labels"):
            keep = self._ids[role].isin(there)
        elif self._edges is not None and self._nodes_are_dated:
            keep = self._edges.moment <= moment
        else:
            return table
        return table if keep.all() else take_rows(table, np.flatnonzero(keep))

    def _read_clocks(self, reading: Reading) -> None:
        """Finds when nodes and edges are there, and in which unit."""
        role = "transactions" if "transactions" in self._tables else "edges"
        rows = self._tables.get(role)
        self._ids = {
            name: self._read_ids(self._tables[name], "id", reading)
            for name in ("nodes", "labels")
            if name in self._tables
        }
        holder = rows if self.are_payments else self._tables.get("nodes")
        steps = None if holder is None else self._read_steps(holder, reading)
        self._nodes_are_dated = steps is not None
        self._edges = None if rows is None else self._read_rows(rows, reading)
        self._rows_are_dated = self._edges is not None
        reading.findings.raise_faults()
        known = [clock for clock in (steps, self._edges) if clock is not None]
        self._check(role, rows, known)
        self.unit, self._in_seconds = known[0].unit, known[0].is_seconds
        if self.are_payments:
            self._first = pd.Series(dtype="int64")
            return
        ends = [] if rows is None else [self._read_ids(rows, k, reading) for k in ENDS]
        if steps is not None:
            self._first = pd.Series(steps.moment, index=self._ids["nodes"])
            self._edges = _until_both_are_there(self._edges, self._first, ends)
        else:
            self._first = _first_named(self._edges, ends, self._ids.get("nodes"))
        reading.findings.raise_faults()

    def _check(self, role: str, rows: Table | None, known: list[_Clock]) -> None:
        """Refuses tables whose times are missing or cannot be compared."""
        columns = "/".join(self.declared.columns_of("time"))
        if role == "transactions" and self._edges is None:
            raise InputError(
                f"{self.where}: a backtest needs the time of each transaction, in a column "
                f"{columns} (time: in graph.yaml names another; docs/guides/own-graphs.md)"
            )
        if not known:
            raise InputError(
                f"{self.where}: a backtest needs the time of each node, in a column "
                f"{self.declared.time_step} of the nodes, or of each edge, in a column {columns} "
                "(time_step: and time: in graph.yaml name others; docs/guides/own-graphs.md)"
            )
        if self.are_payments and self.declared.undirected and self.declared.tell_apart:
            raise InputError(
                f"{self.where}: undirected with tell_apart describes transactions by later ones, "
                "which a backtest cannot use; leave one of them out of graph.yaml"
            )
        if len({clock.unit for clock in known}) > 1:
            raise InputError(
                f"{self.where}: of nodes and {role}, one has dates and the other numbers, which "
                "cannot be compared; write both in one way"
            )

    def _read_ids(self, table: Table, key: str, reading: Reading) -> pd.Index:
        columns = resolve(table, reading, [key])[key]
        reading.findings.raise_faults()
        return read_ids(table, columns, self.declared.missing_values, reading.findings)

    def _read_steps(self, table: Table, reading: Reading) -> _Clock | None:
        name = self.declared.time_step
        if name not in table.names:
            return None
        steps, faults, kind = read_time_step(table.frame[name], reading.options(table, name))
        reading.fault(table, name, faults)
        return _Clock(steps, "day") if kind == "date" else _to_clock(steps.astype(float), False)

    def _read_rows(self, table: Table, reading: Reading) -> _Clock | None:
        check_optional(table, reading, ["time"])
        times = read_times(table, reading)
        if times is None:
            return None
        kinds = {c.kind for c in reading.columns if c.file == table.where and c.role == "time"}
        return _to_clock(times, "date" in kinds)


def _to_clock(times: NDArray[np.float64], is_date: bool) -> _Clock:
    """Seconds since 1970 become days, of which all is known at their end; other numbers stay."""
    is_day = count_seconds(times, is_date)
    whole = np.floor(times / DAY) if is_day else np.ceil(times)
    moment = np.where(np.isnan(whole), 0, whole).astype(np.int64)
    moment[np.isnan(whole)] = NEVER
    return _Clock(moment, "day" if is_day else "step", is_day and not is_date)


def _first_named(
    rows: _Clock | None, ends: list[pd.Index], listed: pd.Index | None
) -> "pd.Series[int]":
    """When a row first names each node; those that are listed and never named have no time."""
    assert rows is not None  # or the nodes have times of their own
    named = pd.Series(np.tile(rows.moment, 2), index=ends[0].append(ends[1]))
    first = named.groupby(level=0).min()
    if listed is not None:
        first = first.reindex(listed.union(first.index, sort=False), fill_value=NEVER)
    return first


def _until_both_are_there(
    rows: _Clock | None, first: "pd.Series[int]", ends: list[pd.Index]
) -> _Clock | None:
    """Edges appear no sooner than their ends; ends that are no nodes are left to be refused."""
    if not ends:
        return rows
    unique = first[~first.index.duplicated()]
    earliest = np.iinfo(np.int64).min
    known = [unique.reindex(end, fill_value=earliest).to_numpy(np.int64) for end in ends]
    own = np.full(len(ends[0]), earliest) if rows is None else rows.moment
    return _Clock(np.maximum.reduce([own, *known]), "" if rows is None else rows.unit)
