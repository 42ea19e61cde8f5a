"""From tables to the arrays of a graph: cleans them, reads them, and gathers what is found."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from aiec_graph.data.column import UNKNOWN
from aiec_graph.data.user.as_of import keep_known
from aiec_graph.data.user.ids import explain_strangers, read_ids
from aiec_graph.data.user.links import read_links
from aiec_graph.data.user.nodes import align, read_label_column, read_nodes
from aiec_graph.data.user.profile import GraphTables, NodeTable, Reading
from aiec_graph.data.user.roles import find_near, resolve
from aiec_graph.data.user.tables import Table, clean
from aiec_graph.data.user.transactions import read_transactions


def assemble(
    nodes: Table, edges: Table, reading: Reading, labels: Table | None = None
) -> GraphTables | None:
    """Reads tables of nodes and edges, and of labels where these stand apart.

    Returns:
        The arrays, or None; only to be used where the reading's findings have no fault.
    """
    nodes, edges = clean(nodes, reading.findings), clean(edges, reading.findings)
    if any(name in edges.names for name in reading.declared.columns_of("time")):
        edges = keep_known(edges, reading)
    found = read_nodes(nodes, reading)
    if found is not None and labels is not None:
        found = _add_labels(clean(labels, reading.findings), found, nodes, reading)
    if found is None:
        _look_at_edges(edges, reading)
        return None
    if not found.features and reading.trained is None:
        _offer_transactions(nodes, edges, reading)
    found = replace(found, features=align(found.features, nodes, len(found.ids), reading))
    return read_links(edges, found, nodes.where, reading)


def assemble_transactions(
    table: Table, accounts: Table | None, reading: Reading, labels: Table | None = None
) -> GraphTables | None:
    """Reads a table of transactions, and of accounts and of their labels where there are any."""
    table = clean(table, reading.findings)
    accounts = None if accounts is None else clean(accounts, reading.findings)
    found = read_transactions(table, accounts, reading)
    if found is None or labels is None:
        return found
    where = table if accounts is None else accounts
    nodes = _add_labels(clean(labels, reading.findings), found.nodes, where, reading)
    return replace(found, nodes=nodes)


def _offer_transactions(nodes: Table, edges: Table, reading: Reading) -> None:
    """Says how accounts without features of their own can be described."""
    measures = [find_near(edges, key)[0] or key for key in ("amount", "time")]
    measures = [name for name in measures if name in edges.names]
    if measures:
        reading.findings.add_fault(
            f"{nodes.where}: no feature columns; to describe the nodes by the {measures[0]} of "
            f"their edges, say {edges.advise('transactions', Path(edges.where).name)}"
        )


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
    codes = nodes.ids.drop_duplicates().get_indexer(ids)
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
