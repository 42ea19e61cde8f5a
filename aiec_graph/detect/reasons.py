"""Why nodes score as they do, in words and values that an analyst can check."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from aiec_graph.data import Graph
from aiec_graph.data.transforms.structural import undirected
from aiec_graph.detect.inputs import align
from aiec_graph.detect.reasons_channels import ChannelReason, channels_of_nodes
from aiec_graph.detect.reasons_columns import Contributions, Floats, Prepared, contributions
from aiec_graph.detect.reasons_removal import Pairs, score_without, table_effects
from aiec_graph.detect.reasons_values import Values
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.extras import check_extra

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

MOST_TRIED = 100
"""Neighbours of one node of which the effect is estimated."""
MOST_REMOVED = 6
"""Neighbours of one node that are removed for good, by the estimate; the score is then exact."""
ROUNDING = 1e-4
"""A change of a score by no more than this is not told from rounding in single precision."""
SHOWN = 5


@dataclass(frozen=True)
class ColumnReason:
    """What one column contributes to a score."""

    column: str
    contribution: float
    """In units of the score of a single model; of a mixture, see `contributions`. Above 0 it makes
    the node more anomalous."""
    value: float
    typical: float
    """The median over the nodes of the data that are not flagged; NaN where none has a value."""
    is_category: bool = False

    def __str__(self) -> str:
        if self.is_category:
            return self.column if self.value else f"not: {self.column}"
        if np.isnan(self.value):
            return f"{self.column}: missing, typical {number(self.typical)}"
        value, typical = (number(value) for value in (self.value, self.typical))
        for digits in range(4, 8):
            if value != typical or self.value == self.typical:
                break
            value, typical = (f"{value:.{digits}g}" for value in (self.value, self.typical))
        return f"{self.column} {value}, typical {typical}"


@dataclass(frozen=True)
class NeighbourReason:
    """What one neighbour does to a score."""

    id: str
    node: int
    """Its number."""
    change: float
    """The score less what it is once the edges with this neighbour are gone."""
    score: float
    """The neighbour's own."""
    is_flagged: bool

    def __str__(self) -> str:
        flagged = ", itself flagged" if self.is_flagged else ""
        return f"{self.id} ({self.change:+.3g}{flagged})"


@dataclass(frozen=True)
class NodeReasons:
    """Why one node scores as it does."""

    id: str
    node: int
    """Its number in the graph."""
    score: float
    columns: list[ColumnReason]
    """Those that carry most of the score, whichever way, the strongest first."""
    neighbours: list[NeighbourReason]
    """Those whose removal changes the score most, whichever way; exact."""
    num_neighbours: int
    """Of the node, in any direction."""
    num_tried: int
    """How many of them were looked at."""
    hops: int
    """How far the model looks."""
    reach: int
    """Nodes within so many hops, itself among them."""
    channels: ChannelReason | None
    """Of a network with AIEC."""

    def __str__(self) -> str:
        """One line for a cell of a table: what makes the node more anomalous."""
        parts = [str(c) for c in self.columns if c.contribution > 0]
        near = [str(n) for n in self.neighbours if n.change > 0]
        if near:
            parts.append(f"neighbours {', '.join(near[:3])}")
        return "; ".join(parts) or "nothing stands out"

    def lines(self) -> Iterator[str]:
        """For people, in several lines."""
        yield f"{self.id}: score {self.score:.4g}"
        yield "  columns, by what they contribute to the score:"
        for column in self.columns:
            yield f"    {column.contribution:+.3g}  {column}"
        if self.channels is not None:
            yield f"  {self.channels}"
        if not self.hops:
            yield "  the model looks at no neighbour"
            return
        yield (
            f"  neighbours, by what the score loses without them ({self.num_tried:,} of "
            f"{self.num_neighbours:,} looked at):"
        )
        for neighbour in self.neighbours:
            flagged = ", flagged" if neighbour.is_flagged else ""
            yield (
                f"    {neighbour.change:+.3g}  {neighbour.id}, whose score is "
                f"{neighbour.score:.4g}{flagged}"
            )
        yield f"  the score depends on {self.reach:,} nodes within {self.hops} hops"


