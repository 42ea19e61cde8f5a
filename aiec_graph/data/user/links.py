"""A table of edges over known nodes: their ends and weights."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.columns import Fault, Options, read_column
from aiec_graph.data.user.hints import tell_banks, tell_ignored
from aiec_graph.data.user.ids import explain_strangers, find_places, read_ids
from aiec_graph.data.user.profile import GraphTables, NodeTable, Reading
from aiec_graph.data.user.roles import check_optional, guess_kind, resolve
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import spell, split_words
from aiec_graph.errors import did_you_mean

MOST_NAMED = 2


def read_links(table: Table, nodes: NodeTable, where: str, reading: Reading) -> GraphTables | None:
    """Reads a clean table of edges; None where its ends cannot be read.

    Args:
        table: of edges; one without rows is a graph without edges.
        nodes: that they join.
        where: the name of the table of nodes in messages.
        reading: where faults go.
    """
    declared = reading.declared
    columns = resolve(table, reading, ["source", "target"])
    check_optional(table, reading, ["weight"])
    record_rest(table, reading)
    if not (columns["source"] and columns["target"]):
        return None
    ends: list[NDArray[np.int64]] = []
    strangers = {}
    for key in ("source", "target"):
        ids = read_ids(table, columns[key], declared.missing_values, reading.findings)
        for name in columns[key]:
            reading.record(table, name, key, "text")
        codes = find_places(ids, nodes.ids)
        strangers["/".join(columns[key])] = (ids, codes)
        ends.append(codes)
    _tell_strangers(table, nodes, where, strangers, reading)
    pairs = ends[0] * len(nodes.ids) + ends[1]
    repeated = len(pairs) - len(pd.unique(pairs))  # a tenth of the time of NumPy's
    weight = read_weights(table, reading) if declared.weight in table.frame else None
    if repeated and min(ends[0].min(), ends[1].min()) >= 0:
        reading.findings.facts.append(
            f"{table.where}: edges that are there already: {repeated:,} of {len(pairs):,}; they "
            f"are merged{'' if weight is None else ', and their weights added'}"
        )
    kinds, names = read_kinds(table, reading)
    tell_ignored(table, reading, "of edges only the ends, the weight and what edge_type: names are")
    tell_banks(table, columns, [ids for ids, _ in strangers.values()], reading)
    tables = GraphTables(nodes, ends[0], ends[1], weight, kinds, names)
    return both_ways(tables) if declared.undirected else tables


def read_kinds(table: Table, reading: Reading) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Reads of which kind each edge is [E], and the names of the kinds; None if undeclared."""
    column = reading.declared.edge_type
    if column is None:
        return None, ()
    if column not in table.names:
        reading.findings.add_fault(
            f"{table.where}: {table.declared_in} names the column {column!r} (edge_type), which "
            f"is not there.{did_you_mean(column, table.names)}"
        )
        return None, ()
    reading.record(table, column, "edge_type", "category")
    words = split_words(table.frame[column], reading.declared.missing_values)
    codes, names = pd.factorize(spell(words.text))
    return words.spread(codes.astype(np.int64), np.int64(-1)), tuple(map(str, names))


def both_ways(tables: GraphTables) -> GraphTables:
    """Adds the reverse of each edge but of self-loops, which go both ways as they are."""
    source, target, weight, kinds = tables.source, tables.target, tables.weight, tables.kinds
    back = source != target
    return replace(
        tables,
        source=np.concatenate([source, target[back]]),
        target=np.concatenate([target, source[back]]),
        weight=None if weight is None else np.concatenate([weight, weight[back]]),
        kinds=None if kinds is None else np.concatenate([kinds, kinds[back]]),
    )


def record_rest(table: Table, reading: Reading) -> None:
    """Records every column that has no role as one that is ignored."""
    known = {c.name for c in reading.columns if c.file == table.where}
    for name in table.names:
        if name not in known:
            reading.record(table, name, "ignored", guess_kind(table, name))


def _tell_strangers(
    table: Table,
    nodes: NodeTable,
    where: str,
    found: dict[str, tuple[pd.Index, NDArray[np.int64]]],
    reading: Reading,
) -> None:
    """Refuses edges that name nodes which are not there, and says why that likely is so."""
    wrong = np.zeros(len(table.frame), bool)
    for column, (ids, codes) in found.items():
        unknown = np.flatnonzero((codes < 0) & (ids != ""))
        wrong[unknown] = True
        if not len(unknown):
            continue
        cause = explain_strangers(ids[unknown].unique(), nodes.ids)
        for row in unknown[:MOST_NAMED]:
            reading.findings.add_fault(
                f"{table.at(int(row))}, column {column}: no node has the id {ids[row]!r}{cause}",
                f"{table.where} {column} strangers",
            )
    count = int(wrong.sum())
    if count > 1:
        share = 100 * count / len(wrong)
        all_of_them = count == len(wrong)
        reading.findings.add_fault(
            f"{table.where}: {count:,} of {len(wrong):,} edges ({share:.3g} %) name nodes that are "
            f"not in {where}" + ("; the ids of the two tables do not meet" if all_of_them else "")
        )


def read_number_column(
    table: Table, reading: Reading, column: str, role: str
) -> NDArray[np.float64]:
    """Reads a column that must hold numbers [N], NaN where empty; faults are added."""
    plain = reading.options(table, column)
    options = Options(
        name=column,
        is_numeric=True,
        is_measure=True,
        decimal=plain.decimal,
        thousands=plain.thousands,
        missing_values=plain.missing_values,
        trained=reading.measure_of_training(column),
        yaml=plain.yaml,
    )
    found = read_column(table.frame[column], options)
    reading.record(table, column, role, found.kind)
    faults = found.faults
    if found.kind not in ("number", "boolean") and not faults:
        faults = (Fault("must hold numbers"),)
    reading.fault(table, column, faults)
    reading.findings.notes += [f"{table.where}, column {column}: {n}" for n in found.notes]
    reading.findings.warnings += [f"{table.where}, column {column}: {w}" for w in found.warnings]
    reading.notations[column] = found.notation
    if found.values.size and np.nanmax(np.abs(found.values), initial=0) >= 2.0**53:
        reading.findings.notes.append(
            f"{table.where}, column {column}: numbers of more than 15 digits are rounded"
        )
    return found.values


def read_weights(table: Table, reading: Reading) -> NDArray[np.float64]:
    """Reads the weights of edges [E]: numbers from 0 up, none missing."""
    column = reading.declared.weight
    before = len(reading.findings.faults)
    weight = read_number_column(table, reading, column, "weight")
    if len(reading.findings.faults) > before:
        return np.ones(len(weight))
    wrong = np.flatnonzero(~(weight >= 0))
    reading.fault(
        table,
        column,
        [
            Fault(
                "is empty; an edge's weight must be a number from 0 up"
                if np.isnan(weight[row])
                else f"{weight[row]:g} is no weight of an edge; it must be a number from 0 up",
                int(row),
            )
            for row in wrong[:MOST_NAMED]
        ],
    )
    return weight
