"""From tables to the arrays of a graph: cleans them, reads them, and gathers what is found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from aiec_graph.data.user.as_of import keep_known, keep_known_nodes
from aiec_graph.data.user.findings import Findings
from aiec_graph.data.user.ids import explain_strangers, find_places, read_ids
from aiec_graph.data.user.links import read_links
from aiec_graph.data.user.nodes import BY_STRUCTURE, align, read_label_column, read_nodes
from aiec_graph.data.user.payments import read_payments
from aiec_graph.data.user.profile import GraphTables, NodeTable, Reading
from aiec_graph.data.user.relations import add_links, prepare
from aiec_graph.data.user.roles import check_optional, find_near, resolve
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.transactions import read_transactions
from aiec_graph.graph.column import UNKNOWN


def assemble(
    nodes: Table | None, edges: Table | None, reading: Reading, labels: Table | None = None
) -> GraphTables | None:
    """Reads tables of nodes and edges, and of labels where these stand apart.

    There may be no edges where the declaration links nodes by shared values. Without a table of
    nodes these are the ends of the edges, those that were known `as_of` a time.

    Returns:
        The arrays, or None; only to be used where the reading's findings have no fault.
    """
    if nodes is None:
        assert edges is not None
        nodes = _name_ends(edges, reading)
        if nodes is None:
            return None
    nodes = reading.clean(nodes)
    if reading.declared.nodes_are == "transactions":
        reading.findings.add_fault(
            f"{nodes.where}: nodes_are: transactions needs a table of transactions"
        )
    prepare(nodes, reading)
    if edges is not None:
        edges = reading.clean(edges)
        reading.elsewhere = frozenset(edges.names)
        has_steps = any(n in nodes.names for n in reading.declared.columns_of("time_step"))
        if not has_steps or any(n in edges.names for n in reading.declared.columns_of("time")):
            edges = keep_known(edges, reading)
    found = read_nodes(nodes, reading)
    if found is not None and labels is not None:
        found = _add_labels(reading.clean(labels), found, nodes, reading)
    if found is None:
        if edges is not None:
            _look_at_edges(edges, reading)
        return None
    if edges is None:
        none = np.zeros(0, np.int64)
        tables = GraphTables(found, none, none, None)
    else:
        if not found.features and reading.trained is None and reading.needs_features:
            _offer_transactions(nodes, edges, reading)
        tables = read_links(edges, found, nodes.where, reading)
    made = _complete(tables or found, nodes, reading)
    return None if made is None else keep_known_nodes(made, reading)


def _name_ends(edges: Table, reading: Reading) -> Table | None:
    """A table of the nodes that known edges name, in the order in which they appear."""
    edges = reading.clean(edges)
    # What is wrong with the edges is told once, where they are read as edges.
    alone = replace(reading, findings=Findings())
    known = keep_known(edges, alone)
    columns = resolve(known, alone, ["source", "target"])
    names = reading.declared.columns_of("id")
    if not all(columns.values()):
        _look_at_edges(edges, reading)
        return None
    if len(names) > 1:
        reading.findings.add_fault(
            f"{edges.where}: ids of several columns ({', '.join(names)}) need a table of nodes"
        )
        return None
    missing = reading.declared.missing_values
    ends = [read_ids(known, own, missing, alone.findings) for own in columns.values()]
    ids = ends[0].append(ends[1]).unique()
    frame = pd.DataFrame({names[0]: ids[ids != ""]})
    return Table(frame, f"{edges.where} (its ends)", yaml=edges.yaml, is_clean=True)


def assemble_transactions(
    table: Table, accounts: Table | None, reading: Reading, labels: Table | None = None
) -> GraphTables | None:
    """Reads a table of transactions, and of accounts and of their labels where there are any."""
    table = reading.clean(table)
    reading.elsewhere = frozenset(table.names)
    accounts = None if accounts is None else reading.clean(accounts)
    if reading.declared.nodes_are == "transactions":
        if accounts is not None:
            reading.findings.warnings.append(
                f"{accounts.where}: not used, for the nodes are the transactions"
            )
            accounts = None
        found = read_payments(table, reading)
    else:
        if accounts is not None:
            prepare(accounts, reading)
        elif reading.declared.link_by:
            reading.findings.add_fault(
                f"{table.where}: link_by names columns of the accounts, and there is no such table"
            )
        found = read_transactions(table, accounts, reading)
        found = None if found is None else _complete(found, accounts or table, reading)
    if found is None:
        return None
    if labels is not None:
        where = table if accounts is None else accounts
        nodes = _add_labels(reading.clean(labels), found.nodes, where, reading)
        found = replace(found, nodes=nodes)
    return keep_known_nodes(found, reading)


def _complete(found: GraphTables | NodeTable, table: Table, reading: Reading) -> GraphTables | None:
    """Adds links by shared values, and puts the features in the order of the training data."""
    if isinstance(
        found, NodeTable
    ):  # the edges could not be read: look at the features all the same
        if not reading.declared.tell_apart:
            align(found.features, table, len(found.ids), reading)
        return None
    found = add_links(found, table, reading)
    features = align(found.nodes.features, table, len(found.nodes.ids), reading)
    return replace(found, nodes=replace(found.nodes, features=features))


def _offer_transactions(nodes: Table, edges: Table, reading: Reading) -> None:
    """Says how accounts without features of their own can be described."""
    measures = [find_near(edges, key)[0] or key for key in ("amount", "time")]
    measures = [name for name in measures if name in edges.names]
    if measures:
        line = edges.advise("transactions", Path(edges.where).name)
        reading.findings.add_fault(
            f"{nodes.where}: no feature columns; to describe the nodes by the {measures[0]} of "
            f"their edges, say {line}; {BY_STRUCTURE}"
        )
        check_optional(edges, reading, ["amount", "time"])


def _look_at_edges(edges: Table, reading: Reading) -> None:
    """Tells what is wrong with the edges although there are no nodes to join."""
    columns = resolve(edges, reading, ["source", "target"])
    for names in columns.values():
        if names:
            read_ids(edges, names, reading.declared.missing_values, reading.findings)


def _add_labels(table: Table, nodes: NodeTable, of: Table, reading: Reading) -> NodeTable:
    """Nodes with the labels of a table of their own."""
    declared = reading.declared
    columns = resolve(table, reading, ["id", "label"])
    if not (columns["id"] and columns["label"]):
        return nodes
    if (nodes.y != UNKNOWN).any():
        reading.findings.add_fault(
            f"{table.where}: labels are given in {of.where} too; keep them in one place"
        )
        return nodes
    ids = read_ids(table, columns["id"], declared.missing_values, reading.findings)
    reading.record(table, columns["id"][0], "id", "text")
    labels = read_label_column(table, reading, columns["label"][0])
    codes = find_places(ids, nodes.ids)
    strangers = np.flatnonzero((codes < 0) & (ids != ""))
    if len(strangers):
        cause = explain_strangers(ids[strangers], nodes.ids)
        message = (
            f"{table.at(int(strangers[0]))}: {len(strangers):,} of {len(ids):,} labels name nodes "
            f"that are not in {of.where}, such as {ids[strangers[0]]!r}{cause}"
        )
        if len(strangers) == len(ids):
            reading.findings.add_fault(message)
        else:
            reading.findings.warnings.append(message)
    twice = np.flatnonzero(ids.duplicated())
    for row in twice[:3]:
        reading.findings.add_fault(f"{table.at(int(row))}: the id {ids[row]!r} is repeated")
    y = nodes.y.copy()
    y[codes[codes >= 0]] = labels[codes >= 0]
    return replace(nodes, y=y)
