"""Edges of several kinds between the same nodes: links by shared values, and kinds told apart."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.user.aggregate import Groups, sort_by_code
from aiec_graph.data.user.profile import Feature, GraphTables, Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import spell, split_words
from aiec_graph.errors import did_you_mean
from aiec_graph.graph.column import Column

Index = NDArray[np.int64]
Weights = NDArray[np.float64]
COUNT = ": count"


def prepare(table: Table, reading: Reading) -> None:
    """Takes the columns that nodes are linked by from the features, unless they are listed there.

    A column that is not there becomes a fault.
    """
    declared = reading.declared
    listed = {*(declared.features or ()), *declared.categorical, *declared.numeric, *declared.drop}
    for name in declared.link_by:
        if name not in table.names:
            reading.findings.add_fault(
                f"{table.where}: {table.declared_in} names the column {name!r} (link_by), which "
                f"is not there.{did_you_mean(name, table.names)}"
            )
        elif name not in listed:
            reading.declared = replace(declared, drop=[*reading.declared.drop, name])


def read_values(table: Table, column: str, reading: Reading) -> Index:
    """Reads a column that nodes are linked by: the code of each row's value, -1 where empty [N]."""
    words = split_words(table.frame[column], reading.declared.missing_values)
    spelt = spell(words.text)
    codes = spelt.astype("category").cat.codes.to_numpy(np.int64)
    return words.spread(codes, np.int64(-1))