def explain(
    detector: "FraudDetector", data: Any, ids: Sequence[Any], most: int = SHOWN
) -> list[NodeReasons]:
    """Says why some nodes score as they do.

    Columns come from SHAP's tree explainer, from XGBoost itself, from coefficients or, for
    networks, from integrated gradients; neighbours from removing each and scoring again.

    Args:
        detector: fitted.
        data: what holds the nodes; see `as_nodes`.
        ids: of the nodes, as the data have them, each once.
        most: columns, and neighbours, to name of each node.

    Returns:
        Reasons in the order of the ids.

    Raises:
        InputError: an id is not in the data, they cannot be used, or a library is missing.
    """
    check_extra("explain")
    check_is_fitted(detector)
    nodes = detector.read(data)
    graph = align(nodes.graph, detector.columns_, detector.n_features_in_).graph
    chosen = find_nodes(graph, ids)
    if len(chosen) == 0:
        return []
    return Explainer(detector, graph).explain(chosen, most)


def add_reasons(frame: pd.DataFrame, detector: "FraudDetector", data: Any, count: int) -> None:
    """Adds a column "reasons" after the rank to a list of suspects, filled for the highest nodes.

    Args:
        frame: what `rank` gave for the data, highest first; changed.
        detector: fitted.
        data: what was ranked.
        count: number of nodes from the top; the others' cells are empty.

    Raises:
        InputError: as `explain`.
    """
    found = explain(detector, data, frame["id"].iloc[:count].tolist())
    texts = [str(reasons) for reasons in found] + [""] * (len(frame) - len(found))
    frame.insert(frame.columns.get_loc("rank") + 1, "reasons", texts)  # pyright: ignore


def find_nodes(graph: Graph, ids: Sequence[Any]) -> NDArray[np.int64]:
    """Numbers of nodes by their ids.

    Raises:
        InputError: some are not there; all of them are named.
    """
    names = pd.Index(np.asarray(graph.node_ids).astype(str))
    wanted = [str(name) for name in ids]
    place = names.get_indexer(pd.Index(wanted, dtype=names.dtype))
    missing = [name for name, at in zip(wanted, place.tolist(), strict=True) if at < 0]
    if missing:
        hint = did_you_mean(missing[0], map(str, names)) if len(names) < 100_000 else ""
        listed = ", ".join(repr(name) for name in missing[:10])
        raise InputError(f"{graph.label}: no node {listed}.{hint}")
    return place.astype(np.int64)


