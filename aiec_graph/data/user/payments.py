"""A graph whose nodes are transactions, joined where money flows on, for who judges payments.

Edges lead from an earlier transaction to a later one alone, and a transaction is described by what
its two accounts did before it; so neither features nor edges know of what came after.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.as_of import keep_known
from aiec_graph.data.user.dates import DAY
from aiec_graph.data.user.ids import read_ids
from aiec_graph.data.user.links import both_ways, read_number_column
from aiec_graph.data.user.nodes import align, read_nodes
from aiec_graph.data.user.profile import Feature, GraphTables, Reading
from aiec_graph.data.user.relations import merge, prepare, read_values
from aiec_graph.data.user.roles import check_optional, resolve
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import read_times
from aiec_graph.errors import InputError
from aiec_graph.graph.column import Column

Index = NDArray[np.int64]
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": DAY, "": 1.0}
HISTORY = {"source": ("source", "source"), "flow": ("source", "target"), "target": ("target",) * 2}
"""For each way of joining: which account of a transaction, and as what it stood in earlier ones."""
WORDS = {"source": "source_sent", "flow": "source_got", "target": "target_got"}
MOST_NAMED = 3


@dataclass(frozen=True)
class Before:
    """For each transaction, those before it with the same account or value."""

    rows: Index
    """Transactions in the order in which the ranges below name them [M]."""
    low: Index
    high: Index
    """The earlier ones of each transaction are `rows[low:high]`, the latest last [N]."""

    @classmethod
    def find(
        cls, earlier: Index, later: Index, time: NDArray[np.float64], window: float
    ) -> "Before":
        """Finds the earlier transactions by one sort and two binary searches.

        Args:
            earlier: the code of the account (or value) of each transaction as an earlier one, -1
                for none [N].
            later: the same as a later one [N].
            time: [N]; of the same time are in the order of the table.
            window: how long before, in the units of the times; infinite for any time.
        """
        count = len(time)
        order = np.argsort(time, kind="stable")
        rank = np.empty(count, np.int64)
        rank[order] = np.arange(count)
        oldest = np.searchsorted(time[order], time - window, side="left")
        known = order[earlier[order] >= 0]
        keys = earlier[known] * count + rank[known]
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        low = np.searchsorted(keys, later * count + oldest, side="left")
        high = np.searchsorted(keys, later * count + rank, side="left")
        nothing = later < 0
        low[nothing] = high[nothing] = 0
        return cls(known[by_key], low, high)

    def pairs(self, cap: int) -> tuple[Index, Index, int]:
        """The latest `cap` earlier ones of each transaction.

        Returns:
            Sources (earlier) and targets [E], and how many transactions had more than the cap.
        """
        low = np.maximum(self.low, self.high - cap)
        counts = self.high - low
        targets = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(targets)) - np.repeat(np.cumsum(counts) - counts, counts)
        sources = self.rows[low[targets] + within]
        return sources, targets, int((self.high - self.low > cap).sum())

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over the earlier ones of each transaction [N]; a missing value counts as 0."""
        total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values[self.rows], nan=0.0))])
        return total[self.high] - total[self.low]

    def latest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value of the latest of the earlier ones [N]; NaN where there is none."""
        result = np.full(len(self.low), np.nan)
        some = self.high > self.low
        result[some] = values[self.rows[self.high[some] - 1]]
        return result


def parse_window(text: str) -> float:
    """A window such as 7d, 12h, 30min, 90s, or a number in the units of the times; "" for any.

    Raises:
        InputError: it is none of these, or not above 0.
    """
    if not text:
        return np.inf
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|)", text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"join_window must be like 7d, 12h, 30min or 90s; not {text!r}")
    return float(match[1]) * UNITS[match[2]]


def read_payments(table: Table, reading: Reading) -> GraphTables | None:
    """Reads a clean table of transactions as nodes; None where they cannot be read."""
    columns = resolve(table, reading, ["source", "target"])
    check_optional(table, reading, ["amount", "time"])
    table = keep_known(table, reading)
    time = read_times(table, reading)
    if time is None and reading.declared.is_default("time"):
        reading.findings.add_fault(
            f"{table.where}: transactions as nodes are joined by their times; no column "
            f"{'/'.join(reading.declared.columns_of('time'))!r}"
        )
    elif time is not None and np.isnan(time).any() and not reading.findings.faults:
        for row in np.flatnonzero(np.isnan(time))[:MOST_NAMED]:
            reading.findings.add_fault(f"{table.at(int(row))}: has no time")
    prepare(table, reading)
    if time is None or not (columns["source"] and columns["target"]):
        return None
    accounts = _read_accounts(table, columns, reading)
    amount = None
    if reading.declared.amount in table.names:
        amount = read_number_column(table, reading, reading.declared.amount, "amount")
    nodes = read_nodes(_as_nodes(table, columns, reading), reading)
    if nodes is None or reading.findings.faults:
        return None
    relations, features = _join(accounts, time, amount, table, reading)
    is_date = any(c.role == "time" and c.kind == "date" for c in reading.columns)
    step = np.floor(time / DAY if is_date else time).astype(np.int64)
    nodes = replace(
        nodes,
        features=[*nodes.features, *features],
        time_step=step if nodes.time_step is None else nodes.time_step,
    )
    none = np.zeros(0, np.int64)
    tables = merge(GraphTables(nodes, none, none, None), relations, reading)
    aligned = align(tables.nodes.features, table, len(time), reading)
    tables = replace(tables, nodes=replace(tables.nodes, features=aligned))
    if not reading.declared.undirected:
        return tables
    reading.findings.warnings.append(
        f"{table.where}: undirected: an earlier transaction is then described by later ones"
    )
    return both_ways(tables)


def _read_accounts(
    table: Table, columns: dict[str, list[str]], reading: Reading
) -> dict[str, Index]:
    """The codes of each transaction's accounts, by source and target [N]."""
    ends = {}
    for key in ("source", "target"):
        ids = read_ids(table, columns[key], reading.declared.missing_values, reading.findings)
        ends[key] = ids
        for name in columns[key]:
            reading.record(table, name, key, "text")
    codes, _ = pd.factorize(np.concatenate(list(ends.values())))
    out, into = np.split(codes.astype(np.int64), 2)
    return {"source": out, "target": into}


