"""A graph from one table of transactions: accounts, described by what they sent and got."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.aggregate import Groups
from aiec_graph.data.user.as_of import keep_known
from aiec_graph.data.user.hints import (
    tell_banks,
    tell_currencies,
    tell_ignored,
    tell_labels,
    tell_repeated,
)
from aiec_graph.data.user.ids import explain_strangers, read_ids, tell_near
from aiec_graph.data.user.inspection import describe_numbers, describe_span
from aiec_graph.data.user.links import (
    both_ways,
    read_kinds,
    read_number_column,
    read_weights,
    record_rest,
)
from aiec_graph.data.user.nodes import read_label_column, read_nodes
from aiec_graph.data.user.profile import Feature, GraphTables, NodeTable, Reading
from aiec_graph.data.user.roles import (
    check_optional,
    find_near,
    resolve,
    taken_names,
)
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import find_unit, read_times
from aiec_graph.data.user.words import spell, split_words
from aiec_graph.errors import did_you_mean
from aiec_graph.graph.column import UNKNOWN, Column

DEFAULT_AGGREGATES = ["sum", "mean", "max"]
EACH = {"counts": "count", "shares": "share"}
"""Aggregates of a category that make a column of each value, and the word in their names."""
MOST_VALUES = 20
LARGEST = float(np.finfo(np.float32).max)


def read_transactions(table: Table, accounts: Table | None, reading: Reading) -> GraphTables | None:
    """Reads clean tables of transactions and accounts; None where the ends cannot be read."""
    declared = reading.declared
    columns = resolve(table, reading, ["source", "target"])
    check_optional(table, reading, ["amount", "time", "weight"])
    table = keep_known(table, reading)
    extra = None if accounts is None else read_nodes(accounts, reading)
    leak = _label_of_rows(table, reading)
    if not len(table.frame):
        reading.findings.add_fault(f"{table.where}: the file holds no rows")
    described = _read_measures(table, reading)
    weight = read_weights(table, reading) if declared.weight in table.frame else None
    kinds, kind_names = read_kinds(table, reading)
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
    tell_ignored(table, reading, "features are made of what aggregate: names")
    tell_currencies(table, reading)
    tell_banks(table, columns, ends, reading)
    known = pd.Index([], dtype="str") if extra is None else extra.ids
    known = known.drop_duplicates()
    codes, ids = pd.factorize(np.concatenate([known, ends[0], ends[1]]))
    out, into = np.split(codes[len(known) :].astype(np.int64), 2)
    if line := tell_near(pd.Index(ids)):
        reading.findings.warnings.append(f"{table.where}: {line}")
    if reading.findings.faults:
        return None
    features = [
        feature
        for direction, own, partner in (("out", out, into), ("in", into, out))
        for feature in _describe(
            f"{direction}_", Groups(own, len(ids)), partner, described, reading
        )
    ]
    nodes = _add_accounts(table, accounts, extra, pd.Index(ids), features, reading)
    if extra is not None and accounts is not None:
        idle = np.bincount(np.concatenate([out, into]), minlength=len(ids))[: len(known)] == 0
        _check_meeting(table, accounts, extra, (idle, pd.Index(ids[len(known) :])), reading)
    if y_of_rows is not None:
        nodes = _label_accounts(table, nodes, y_of_rows, (out, into), reading)
    elif reading.trained is None and (nodes.y == UNKNOWN).all():
        tell_labels(table, reading)
    numbers = {name or "time": m.numbers for name, m in described.items() if m.numbers is not None}
    if "time" in numbers:
        tell_repeated(table, {"source": out, "target": into, **numbers}, reading)
    if weight is None:
        weight = np.ones(len(table.frame))
    tables = GraphTables(nodes, out, into, weight, kinds, kind_names)
    return both_ways(tables) if declared.undirected else tables


def _label_of_rows(table: Table, reading: Reading) -> str | None:
    """The column that labels the transactions; None where none is declared or it cannot be used."""
    declared = reading.declared
    leak = declared.transaction_label
    if leak is not None and leak not in table.names:
        near, _ = find_near(table, "transaction_label", taken_names(declared))
        hint = did_you_mean(leak, table.names) or (f" Did you mean {near!r}?" if near else "")
        reading.findings.add_fault(
            f"{table.where}: no column {leak!r} (transaction_label).{hint} Found: "
            f"{', '.join(table.names)[:300]}"
        )
        return None
    if leak is not None and leak in (declared.aggregate or {}):
        reading.findings.add_fault(
            f"{table.where}: the column {leak!r} labels the transactions, so it cannot be "
            "aggregated into features"
        )
    return leak


@dataclass(frozen=True)
class _Measure:
    """A column of the transactions that is aggregated."""

    numbers: NDArray[np.float64] | None = None
    """[N], NaN where empty."""
    codes: NDArray[np.int64] | None = None
    """The number of each value, -1 where it is empty or none of `values` [N]."""
    values: tuple[str, ...] = ()


def _read_measures(table: Table, reading: Reading) -> dict[str, _Measure]:
    """The columns of the transactions that are aggregated, and their time under an empty name."""
    declared = reading.declared
    measures = {}
    for column, kinds in get_aggregates(table, reading).items():
        if column not in table.names:
            reading.findings.add_fault(
                f"{table.where}: aggregate names the column {column!r}, which is not there. Found: "
                f"{', '.join(table.names)[:300]}"
            )
            continue
        role = "amount" if column == declared.amount else "feature"
        measure = _Measure()
        if set(kinds) - {"count", "nunique", *EACH}:
            measure = _Measure(read_number_column(table, reading, column, role))
        if measure.numbers is None or set(kinds) & set(EACH):
            words = split_words(table.frame[column], declared.missing_values)
            codes, values = pd.factorize(spell(words.text))
            again = words.spread(codes.astype(np.int64), np.int64(-1))
            measure = replace(measure, codes=again, values=tuple(map(str, values)))
            if measure.numbers is None:
                reading.record(table, column, role, "category")
        if set(kinds) & set(EACH):
            measure = _choose_values(table, column, measure, reading)
        measures[column] = measure
    times = read_times(table, reading)
    if times is not None:
        measures[""] = _Measure(times)
        is_date = "date" in {c.kind for c in reading.columns if c.role == "time"}
        if is_date or not np.isnan(times).all():
            span = describe_span(times) if is_date else describe_numbers(times, find_unit(times))
            reading.findings.facts.append(f"{table.where}: transactions {span}")
    for column, measure in measures.items():
        if measure.numbers is not None and not reading.findings.faults:
            _tell_empty(table, reading, column, int(np.isnan(measure.numbers).sum()))
    return measures


def _tell_empty(table: Table, reading: Reading, column: str, empty: int) -> None:
    if empty:
        name = column or " and ".join(reading.declared.columns_of("time"))
        reading.findings.warnings.append(
            f"{table.where}, column {name}: {empty:,} of {len(table.frame):,} rows are empty; what "
            "is computed of it leaves them out"
        )


def get_aggregates(table: Table, reading: Reading) -> dict[str, list[str]]:
    """Returns what to compute of which column of the transactions."""
    declared = reading.declared
    if declared.aggregate is not None:
        return declared.aggregate
    return {declared.amount: DEFAULT_AGGREGATES} if declared.amount in table.frame else {}


def _choose_values(table: Table, column: str, measure: _Measure, reading: Reading) -> _Measure:
    """Takes the values that become columns: those of the training data, else the most frequent."""
    assert measure.codes is not None
    counts = np.bincount(measure.codes[measure.codes >= 0], minlength=len(measure.values))
    if reading.trained is None:
        wanted = [measure.values[i] for i in np.argsort(-counts, kind="stable")[:MOST_VALUES]]
        if len(measure.values) > MOST_VALUES:
            reading.findings.notes.append(
                f"{table.where}, column {column}: the {MOST_VALUES} most frequent of "
                f"{len(measure.values):,} values become columns"
            )
    else:
        name = re.compile(rf"(?:out|in)_{re.escape(column)}_(?:count|share)\[(.*)\]", re.DOTALL)
        found = [name.fullmatch(trained.name) for trained in reading.trained]
        wanted = list(dict.fromkeys(match[1] for match in found if match))
        new = [i for i, value in enumerate(measure.values) if value not in set(wanted)]
        if new and len(wanted) < MOST_VALUES:
            top = measure.values[max(new, key=lambda i: counts[i])]
            reading.findings.warnings.append(
                f"{table.where}, column {column}: {counts[new].sum() / counts.sum():.1%} of the "
                f"values were not there in the training data, such as {top!r}"
            )
    place = {value: i for i, value in enumerate(wanted)}
    to_new = np.array([*(place.get(value, -1) for value in measure.values), -1], np.int64)
    return replace(measure, codes=to_new[measure.codes], values=tuple(wanted))


def _describe(
    prefix: str,
    groups: Groups,
    partner: NDArray[np.int64],
    measures: dict[str, _Measure],
    reading: Reading,
) -> list[Feature]:
    """The features of one direction, a row for each account."""
    declared = reading.declared
    aggregates = declared.aggregate or {declared.amount: DEFAULT_AGGREGATES}
    columns = {"count": groups.sizes.astype(np.float64)}
    columns["partners"] = groups.count_different(partner, groups.count)
    unit = reading.notations.get("", "")
    written: dict[str, str] = {"time_span": unit, "time_gap": unit}
    for column, kinds in aggregates.items():
        for kind in kinds if column in measures else ():
            made = _aggregate(column, kind, measures[column], groups)
            written |= dict.fromkeys(made, reading.notations.get(column, ""))
            columns |= made
    if "" in measures and measures[""].numbers is not None:
        times = measures[""].numbers
        span = groups.aggregate(times, "max") - groups.aggregate(times, "min")
        gaps = columns["count"] - 1
        columns["time_span"] = span
        columns["time_gap"] = np.divide(span, gaps, out=np.full_like(span, np.nan), where=gaps > 0)
    features = []
    for name, values in columns.items():
        if np.nanmax(np.abs(values), initial=0) > LARGEST:
            reading.findings.add_fault(
                f"{prefix}{name} of the transactions: a sum that does not fit 32 bits (at most "
                "3.4e38); write the column in larger units"
            )
        missing = declared.missing_of.get(f"{prefix}{name}", declared.missing)
        made_of = written.get(name, "")
        column = Column(f"{prefix}{name}", missing=missing, notation=made_of)
        features.append(Feature(column, values))
    return features


def _aggregate(
    column: str, kind: str, measure: _Measure, groups: Groups
) -> dict[str, NDArray[np.float64]]:
    """One declared aggregate of each group; of a category's values, a column for each."""
    if kind in EACH:
        assert measure.codes is not None
        counts = groups.count_each(measure.codes, len(measure.values))
        if kind == "shares":
            sizes = groups.sizes[:, None]
            counts = np.divide(counts, sizes, out=np.full_like(counts, np.nan), where=sizes > 0)
        names = [f"{column}_{EACH[kind]}[{value}]" for value in measure.values]
        return dict(zip(names, counts.T, strict=True))
    if measure.numbers is not None:
        return {f"{column}_{kind}": groups.aggregate(measure.numbers, kind)}
    codes = np.zeros(0, np.int64) if measure.codes is None else measure.codes
    if kind == "nunique":
        return {f"{column}_{kind}": groups.count_different(codes, len(measure.values))}
    numbers = np.where(codes < 0, np.nan, codes)
    return {f"{column}_{kind}": groups.aggregate(numbers, kind)}


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
        return NodeTable(ids, features, np.full(rows, UNKNOWN))
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
        features=[*features, *further],
        y=widen(extra.y, UNKNOWN),  # type: ignore[arg-type]
        parts=None if extra.parts is None else widen(extra.parts, 0),  # type: ignore[arg-type]
        time_step=time_step,
    )


def _check_meeting(
    table: Table,
    accounts: Table,
    extra: NodeTable,
    found: tuple[NDArray[np.bool_], pd.Index],
    reading: Reading,
) -> None:
    """Refuses accounts none of which has a transaction, and warns where most have none.

    Args:
        table: of the transactions.
        accounts: with their own table.
        extra: what it holds.
        found: whether each account is without transactions, and ids that have some but no account.
        reading: where faults go.
    """
    idle, ends = found
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
        largest = Groups(end, len(result)).aggregate(y.astype(np.float64), "max")
        result = np.fmax(result, largest).astype(np.int64)
    return NodeTable(nodes.ids, nodes.features, result, nodes.parts, nodes.time_step)
