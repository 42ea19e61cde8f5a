"""What a node scores without one of its neighbours, exactly, with everything else as it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data.transforms.neighbourhood import (
    STATISTICS,
    Neighbourhood,
    Table,
    neighbour_statistics,
)
from aiec_graph.data.transforms.structural import undirected
from aiec_graph.detect.progress import counted
from aiec_graph.detect.reasons_columns import Floats, Prepared, margins
from aiec_graph.detect.reasons_reach import Reach, computed_for, depth_of, hops_of
from aiec_graph.graph.edges import Edges
from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.train.baselines import COLUMNS, TableClassifier, logit
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.network_classifier import NetworkClassifier
from aiec_graph.train.selection import from_top, to_rank

Csr = Any
Pairs = NDArray[np.int64]
"""[P, 2]: a node, and the neighbour to which it loses its edges, in both directions."""
Member = TableClassifier | NetworkClassifier
NOBODY = -1
"""In place of a pair's neighbour: all edges stay."""
ENTRIES_AT_ONCE = 5_000_000
"""Neighbours whose columns are looked at together: 60 MB of their numbers, and as many values."""


def members_of(classifier: Any) -> list[tuple[float, Any, Any]]:
    """The models that a score is made of: weight, model, and what makes its margin a rank.

    The last is None for a classifier that is no mixture, whose margin is the score.
    """
    if not isinstance(classifier, AutoClassifier):
        return [(1.0, classifier, None)]
    return [
        (weight / len(models), model, ranker)
        for weight, models, _ in classifier.members_
        for model, ranker in models
    ]


def score_without(classifier: Any, prepared: Prepared, pairs: Pairs) -> Floats:
    """The score of each pair's node once its edges with the pair's neighbour are gone [P].

    For networks the node's `Reach` without these edges is scored again. For tables the node's
    columns are made again; see `rows_without`.
    """

    def of_table(model: TableClassifier) -> Floats:
        return _table_margins(model, prepared, pairs)

    return _mixed(classifier, of_table, _network_margins(classifier, prepared, pairs))


def score_within(classifier: Any, prepared: Prepared, nodes: NDArray[np.int64]) -> Floats:
    """The score of each node [M] where networks see no more than its `Reach`."""

    def of_table(model: TableClassifier) -> Floats:
        return margins(model, prepared)[nodes]

    nobody = np.stack([nodes, np.full(len(nodes), NOBODY)], 1)
    return _mixed(classifier, of_table, _network_margins(classifier, prepared, nobody))


def _mixed(
    classifier: Any, of_table: Callable[[TableClassifier], Floats], of_networks: list[Floats]
) -> Floats:
    """The score from the margins of its models, those of the networks in their order."""
    left = iter(of_networks)

    def margin(model: Member) -> Floats:
        return next(left) if isinstance(model, NetworkClassifier) else of_table(model)

    if not isinstance(classifier, AutoClassifier):
        return margin(classifier)
    found = sum(
        member.weight * member.mix([margin(model) for model, _ in member.models])
        for member in classifier.members_
    )
    return logit(to_rank(np.asarray(found)))


def table_effects(classifier: Any, prepared: Prepared, pairs: Pairs) -> Floats:
    """What the models on tables lose of the mixture's scale, or of their margin, per pair [P]."""
    found = np.zeros(len(pairs))
    for weight, model, ranker in members_of(classifier):
        if isinstance(model, TableClassifier):
            before = margins(model, prepared)[pairs[:, 0]]
            after = _table_margins(model, prepared, pairs)
            if ranker is not None:
                before, after = from_top(ranker(before)), from_top(ranker(after))
            found += weight * (before - after)
    return found


def without_pair(matrix: Csr, node: int, other: int) -> Csr:
    """A CSR matrix without the entries (node, other) and (other, node)."""
    gone = []
    for row, column in ((node, other), (other, node)):
        start, end = matrix.indptr[row : row + 2]
        gone.append(start + np.flatnonzero(matrix.indices[start:end] == column))
    where = np.concatenate(gone)
    indptr = matrix.indptr.copy()
    for row, entries in zip((node, other), gone, strict=True):
        indptr[row + 1 :] -= len(entries)
    parts = (np.delete(matrix.data, where), np.delete(matrix.indices, where), indptr)
    return sparse.csr_array(parts, shape=matrix.shape)


def _network_margins(classifier: Any, prepared: Prepared, pairs: Pairs) -> list[Floats]:
    """Margins of each network classifier [P], where each pair lacks its neighbour."""
    models = [m for _, m, _ in members_of(classifier) if isinstance(m, NetworkClassifier)]
    if not models:
        return []
    inputs = [model.preprocessor_.transform(prepared.graph) for model in models]
    hops = max(hops_of(model.networks_[0]) for model in models)
    found = [np.zeros(len(pairs)) for _ in models]
    reach = matrix = last = None
    for p, (node, other) in enumerate(counted(pairs.tolist(), "scoring without each neighbour")):
        if reach is None or node != last:  # the pairs of a node follow each other
            last, reach = node, prepared.reach(node, hops)
            matrix = reach.induced(prepared.matrix)
        adjacency = _adjacency_without(matrix, reach, other)
        reached: dict[int | None, Any] = {}  # networks of one depth share their blocks
        for model, x, margin in zip(models, inputs, found, strict=True):
            for network in model.networks_:
                depth = depth_of(network)
                if depth not in reached:
                    reached[depth] = computed_for(network, adjacency, reach.row)
                rows, neighbourhoods, row = reached[depth]
                numbers = reach.nodes if rows is None else reach.nodes[rows]
                with torch.no_grad():
                    logits = network(x[torch.from_numpy(numbers)], neighbourhoods)[row].double()
                margin[p] += float(logits[1] - logits[0]) / len(model.networks_)
    return found


