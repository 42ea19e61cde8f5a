"""Graphs from tables in memory: pandas frames of nodes and edges, or of transactions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from aiec_graph.data.user.assemble import assemble, assemble_transactions
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.ids import to_node_ids
from aiec_graph.data.user.inspection import inspect_tables
from aiec_graph.data.user.profile import Feature, GraphTables, Reading
from aiec_graph.data.user.tables import Table, to_frame
from aiec_graph.errors import named
from aiec_graph.graph.column import Column
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Graph


def from_frames(
    nodes: pd.DataFrame,
    edges: pd.DataFrame | None,
    declaration: Declaration = Declaration(),  # noqa: B008 (frozen)
    name: str = "graph",
    columns: tuple[Column, ...] | None = None,
) -> Graph:
    """Makes a graph of two pandas frames, which are not changed.

    Args:
        nodes: a row for each node: an id, and where there are any a label (1 anomalous, 0 normal,
            empty unknown), a split (train, val, test or empty) and a time step; all other columns
            are features, numbers or categories, and may miss values.
        edges: a row for each edge: source, target, and a weight where there is one; None where
            the declaration links nodes by shared values alone.
        declaration: other column names, and how to read them.
        name: of the graph.
        columns: those of the graph that a network was trained on, where this one is to be scored:
            features are matched to them by name and take their kinds and categories.

    Raises:
        InputError: a column or value is not as it should be; names all of them with their rows.
    """
    reading = Reading(declaration, columns)
    links = None if edges is None else Table(to_frame(edges, "edges"), "edges")
    tables = assemble(Table(to_frame(nodes, "nodes"), "nodes"), links, reading)
    return to_graph(tables, reading, name, "nodes")


def from_transactions(
    transactions: pd.DataFrame,
    accounts: pd.DataFrame | None = None,
    declaration: Declaration = Declaration(),  # noqa: B008 (frozen)
    name: str = "transactions",
    columns: tuple[Column, ...] | None = None,
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
        columns: as in `from_frames`.

    Raises:
        InputError: a column or value is not as it should be; names all of them with their rows.
    """
    reading = Reading(declaration, columns)
    extra = None if accounts is None else Table(to_frame(accounts, "accounts"), "accounts")
    rows = Table(to_frame(transactions, "transactions"), "transactions")
    tables = assemble_transactions(rows, extra, reading)
    return to_graph(tables, reading, name, "transactions")


def graph_of(nodes: Table, edges: Table, declared: Declaration, name: str) -> Graph:
    """As `from_frames`, of tables that know where they are from."""
    reading = Reading(declared)
    return to_graph(assemble(nodes, edges, reading), reading, name, nodes.where)


def to_graph(tables: GraphTables | None, reading: Reading, name: str, where: str) -> Graph:
    """Makes a graph of what was read.

    Raises:
        InputError: lists every fault that was found.
    """
    reading.findings.raise_faults()
    assert tables is not None  # without a fault there are arrays
    inspect_tables(tables, reading, where)
    nodes = tables.nodes
    if not nodes.features:  # where they are not needed: a graph has some column all the same
        nothing = Feature(Column("nothing"), np.zeros(len(nodes.ids)))
        nodes = replace(nodes, features=[nothing])
    x = np.empty((len(nodes.ids), len(nodes.features)), np.float32)
    for i, feature in enumerate(nodes.features):
        x[:, i] = feature.values
    with named(where):
        return Graph(
            name=name,
            x=torch.from_numpy(x),
            edges=Edges.from_pairs(tables.source, tables.target, len(x), tables.weight),
            y=nodes.y,
            node_ids=to_node_ids(nodes.ids),
            given={} if nodes.parts is None else {"supervised": nodes.parts[None]},
            time_step=nodes.time_step,
            columns=tuple(feature.column for feature in nodes.features),
            notes=(*reading.findings.warnings, *reading.findings.notes),
            declaration=reading.declared.to_dict(),
        )