def link_by_value(codes: Index, cap: int, hubs: str) -> tuple[Index, Index, Weights | None, int]:
    """Joins the nodes that share a value, both ways.

    Of a value with up to `cap` + 1 nodes each is joined with each. Of a larger one, a hub, each
    node is joined with the `cap` (or one less, where that is odd) that stand next to it in the
    table, the last beside the first; so the work is at most N times the cap.

    Args:
        codes: the number of each node's value, -1 for none [N].
        cap: neighbours of a node by one value.
        hubs: "cap"; "drop": the nodes of a hub are not joined; "weigh": as "cap", and a link by a
            value of n nodes weighs 1 / (n - 1).

    Returns:
        Sources and targets [E], weights [E] or None, and the number of hubs.
    """
    rows = np.flatnonzero(codes >= 0)
    if not len(rows):
        return rows, rows, np.ones(0) if hubs == "weigh" else None, 0
    values, group = np.unique(codes[rows], return_inverse=True)
    order = sort_by_code(group, len(values))
    sizes = np.bincount(group)
    is_hub = sizes > cap + 1
    rows, group = rows[order], group[order]
    starts = (np.cumsum(sizes) - sizes)[group]
    place, size = np.arange(len(rows)) - starts, sizes[group]
    # Steps along the ring of a value's nodes: one way all the others, both ways half of the cap.
    reach = np.where(is_hub[group], 0 if hubs == "drop" else cap // 2, size - 1)
    sources, targets, sharers = [], [], []
    for step in range(1, int(reach.max()) + 1):
        chosen = np.flatnonzero(reach >= step)
        ahead = rows[starts[chosen] + (place[chosen] + step) % size[chosen]]
        ring = is_hub[group[chosen]]
        sources += [rows[chosen], ahead[ring]]
        targets += [ahead, rows[chosen][ring]]
        sharers += [size[chosen], size[chosen][ring]]
    none = np.zeros(0, np.int64)
    source, target, shared = (np.concatenate([none, *p]) for p in (sources, targets, sharers))
    weight = 1 / (shared - 1) if hubs == "weigh" else None
    return source, target, weight, int(is_hub.sum())


def add_links(tables: GraphTables, table: Table, reading: Reading) -> GraphTables:
    """Adds to a graph the links by shared values, and what its neighbourhoods apart tell.

    Args:
        tables: nodes and edges; the first rows of the nodes are those of the table.
        table: that holds the columns of `link_by`.
        reading: with the declaration; says which values are hubs.
    """
    declared = reading.declared
    relations = split_by_kind(tables)
    for column in declared.link_by:
        if column not in table.names:
            continue
        codes = read_values(table, column, reading)
        source, target, weight, hubs = link_by_value(codes, declared.link_cap, declared.hubs)
        relations[column] = (source, target, weight)
        reading.record(table, column, "link", "category")
        tell_links(f"{table.where}, column {column}", len(source), hubs, reading)
    return merge(tables, relations, reading)


def tell_links(where: str, edges: int, hubs: int, reading: Reading) -> None:
    """Says how many nodes a column joins, and what became of values that many share."""
    declared = reading.declared
    done = {
        "cap": f"each of their nodes is joined with {declared.link_cap} others at most",
        "drop": "their nodes are not joined",
        "weigh": f"each of their nodes is joined with {declared.link_cap} others at most, by links "
        "that weigh less the more nodes share the value",
    }[declared.hubs]
    line = f"{where}: {edges:,} links between nodes that share a value"
    if hubs:
        line += f"; {hubs:,} values are of more than {declared.link_cap + 1} nodes, and {done}"
    reading.findings.notes.append(line)


def merge(
    tables: GraphTables,
    relations: Mapping[str, tuple[Index, Index, Weights | None]],
    reading: Reading,
) -> GraphTables:
    """One graph of several kinds of edges, which features tell apart where that is declared.

    Args:
        tables: of the nodes; its edges are left out.
        relations: sources, targets and weights of the edges of each kind.
        reading: with the declaration.
    """
    if reading.declared.tell_apart:
        apart = describe_apart(tables, relations, reading)
        nodes = replace(tables.nodes, features=[*tables.nodes.features, *apart])
        tables = replace(tables, nodes=nodes)
    if list(relations) == ["edges"]:
        return tables
    none = np.zeros(0, np.int64)
    parts = [*relations.values(), (none, none, None)]
    source, target = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    weight = None
    if any(part[2] is not None for part in parts):
        ones = (np.ones(len(part[0])) if part[2] is None else part[2] for part in parts)
        weight = np.concatenate(list(ones))
    return replace(tables, source=source, target=target, weight=weight)


def describe_apart(
    tables: GraphTables,
    relations: Mapping[str, tuple[Index, Index, Weights | None]],
    reading: Reading,
) -> list[Feature]:
    """Describes each node by each kind of edges: its neighbours' number, and their means.

    Neighbours are those from which an edge comes in. A kind that was there in the training data and
    is not here has no neighbours.
    """
    names = list(relations)
    if reading.trained is not None:
        known = [c.name for c in reading.trained if c.name.endswith(COUNT)]
        names = [name.removesuffix(COUNT) for name in known]
    none = np.zeros(0, np.int64)
    features = []
    numbers = [f for f in tables.nodes.features if f.column.categories is None]
    for name in names:
        source, target, _ = relations.get(name, (none, none, None))
        groups = Groups(target, len(tables.nodes.ids))
        features.append(Feature(Column(f"{name}{COUNT}"), groups.sizes.astype(np.float64)))
        for feature in numbers:
            mean = groups.aggregate(feature.values[source], "mean")
            column = replace(feature.column, name=f"{name}: mean {feature.column.name}")
            features.append(Feature(column, mean))
    return features


def split_by_kind(tables: GraphTables) -> dict[str, tuple[Index, Index, Weights | None]]:
    """The edges of a graph by their kind; those of none are of the kind "edges"."""
    if tables.kinds is None:
        return {"edges": (tables.source, tables.target, tables.weight)}
    found = {}
    for code, name in enumerate((*tables.kind_names, "edges")):
        rows = np.flatnonzero(tables.kinds == (-1 if code == len(tables.kind_names) else code))
        weight = None if tables.weight is None else tables.weight[rows]
        if len(rows):
            found[name] = (tables.source[rows], tables.target[rows], weight)
    return found