def _adjacency_without(matrix: Csr, reach: Reach, other: int) -> Adjacency:
    """The part around a node without its edges with a neighbour, or with all for `NOBODY`."""
    if other != NOBODY:
        matrix = without_pair(matrix, reach.row, int(np.searchsorted(reach.nodes, other)))
    return Adjacency(matrix).with_self_loops()


def _table_margins(model: TableClassifier, prepared: Prepared, pairs: Pairs) -> Floats:
    columns = prepared.columns(model.preprocessor_)
    table = columns.table(model.recipe.columns)
    neighbourhood = COLUMNS[model.recipe.columns]
    if neighbourhood is None:
        return model.score_table(table.values[pairs[:, 0]])
    own = len(columns.table("own").names)
    # The rows of a hub are long, and are copied for each of its pairs.
    entries = np.cumsum(np.diff(prepared.partners.indptr)[pairs[:, 0]] + 1)
    parts = np.split(pairs, np.flatnonzero(np.diff(entries // ENTRIES_AT_ONCE)) + 1)
    edges = prepared.graph.edges
    rows = [rows_without(neighbourhood, edges, table, own, part) for part in parts]
    return model.score_table(np.concatenate(rows))


def rows_without(
    neighbourhood: Neighbourhood, edges: Edges, table: Table, own: int, pairs: Pairs
) -> NDArray[np.float32]:
    """The rows of a table [P, F] for nodes that each lost one neighbour.

    Columns of the nodes, their summaries and the summaries of these are exact, and so are the
    structural columns of the node itself but its core number. The structural columns of other
    nodes are left as in the whole graph, although their degrees may be one less.

    Args:
        neighbourhood: of at most 2 hops, the mean among its statistics.
        edges: of the whole graph.
        table: of the whole graph.
        own: its first columns, which no neighbour has to do with.
        pairs: whose rows.
    """
    assert neighbourhood.hops <= 2
    assert neighbourhood.statistics[0] == "mean"
    rows = table.values[pairs[:, 0]].copy()
    directions = neighbourhood.directions(edges)
    made = neighbourhood.hops * len(neighbourhood.statistics) * len(directions)
    width = table.values.shape[1] // (1 + made)
    if neighbourhood.structure:
        rows[:, own:width] = _structure_without(
            table.names[own:width], rows[:, own:width], edges, pairs
        )
    at = width
    for matrix in directions.values():
        mine = _rows_without(matrix, pairs)
        nodes, local = np.unique(mine.indices, return_inverse=True)
        source = np.concatenate([table.values[nodes, :width], rows[:, :width]])
        means = table.values[nodes, at : at + width]
        for _ in range(neighbourhood.hops):
            pattern = _with_new_self(mine, nodes, local, pairs[:, 0])
            statistics = neighbour_statistics(pattern, source)
            for name, values in zip(STATISTICS, statistics, strict=True):
                if name in neighbourhood.statistics:
                    rows[:, at : at + width] = values
                    at += width
            source = np.concatenate([means, statistics[0]])
    return rows


def _rows_without(matrix: Csr, pairs: Pairs) -> Csr:
    """The pairs' nodes' rows [P, N], each without its neighbour."""
    rows: Csr = sparse.csr_array(matrix[pairs[:, 0]])
    row = np.repeat(np.arange(len(pairs)), np.diff(rows.indptr))
    keep = rows.indices != pairs[row, 1]
    indptr = np.concatenate([[0], np.cumsum(keep)])[rows.indptr]
    return sparse.csr_array((rows.data[keep], rows.indices[keep], indptr), shape=rows.shape)


def _with_new_self(
    rows: Csr, nodes: NDArray[np.integer], local: NDArray[np.integer], own: NDArray[np.int64]
) -> Csr:
    """The rows over `nodes` and then the P changed nodes; a node's own entry is its changed one."""
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    column = np.where(rows.indices == own[row], len(nodes) + row, local)
    shape = (rows.shape[0], len(nodes) + rows.shape[0])
    return sparse.csr_array((rows.data, column.astype(np.int32), rows.indptr), shape=shape)


def _structure_without(
    names: list[str], before: NDArray[np.float32], edges: Edges, pairs: Pairs
) -> NDArray[np.float32]:
    """The structural columns [P, S] of nodes that each lost one neighbour."""
    after = before.copy()
    matrix = edges.to_scipy()
    node, other = pairs.T
    received, sent = (np.asarray(matrix[a, b]).ravel() for a, b in ((node, other), (other, node)))
    degree = before[:, names.index("number of partners")].astype(np.float64)
    common = np.asarray(_common(undirected(edges), pairs), np.float64)
    triangles = before[:, names.index("clustering")] * degree * (degree - 1) / 2 - common
    left = (degree - 1) * (degree - 2) / 2
    lost = {
        "number of partners": np.ones(len(pairs)),
        "number of senders": received != 0,
        "number of receivers": sent != 0,
        "weight received": received,
        "weight sent": sent,
    }
    for name, less in lost.items():
        if name in names:
            after[:, names.index(name)] -= less
    share = np.divide(np.round(triangles), left, out=np.zeros(len(left)), where=left > 0)
    after[:, names.index("clustering")] = share
    return after


def _common(partners: Csr, pairs: Pairs) -> NDArray[Any]:
    """The number of partners that the two of each pair share [P]."""
    wide = partners.astype(np.int32)
    return np.asarray((wide[pairs[:, 0]].multiply(wide[pairs[:, 1]])).sum(1)).ravel()
