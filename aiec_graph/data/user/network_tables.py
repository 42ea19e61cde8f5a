"""The nodes and edges of a NetworkX graph as tables; needs neither torch nor NetworkX itself."""

from typing import Any

import pandas as pd

from aiec_graph.data.user.declaration import Declaration, check_declaration
from aiec_graph.data.user.tables import Table
from aiec_graph.errors import InputError

MOST_GAPS = 100
"""More cells than this for each attribute that is given are refused."""


def tables_of_network(
    graph: Any, declared: Declaration, where: tuple[str, str]
) -> tuple[Table, Table]:
    """Makes tables of a NetworkX graph, which is not changed.

    Args:
        graph: of NetworkX.
        declared: the names of the columns.
        where: what to call its nodes and its edges in messages.

    Returns:
        The nodes and the edges; an undirected graph's edges go both ways.

    Raises:
        InputError: the graph is empty, or nearly all attributes are missing.
    """
    check_declaration(declared)
    if graph.number_of_nodes() == 0:
        raise InputError(f"{where[0]}: the graph has no nodes")
    rows = dict(graph.nodes(data=True))
    keys = set().union(*rows.values())
    given = sum(map(len, rows.values()))
    if len(keys) * len(rows) > MOST_GAPS * (given + 10_000):
        raise InputError(
            f"{where[0]}: {len(keys)} attributes over {len(rows)} nodes, nearly all of them "
            "missing; leave out those that few nodes have"
        )
    nodes = pd.DataFrame(list(rows.values()), index=range(len(rows)))
    name_id, first, second = (
        _get_single(declared, key, where[0]) for key in ("id", "source", "target")
    )
    notes, told = [], []
    if name_id in keys and any(str(data.get(name_id, n)) != str(n) for n, data in rows.items()):
        notes.append(f"the attribute {name_id} of the nodes is not used; a node's key is its id")
    nodes = nodes.drop(columns=name_id, errors="ignore")
    nodes.insert(0, name_id, [str(node) for node in rows])
    links = list(graph.edges(data=True))
    ends = [(s, t, data.get(declared.weight, 1)) for s, t, data in links]
    others = sorted({str(key) for *_, data in links for key in data} - {declared.weight, "id"})
    if others:
        listed = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        told.append(f"not used: {listed}; weight: names the attribute that weighs them")
    bare = sum(declared.weight not in data for *_, data in links)
    if 0 < bare < len(links):
        told.append(f"{bare:,} of {len(links):,} edges have no {declared.weight}, and weigh 1")
    columns = [first, second, declared.weight]
    edges = pd.DataFrame([(str(s), str(t), w) for s, t, w in ends], columns=columns)
    if not graph.is_directed() and not declared.undirected:
        back = edges[edges[columns[0]] != edges[columns[1]]]
        back = back.rename(columns={columns[0]: columns[1], columns[1]: columns[0]})
        edges = pd.concat([edges, back], ignore_index=True)
    if (edges[declared.weight] == 1).all():
        edges = edges.drop(columns=declared.weight)
    return Table(nodes, where[0], notes=tuple(notes)), Table(edges, where[1], notes=tuple(told))


def _get_single(declared: Declaration, key: str, where: str) -> str:
    names = declared.columns_of(key)
    if len(names) != 1:
        raise InputError(f"{where}: {key} must be one name for a network, not {names}")
    return names[0]
