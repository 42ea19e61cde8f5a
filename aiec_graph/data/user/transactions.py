"""A graph from one table of transactions: accounts, described by what they sent and got."""

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.graph import UNKNOWN, Graph
from aiec_graph.data.user.declaration import Declaration, check_declared
from aiec_graph.data.user.frames import graph_of, labels
from aiec_graph.data.user.tables import Table, to_ids
from aiec_graph.errors import InputError

DEFAULT_AGGREGATES = ["sum", "mean", "max"]
ZERO_WITHOUT = ("count", "sum", "nunique")
"""Aggregates that are 0 for an account without transactions; the others are missing there."""


def from_transactions(
    transactions: pd.DataFrame,
    accounts: pd.DataFrame | None = None,
    declaration: Declaration = Declaration(),  # noqa: B008 (frozen)
    name: str = "transactions",
) -> Graph:
    """Makes a graph of accounts out of a table of transactions, which is not changed.

    For each direction, out and in, an account is described by the number of its transactions and
    of its partners, by the declared aggregates of declared columns and, where there is a time, by
    the span and the mean gap between its transactions. Accounts with the same source and target
    are joined by one edge.

    Args:
        transactions: a row for each transaction: source, target and, where there are any, amount,
            time and more.
        accounts: a row for each account, with its label, split and further features; accounts
            that have no row here are of unknown class.
        declaration: column names, aggregates, labels.
        name: of the graph.

    Raises:
        InputError: a column or value is not as it should be; names the row.
    """
    extra = None if accounts is None else Table(accounts, "accounts")
    return graph_of_transactions(Table(transactions, "transactions"), extra, declaration, name)


def graph_of_transactions(
    table: Table, accounts: Table | None, declared: Declaration, name: str
) -> Graph:
    """As `from_transactions`, of tables that know where they are from."""
    check_declared(declared, ("amount", "time", "weight"), table)
    leak = declared.transaction_label
    if leak is not None and leak in (declared.aggregate or {}):
        raise InputError(
            f"{table.where}: the column {leak!r} labels the transactions, so it cannot be "
            "aggregated into features"
        )
    source, target = to_ids(table, declared.source), to_ids(table, declared.target)
    known = pd.Index([]) if accounts is None else to_ids(accounts, declared.id)
    codes, ids = pd.factorize(np.concatenate([known, source, target]))
    out, into = np.split(codes[len(known) :], 2)
    nodes = pd.DataFrame({declared.id: ids})
    for direction, own, partner in (("out", out, into), ("in", into, out)):
        described = _describe(table, own, partner, len(ids), declared)
        nodes = nodes.join(described.add_prefix(f"{direction}_"))
    if accounts is not None:
        further = accounts.frame.drop(columns=declared.id).set_axis(known, axis=0)
        if known.has_duplicates:
            row = int(np.flatnonzero(known.duplicated())[0])
            raise InputError(f"{accounts.at(row)}: the {declared.id} {known[row]!r} is repeated")
        clash = [column for column in further if column in nodes]
        if clash:
            raise InputError(
                f"{accounts.where}: the column {clash[0]!r} is computed here; rename it"
            )
        nodes = nodes.join(further, on=declared.id)
    if declared.transaction_label is not None:
        nodes[declared.label] = _label_accounts(table, out, into, nodes, declared)
    pairs = pd.DataFrame({"source": source, "target": target, "weight": _weights(table, declared)})
    named_columns = {
        "source": declared.source,
        "target": declared.target,
        "weight": declared.weight,
    }
    edges = Table(pairs.rename(columns=named_columns), table.where, table.first_line)
    where = table.where if accounts is None else accounts.where
    return graph_of(Table(nodes, where), edges, declared, name)


def _describe(
    table: Table,
    own: NDArray[np.int64],
    partner: NDArray[np.int64],
    accounts: int,
    declared: Declaration,
) -> pd.DataFrame:
    """The features of one direction, a row for each account."""
    groups = pd.DataFrame({"partner": partner}).groupby(own)
    described = pd.DataFrame(index=range(accounts))
    described["count"] = groups.size().reindex(described.index, fill_value=0)
    described["partners"] = groups["partner"].nunique().reindex(described.index, fill_value=0)
    aggregates = declared.aggregate
    if aggregates is None:
        aggregates = {declared.amount: DEFAULT_AGGREGATES} if declared.amount in table.frame else {}
    for column, kinds in aggregates.items():
        values = table.need(column)
        if any(kind not in ("count", "nunique") for kind in kinds):
            values = _numbers(table, column)
        grouped = pd.Series(values.to_numpy(), index=own).groupby(level=0)
        for kind in kinds:
            fill = 0.0 if kind in ZERO_WITHOUT else np.nan
            result = grouped.agg(kind).reindex(described.index, fill_value=fill)
            described[f"{column}_{kind}"] = result
    if declared.time in table.frame:
        time = pd.Series(_seconds(table, declared.time), index=own).groupby(level=0)
        span = (time.max() - time.min()).reindex(described.index)
        gaps = described["count"] - 1
        described["time_span"] = span
        described["time_gap"] = (span / gaps).where(gaps > 0)
    return described


def _numbers(table: Table, column: str) -> pd.Series:
    values = table.need(column)
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = np.flatnonzero((numbers.isna() & values.notna()) | np.isinf(numbers.astype(float)))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{table.at(row)}, column {column}: {values.iloc[row]!r} is not a finite number"
        )
    return numbers.astype(np.float64)


def _seconds(table: Table, column: str) -> NDArray[np.float64]:
    """A column of times as numbers: seconds where they are dates, else as they are."""
    values = table.need(column)
    if pd.api.types.is_numeric_dtype(values):
        return np.asarray(_numbers(table, column), dtype=np.float64)
    # In one way for all rows: 02/01 must not be in February where 13/01 is in January.
    dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    if (dates.isna() & values.notna()).any():
        with warnings.catch_warnings():  # that no one way was found: some row is refused below
            warnings.simplefilter("ignore", UserWarning)
            dates = pd.to_datetime(values, errors="coerce", utc=True)
    wrong = np.flatnonzero(dates.isna() & values.notna())
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{table.at(row)}, column {column}: {values.iloc[row]!r} is neither a number nor a date"
        )
    since = dates - pd.Timestamp(0, tz="UTC")
    return np.asarray(since.dt.total_seconds(), dtype=np.float64)


def _weights(table: Table, declared: Declaration) -> NDArray[np.float64]:
    if declared.weight in table.frame:
        return np.asarray(_numbers(table, declared.weight), dtype=np.float64)
    return np.ones(len(table.frame))


def _label_accounts(
    table: Table,
    out: NDArray[np.int64],
    into: NDArray[np.int64],
    nodes: pd.DataFrame,
    declared: Declaration,
) -> NDArray[np.int64]:
    """An account is anomalous if any of its transactions is, and normal if any is known to be."""
    if declared.label in nodes:
        raise InputError(
            f"{table.where}: labels are given both for accounts ({declared.label}) and for "
            f"transactions ({declared.transaction_label}); drop one"
        )
    y = labels(table, declared.transaction_label or "", declared)
    ends = {"source": [out], "target": [into], "both": [out, into]}[declared.label_of]
    result = np.full(len(nodes), UNKNOWN)
    for end in ends:
        np.maximum.at(result, end, y)
    return result