class Explainer:
    """Gives reasons for nodes of one graph.

    Args:
        detector: fitted.
        graph: in its columns.
        score: of its nodes [N], where they are known already.
    """

    def __init__(
        self, detector: "FraudDetector", graph: Graph, score: Floats | None = None
    ) -> None:
        self.detector, self.graph = detector, graph
        classifier = detector.classifier_
        self.score = classifier.decision_function(graph) if score is None else score
        self.flag = detector.threshold_.flag(self.score)
        self.prepared = Prepared(graph, ~self.flag)
        self.partners = undirected(graph.edges)
        self.values = Values(classifier, self.prepared)
        self.hops = hops_of(classifier)

    def explain(self, nodes: NDArray[np.int64], most: int = SHOWN) -> list[NodeReasons]:
        """Reasons for nodes by their numbers, in their order."""
        classifier = self.detector.classifier_
        found = contributions(classifier, self.prepared, nodes)
        near, tried = self._neighbours(nodes, found, most)
        channels = channels_of_nodes(classifier, self.prepared, self.flag, nodes)
        degree = np.diff(self.partners.indptr)[nodes]
        return [
            NodeReasons(
                id=str(self.graph.node_ids[node]),
                node=node,
                score=float(self.score[node]),
                columns=self._columns(found, i, node, most),
                neighbours=near[i],
                num_neighbours=int(degree[i]),
                num_tried=tried[i],
                hops=self.hops,
                reach=self._reach(node),
                channels=None if channels is None else channels[i],
            )
            for i, node in enumerate(nodes.tolist())
        ]

    def _columns(self, found: Contributions, i: int, node: int, most: int) -> list[ColumnReason]:
        values = found.values[i]
        order = np.argsort(-np.abs(values), kind="stable")[:most]
        reasons = []
        for k in order[values[order] != 0].tolist():
            name = found.names[k]
            column = self.values.column(name)
            typical = self.values.typical(name)
            is_category = self.values.is_category(name)
            reason = (float(values[k]), float(column[node]), typical, is_category)
            reasons.append(ColumnReason(name, *reason))
        return reasons

    def _neighbours(
        self, nodes: NDArray[np.int64], found: Contributions, most: int
    ) -> tuple[list[list[NeighbourReason]], list[int]]:
        """Of each node the neighbours that matter most, and how many were looked at."""
        if not self.hops:
            return [[] for _ in nodes], [0] * len(nodes)
        parts = found.neighbours
        tried = [self._candidates(n, part) for n, part in zip(nodes.tolist(), parts, strict=True)]
        estimate = table_effects(self.detector.classifier_, self.prepared, _pairs(nodes, tried))
        gradients = [part.get(j, 0.0) for part, js in zip(parts, tried, strict=True) for j in js]
        estimate += np.array(gradients)
        chosen, start = [], 0
        for js in tried:
            order = np.argsort(-np.abs(estimate[start : start + len(js)]), kind="stable")
            chosen.append([js[k] for k in order[: max(most, MOST_REMOVED)].tolist()])
            start += len(js)
        return self._removed(nodes, chosen, most), [len(js) for js in tried]

    def _candidates(self, node: int, gradients: dict[int, float]) -> list[int]:
        """Neighbours to look at: all, or of many those that gradients name and then any."""
        start, end = self.partners.indptr[node : node + 2]
        near: list[int] = self.partners.indices[start:end].tolist()
        if len(near) <= MOST_TRIED:
            return near
        drawn = np.random.default_rng(node).permutation(near).tolist()
        return sorted(drawn, key=lambda j: -abs(gradients.get(j, 0.0)))[:MOST_TRIED]

    def _removed(
        self, nodes: NDArray[np.int64], chosen: list[list[int]], most: int
    ) -> list[list[NeighbourReason]]:
        pairs = _pairs(nodes, chosen)
        without = score_without(self.detector.classifier_, self.prepared, pairs)
        change = self.score[pairs[:, 0]] - without
        reasons: list[list[NeighbourReason]] = []
        start = 0
        for js in chosen:
            found = [
                NeighbourReason(
                    id=str(self.graph.node_ids[j]),
                    node=j,
                    change=float(change[start + k]),
                    score=float(self.score[j]),
                    is_flagged=bool(self.flag[j]),
                )
                for k, j in enumerate(js)
            ]
            start += len(js)
            found.sort(key=lambda reason: -abs(reason.change))
            reasons.append([reason for reason in found if abs(reason.change) > ROUNDING][:most])
        return reasons

    def _reach(self, node: int) -> int:
        """The number of nodes within the model's hops, itself among them."""
        matrix = self.partners
        reached = np.array([node])
        for _ in range(self.hops):
            near = matrix[reached].indices
            reached = np.union1d(reached, near)
        return len(reached)


def hops_of(classifier: Any) -> int:
    """How many hops away a node can be that changes a score."""
    from aiec_graph.detect.reasons_removal import members_of
    from aiec_graph.nn.bwgnn import BWGNN
    from aiec_graph.nn.mlp import MLP
    from aiec_graph.train.baselines import COLUMNS, TableClassifier

    hops = 0
    for _, model, _ in members_of(classifier):
        if isinstance(model, TableClassifier):
            neighbourhood = COLUMNS[model.recipe.columns]
            hops = max(hops, 0 if neighbourhood is None else neighbourhood.hops)
        else:
            network: Any = model.networks_[0]
            is_flat, is_filter = isinstance(network, MLP), isinstance(network, BWGNN)
            filters = len(network.convs[-1].coefficients) - 1 if is_filter else 0
            hops = max(hops, 0 if is_flat else filters if is_filter else len(network.convs))
    return hops


def _pairs(nodes: NDArray[np.int64], others: list[list[int]]) -> Pairs:
    left = np.repeat(nodes, [len(js) for js in others])
    right = np.array([j for js in others for j in js], np.int64)
    return np.stack([left, right], 1)


def number(value: float) -> str:
    """A number as people write it."""
    if np.isnan(value):
        return "unknown"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
