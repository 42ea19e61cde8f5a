"""A table of nodes: ids, labels, split, time steps, and features by their meaning."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.user.columns import read_column
from aiec_graph.data.user.declaration import AGGREGATES
from aiec_graph.data.user.ids import find_repeated, read_ids
from aiec_graph.data.user.labels import read_labels, read_split, read_time_step
from aiec_graph.data.user.profile import Feature, NodeTable, Reading
from aiec_graph.data.user.roles import (
    check_features,
    check_optional,
    guess_kind,
    resolve,
    simplify,
)
from aiec_graph.data.user.tables import Table
from aiec_graph.errors import did_you_mean
from aiec_graph.graph.column import NO_PART, UNKNOWN, Column

BY_STRUCTURE = "fit and backtest do without by --features structural"
MOST_NAMED = 3


def read_nodes(table: Table, reading: Reading) -> NodeTable | None:
    """Reads a clean table of nodes; None where its ids cannot be read.

    What is wrong is added to the findings of the reading.
    """
    declared = reading.declared
    id_columns = resolve(table, reading, ["id"])["id"]
    check_optional(table, reading, ["label", "split", "time_step"])
    rows = len(table.frame)
    if not rows:
        reading.findings.add_fault(f"{table.where}: the file holds no rows")
        return None
    ids = None
    if id_columns:
        ids = read_ids(table, id_columns, declared.missing_values, reading.findings)
        for name in id_columns:
            reading.record(table, name, "id", "text")
        for row in find_repeated(ids)[:MOST_NAMED]:
            if ids[row]:
                reading.findings.add_fault(
                    f"{table.at(int(row))}: the {'/'.join(id_columns)} {ids[row]!r} is repeated",
                    f"{table.where} id",
                )
    y = np.full(rows, UNKNOWN)
    if declared.label in table.frame:
        y = read_label_column(table, reading, declared.label)
    parts = time_step = None
    if declared.split in table.frame:
        values, options = table.frame[declared.split], reading.options(table, declared.split)
        parts, faults = read_split(values, options)
        parts[y == UNKNOWN] = NO_PART
        reading.record(table, declared.split, "split", "category")
        reading.fault(table, declared.split, faults)
    if declared.time_step in table.frame:
        values, options = (
            table.frame[declared.time_step],
            reading.options(table, declared.time_step),
        )
        time_step, faults, kind = read_time_step(values, options)
        reading.record(table, declared.time_step, "time_step", kind)
        reading.fault(table, declared.time_step, faults)
    features = read_features(table, reading)
    return None if ids is None else NodeTable(ids, features, y, parts, time_step)


def read_label_column(table: Table, reading: Reading, column: str) -> NDArray[np.int64]:
    """Reads a column of labels [N]; what is wrong is added to the findings."""
    options = reading.options(table, column)
    y, faults = read_labels(table.frame[column], reading.declared, options)
    reading.record(table, column, "label", "category")
    reading.fault(table, column, faults)
    return y


def read_features(table: Table, reading: Reading) -> list[Feature]:
    """Reads all columns of a table of nodes that are features, or were in training."""
    names = _choose(table, reading)
    known = {column.name: column for column in reading.trained or ()}
    features = []
    for name in names:
        trained = known.get(name)
        found = read_column(table.frame[name], reading.options(table, name, trained))
        reading.record(table, name, "feature", found.kind)
        reading.fault(table, name, found.faults)
        reading.findings.notes += [f"{table.where}, column {name}: {n}" for n in found.notes]
        reading.findings.warnings += [f"{table.where}, column {name}: {w}" for w in found.warnings]
        declared = reading.declared
        column = trained or Column(
            name=name,
            categories=found.categories,
            missing=declared.missing_of.get(name, declared.missing),
            kind=found.kind if found.kind != "text" else "category",
            notation=found.notation,
            is_optional=name in declared.missing_of,
        )
        features.append(Feature(column, found.values))
    return features


def _choose(table: Table, reading: Reading) -> list[str]:
    """Names of the columns that are features."""
    declared = reading.declared
    special = {*declared.columns_of("id"), declared.label, declared.split, declared.time_step}
    if reading.trained is not None:
        return _choose_trained(table, reading, special)
    for key in ("categorical", "numeric", "drop", "missing_of"):
        for name in getattr(declared, key):
            if key == "drop" and name in reading.elsewhere:
                continue
            if name and name not in table.names and name not in table.vectors:
                reading.findings.add_fault(
                    f"{table.where}: {table.declared_in} names the column {name!r} ({key}), which "
                    f"is not there.{did_you_mean(name, table.names)}"
                )
    dropped = _expand(declared.drop, table)
    if declared.features is not None:
        names = _expand(declared.features, table)
        for name in names:
            if name in special - {declared.time_step}:
                reading.findings.add_fault(
                    f"{table.where}: the column {name!r} is listed under features: but it is the "
                    "id, the label or the split"
                )
            elif name not in table.names:
                reading.findings.add_fault(
                    f"{table.where}: {table.declared_in} names the column {name!r} (features), "
                    f"which is not there.{did_you_mean(name, table.names)}"
                )
        names = [n for n in names if n in table.names and n not in special - {declared.time_step}]
    else:
        free = [n for n in table.names if n not in special and n not in dropped]
        said = {*declared.categorical, *declared.numeric, *declared.missing_of}
        kept = check_features(table, reading, [n for n in free if n not in said])
        names = [n for n in free if n in said or n in kept]
    for name in table.names:
        if name not in names and name not in special:
            _record_ignored(table, reading, name)
    return names


def _choose_trained(table: Table, reading: Reading, special: set[str]) -> list[str]:
    wanted = [column.name for column in reading.trained or ()]
    extra = [n for n in table.names if n not in wanted and n not in special]
    for name in extra:
        _record_ignored(table, reading, name)
    unsaid = [n for n in extra if n not in _expand(reading.declared.drop, table)]
    if unsaid and wanted:
        more = " …" if len(unsaid) > 5 else ""
        reading.findings.notes.append(
            f"{table.where}: {', '.join(unsaid[:5])}{more} {'is' if len(unsaid) == 1 else 'are'} "
            "not used: the training data had no such column"
        )
    return [name for name in wanted if name in table.names]


def _record_ignored(table: Table, reading: Reading, name: str) -> None:
    if not any((c.file, c.name) == (table.where, name) for c in reading.columns):
        reading.record(table, name, "ignored", guess_kind(table, name))


def _expand(names: Sequence[str], table: Table) -> list[str]:
    """The names with those of vectors replaced by the names of their parts."""
    return [part for name in names for part in table.vectors.get(name, [name])]


def align(features: list[Feature], table: Table, rows: int, reading: Reading) -> list[Feature]:
    """Puts features in the order of the training data; a missing one is a fault or all missing.

    Args:
        features: that were found.
        table: that they are from.
        rows: N.
        reading: its `trained` columns are the order; None leaves the features as they are.
    """
    where = table.where
    if reading.trained is None:
        if not features and reading.needs_features and not reading.findings.faults:
            listed = ", ".join(table.names)[:300]
            reading.findings.add_fault(
                f"{where}: no feature columns; found only {listed}; {BY_STRUCTURE}"
            )
        return features
    found = {feature.column.name: feature for feature in features}
    result = []
    for column in reading.trained:
        feature = found.get(column.name)
        if feature is None:
            feature = Feature(column, np.full(rows, np.nan))
            unused = [c.name for c in reading.columns if c.role == "ignored"]
            near = [name for name in unused if simplify(name) == simplify(column.name)]
            if near:
                reading.findings.add_fault(
                    f"{where}: no column {column.name!r}, which the training data had; is it "
                    f"{near[0]!r}? Then rename it"
                )
            elif column.is_optional:
                reading.findings.warnings.append(
                    f"{where}: no column {column.name!r}; all its values count as missing"
                )
            elif source := _source_of(column.name, found):
                reading.findings.add_fault(
                    f"{where}: the transactions have no column {source!r}, of which features were "
                    "made in the training"
                )
            else:
                hint = did_you_mean(column.name, unused)
                reading.findings.add_fault(
                    f"{where}: no column {column.name!r}, which the training data had.{hint}"
                )
        result.append(Feature(column, feature.values))
    return result


def _source_of(name: str, found: Mapping[str, Feature]) -> str:
    """The column of transactions that a feature is made of; empty where it is of none."""
    made = re.fullmatch(
        rf"(?:out|in)_(.+)_(?:span|gap|{'|'.join(AGGREGATES)}|(?:count|share)\[.*\])", name
    )
    return made[1] if made and {"out_count", "in_count"} <= set(found) else ""
