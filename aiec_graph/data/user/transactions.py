"""A graph from one table of transactions: accounts, described by what they sent and got."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.column import UNKNOWN, Column
from aiec_graph.data.user.ids import explain_strangers, read_ids
from aiec_graph.data.user.links import read_number_column, read_weights, record_rest
from aiec_graph.data.user.nodes import align, read_label_column, read_nodes
from aiec_graph.data.user.profile import Feature, GraphTables, NodeTable, Reading
from aiec_graph.data.user.roles import check_optional, find_near, resolve, taken_names
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import read_times
from aiec_graph.data.user.words import spell, split_words
from aiec_graph.errors import did_you_mean

DEFAULT_AGGREGATES = ["sum", "mean", "max"]
ZERO_WITHOUT = ("count", "sum", "nunique")
"""Aggregates that are 0 for an account without transactions; the others are missing there."""
LARGEST = float(np.finfo(np.float32).max)


def read_transactions(table: Table, accounts: Table | None, reading: Reading) -> GraphTables | None:
    """Reads clean tables of transactions and accounts; None where the ends cannot be read."""
    declared = reading.declared
    columns = resolve(table, reading, ["source", "target"])
    check_optional(table, reading, ["amount", "time", "weight"])
    extra = None if accounts is None else read_nodes(accounts, reading)
    leak = declared.transaction_label
    if leak is not None and leak not in table.names:
        near, _ = find_near(table, "transaction_label", taken_names(declared))
        hint = did_you_mean(leak, table.names) or (f" Did you mean {near!r}?" if near else "")
        reading.findings.add_fault(
            f"{table.where}: no column {leak!r} (transaction_label).{hint} Found: "
            f"{', '.join(table.names)[:300]}"
        )
        leak = None
    if leak is not None and leak in (declared.aggregate or {}):
        reading.findings.add_fault(
            f"{table.where}: the column {leak!r} labels the transactions, so it cannot be "
            "aggregated into features"
        )
    if not len(table.frame):
        reading.findings.add_fault(f"{table.where}: the file holds no rows")
    described = _read_measures(table, reading)
    weight = read_weights(table, reading) if declared.weight in table.frame else None
    y_of_rows = None if leak is None else read_label_column(table, reading, leak)
    if not (columns["source"] and columns["target"]) or (accounts is not None and extra is None):
        record_rest(table, reading)
        return None
    ends = []
    for key in ("source", "target"):
        ends.append(read_ids(table, columns[key], declared.missing_values, reading.findings))
        for name in columns[key]:
            reading.record(table, name, key, "text")
    record_rest(table, reading)
    known = pd.Index([], dtype="str") if extra is None else extra.ids
    known = known.drop_duplicates()
    codes, ids = pd.factorize(np.concatenate([known, ends[0], ends[1]]))
    out, into = np.split(codes[len(known) :].astype(np.int64), 2)
    if reading.findings.faults:
        return None
    features = [
        feature
        for direction, own, partner in (("out", out, into), ("in", into, out))
        for feature in _describe(f"{direction}_", own, partner, len(ids), described, reading)
    ]
    nodes = _add_accounts(table, accounts, extra, pd.Index(ids), features, reading)
    if extra is not None and accounts is not None:
        _check_meeting(table, accounts, extra, pd.Index(ends[0].union(ends[1])), reading)
    if y_of_rows is not None:
        nodes = _label_accounts(table, nodes, y_of_rows, (out, into), reading)
    if weight is None:
        weight = np.ones(len(table.frame))
    return GraphTables(nodes, out, into, weight)


def _read_measures(table: Table, reading: Reading) -> dict[str, pd.Series]:
    """The columns of the transactions that are aggregated, and their time under an empty name."""
    declared = reading.declared
    aggregates = get_aggregates(table, reading)
    measures = {}
    for column, kinds in aggregates.items():
        if column not in table.names:
            reading.findings.add_fault(
                f"{table.where}: aggregate names the column {column!r}, which is not there. Found: "
                f"{', '.join(table.names)[:300]}"
            )
            continue
        role = "amount" if column == declared.amount else "feature"
        if any(kind not in ("count", "nunique") for kind in kinds):
            measures[column] = pd.Series(read_number_column(table, reading, column, role))
        else:
            words = split_words(table.frame[column], declared.missing_values)
            again = pd.factorize(spell(words.text))[0].astype(np.float64)
            measures[column] = pd.Series(words.spread(again, np.nan))
            reading.record(table, column, "feature", "category")
    times = read_times(table, reading)
    if times is not None:
        measures[""] = pd.Series(times)
    return measures


def get_aggregates(table: Table, reading: Reading) -> dict[str, list[str]]:
    """Returns what to compute of which column of the transactions."""
    declared = reading.declared
    if declared.aggregate is not None:
        return declared.aggregate
    return {declared.amount: DEFAULT_AGGREGATES} if declared.amount in table.frame else {}


def _describe(
    prefix: str,
    own: NDArray[np.int64],
    partner: NDArray[np.int64],
    accounts: int,
    measures: dict[str, pd.Series],
    reading: Reading,
) -> list[Feature]:
    """The features of one direction, a row for each account."""
    groups = pd.DataFrame({"partner": partner}).groupby(own)
    described = pd.DataFrame(index=range(accounts))
    described["count"] = groups.size().reindex(described.index, fill_value=0)
    described["partners"] = groups["partner"].nunique().reindex(described.index, fill_value=0)
    declared = reading.declared
    aggregates = declared.aggregate or {declared.amount: DEFAULT_AGGREGATES}
    for column, kinds in aggregates.items():
        if column not in measures:
            continue
        grouped = pd.Series(measures[column].to_numpy(), index=own).groupby(level=0)
        for kind in kinds:
            fill = 0.0 if kind in ZERO_WITHOUT else np.nan
            result = grouped.agg(kind).reindex(described.index, fill_value=fill)
            described[f"{column}_{kind}"] = result
    if "" in measures:
        time = pd.Series(measures[""].to_numpy(), index=own).groupby(level=0)
        span = (time.max() - time.min()).reindex(described.index)
        gaps = described["count"] - 1
        described["time_span"] = span
        described["time_gap"] = (span / gaps).where(gaps > 0)
    features = []
    for name in described:
        values = described[name].to_numpy(np.float64)
        if (np.abs(values[~np.isnan(values)]) > LARGEST).any():
            reading.findings.add_fault(
                f"{prefix}{name}: a sum that does not fit 32 bits (at most 3.4e38); write the "
                "column in larger units"
            )
        missing = declared.missing_of.get(f"{prefix}{name}", declared.missing)
        features.append(Feature(Column(f"{prefix}{name}", missing=missing), values))
    return features


def _add_accounts(
    table: Table,
    accounts: Table | None,
    extra: NodeTable | None,
    ids: pd.Index,
    features: list[Feature],
    reading: Reading,
) -> NodeTable:
    """All accounts: those with a row of their own come first."""
    rows = len(ids)
    if accounts is None or extra is None:
        aligned = align(features, table, rows, reading)
        return NodeTable(ids, aligned, np.full(rows, UNKNOWN))
    computed = {feature.column.name for feature in features}
    for feature in extra.features:
        if feature.column.name in computed:
            reading.findings.add_fault(
                f"{accounts.where}: the column {feature.column.name!r} is computed here; rename it"
            )

    def widen(values: NDArray[np.generic], empty: float) -> NDArray[np.generic]:
        result = np.full(rows, empty, values.dtype)
        result[: len(values)] = values
        return result

    further = [Feature(f.column, widen(f.values, np.nan)) for f in extra.features]  # type: ignore[arg-type]
    time_step = extra.time_step
    if time_step is not None and len(time_step) < rows:
        reading.findings.add_fault(
            f"{accounts.where}: {rows - len(time_step)} accounts have transactions and no row, so "
            f"they have no {reading.declared.time_step}"
        )
        time_step = None
    return NodeTable(
        ids=ids,
        features=align([*features, *further], accounts, rows, reading),
        y=widen(extra.y, UNKNOWN),  # type: ignore[arg-type]
        parts=None if extra.parts is None else widen(extra.parts, 0),  # type: ignore[arg-type]
        time_step=time_step,
    )


def _check_meeting(
    table: Table, accounts: Table, extra: NodeTable, ends: pd.Index, reading: Reading
) -> None:
    """Refuses accounts none of which has a transaction, and warns where most have none."""
    idle = ~extra.ids.isin(ends)
    if idle.all() and len(ends):
        cause = explain_strangers(extra.ids, ends)
        reading.findings.add_fault(
            f"{accounts.where}: none of its {len(idle):,} accounts has a transaction in "
            f"{table.where}; the ids of the two tables do not meet, such as {extra.ids[0]!r} and "
            f"{ends[0]!r}{cause}"
        )
        return
    labelled = extra.y != UNKNOWN
    for what, chosen in (("labelled accounts", labelled), ("accounts", np.ones(len(idle), bool))):
        count = int((idle & chosen).sum())
        if 2 * count > chosen.sum():
            cause = explain_strangers(extra.ids[idle & chosen], ends)
            reading.findings.warnings.append(
                f"{accounts.where}: {count:,} of {int(chosen.sum()):,} {what} have no transaction"
                f"{cause}"
            )
            return


def _label_accounts(
    table: Table,
    nodes: NodeTable,
    y: NDArray[np.int64],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    reading: Reading,
) -> NodeTable:
    """An account is anomalous if any of its transactions is, and normal if any is known to be."""
    declared = reading.declared
    if any(c.role == "label" and c.file != table.where for c in reading.columns):
        reading.findings.add_fault(
            f"{table.where}: labels are given both for accounts ({declared.label}) and for "
            f"transactions ({declared.transaction_label}); drop one"
        )
    out, into = ends
    chosen = {"source": [out], "target": [into], "both": [out, into]}[declared.label_of]
    result = np.full(len(nodes.ids), UNKNOWN)
    for end in chosen:
        np.maximum.at(result, end, y)
    return NodeTable(nodes.ids, nodes.features, result, nodes.parts, nodes.time_step)