def _as_nodes(table: Table, columns: dict[str, list[str]], reading: Reading) -> Table:
    """The table without the columns of the accounts and the time; with an id where it has none."""
    declared = reading.declared
    if declared.transaction_label is not None:
        declared = replace(declared, label=declared.transaction_label)
    times = {c.name for c in reading.columns if c.role == "time" and c.file == table.where}
    roles = {*columns["source"], *columns["target"], *times}
    frame = table.frame.drop(columns=[name for name in table.names if name in roles])
    if declared.is_default("id") and "id" not in frame:
        frame = frame.assign(id=np.arange(len(frame)))
        reading.findings.notes.append(
            f"{table.where}: no column 'id'; transactions are named by their row, from 0 up"
        )
    reading.declared = declared
    return replace(table, frame=frame)


def _join(
    accounts: dict[str, Index],
    time: NDArray[np.float64],
    amount: NDArray[np.float64] | None,
    table: Table,
    reading: Reading,
) -> tuple[dict[str, tuple[Index, Index, None]], list[Feature]]:
    """The edges of each kind, and what is known of each transaction's accounts before it."""
    declared = reading.declared
    window = parse_window(declared.join_window)
    relations, features = {}, []
    for kind, (now, then) in HISTORY.items():
        before = Before.find(accounts[then], accounts[now], time, window)
        count = (before.high - before.low).astype(np.float64)
        found = {"count": count, "gap": time - before.latest(time)}
        if amount is not None:
            sums = before.sums(amount)
            found["amount_mean"] = np.divide(
                sums, count, out=np.full_like(sums, np.nan), where=count > 0
            )
        features += [Feature(Column(f"{WORDS[kind]}_{k}"), v) for k, v in found.items()]
        if kind in declared.join:
            relations[kind] = _take(before, kind, declared.join_cap, table, reading)
    for column in declared.link_by:
        codes = read_values(table, column, reading)
        before = Before.find(codes, codes, time, window)
        relations[column] = _take(before, column, declared.link_cap, table, reading)
    return relations, features


def _take(
    before: Before, kind: str, cap: int, table: Table, reading: Reading
) -> tuple[Index, Index, None]:
    source, target, more = before.pairs(cap)
    line = f"{table.where}: {len(source):,} links by {kind}"
    if more:
        line += f"; {more:,} transactions have more than {cap}, and keep the latest"
    reading.findings.notes.append(line)
    return source, target, None
