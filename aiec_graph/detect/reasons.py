"""Why nodes score as they do, in words and values that an analyst can check."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from aiec_graph.data import Graph
from aiec_graph.detect.added_columns import OWN
from aiec_graph.detect.reasons_channels import channels_of_nodes
from aiec_graph.detect.reasons_columns import Contributions, Floats, Prepared, contributions
from aiec_graph.detect.reasons_reach import Reach, hops_of
from aiec_graph.detect.reasons_removal import (
    Pairs,
    members_of,
    score_within,
    score_without,
    table_effects,
)
from aiec_graph.detect.reasons_values import Values
from aiec_graph.detect.reasons_words import ColumnReason, NeighbourReason, NodeReasons, Part
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.extras import check_extra
from aiec_graph.train.baselines import COLUMNS, TableClassifier
from aiec_graph.train.network_classifier import NetworkClassifier

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

MOST_TRIED = 100
"""Neighbours of one node of which the effect is estimated."""
MOST_REMOVED = 20
"""Neighbours of one node that are removed, each for itself, and the score computed anew: all of
most nodes, and of those with more the ones that the estimate puts first."""
ROUNDING = 1e-4
"""A change of a score by no more than this is not told from rounding in single precision."""
SHOWN = 5


def explain(
    detector: "FraudDetector", data: Any, ids: Sequence[Any], most: int = SHOWN
) -> list[NodeReasons]:
    """Says why some nodes score as they do.

    Columns come from SHAP's tree explainer, from XGBoost itself, from coefficients or, for
    networks, from integrated gradients; neighbours from removing each and scoring again.

    Args:
        detector: fitted.
        data: what holds the nodes; see `as_nodes`.
        ids: of the nodes, as the data have them, each once; a text is one id.
        most: columns, and neighbours, to name of each node.

    Returns:
        Reasons in the order of the ids.

    Raises:
        InputError: an id is not in the data, they cannot be used, or a library is missing.
    """
    check_extra("explain")
    check_is_fitted(detector)
    nodes = detector.read(data)
    graph = detector.in_columns(nodes).graph
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
    wanted = [ids] if isinstance(ids, str) else [str(name) for name in ids]
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
        self.partners = self.prepared.partners
        self.values = Values(classifier, self.prepared)
        self.hops = farthest(classifier)
        models = [model for _, model, _ in members_of(classifier)]
        self.is_described = detector._parts != (OWN,)
        self.has_network = any(isinstance(model, NetworkClassifier) for model in models)

    def explain(self, nodes: NDArray[np.int64], most: int = SHOWN) -> list[NodeReasons]:
        """Reasons for nodes by their numbers, in their order."""
        classifier = self.detector.classifier_
        found = contributions(classifier, self.prepared, nodes)
        reaches = [self.prepared.reach(node, self.hops) for node in nodes.tolist()]
        parts = self._parts(nodes, reaches)
        near, tried = self._neighbours(nodes, found, reaches, parts, most)
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
                num_removed=min(tried[i], max(most, MOST_REMOVED)),
                hops=self.hops,
                reach=reaches[i].within,
                part=parts[i],
                is_described=self.is_described,
                channels=None if channels is None else channels[i],
            )
            for i, node in enumerate(nodes.tolist())
        ]

    def _parts(self, nodes: NDArray[np.int64], reaches: list[Reach]) -> list[Part | None]:
        """Of each node, the part that its reasons are computed in where it is not all."""
        if not self.has_network:
            return [None] * len(nodes)
        cut = [i for i, reach in enumerate(reaches) if reach.is_capped]
        score = score_within(self.detector.classifier_, self.prepared, nodes[cut])
        found: list[Part | None] = [None] * len(nodes)
        for i, value in zip(cut, score.tolist(), strict=True):
            found[i] = Part(len(reaches[i].nodes), value)
        return found

    def _columns(self, found: Contributions, i: int, node: int, most: int) -> list[ColumnReason]:
        values = found.values[i]
        order = np.argsort(-np.abs(values), kind="stable")[:most]
        reasons = []
        for k in order[values[order] != 0].tolist():
            name = found.names[k]
            column = self.values.column(name)
            typical = self.values.typical(name)
            reason = ColumnReason(
                name,
                float(values[k]),
                float(column[node]),
                typical,
                self.values.is_category(name),
                self.values.notation(name),
            )
            reasons.append(reason)
        return reasons

    def _neighbours(
        self,
        nodes: NDArray[np.int64],
        found: Contributions,
        reaches: list[Reach],
        within: list[Part | None],
        most: int,
    ) -> tuple[list[list[NeighbourReason]], list[int]]:
        """Of each node the neighbours that matter most, and how many were looked at."""
        if not self.hops:
            return [[] for _ in nodes], [0] * len(nodes)
        parts = found.neighbours
        tried = [
            self._candidates(*each) for each in zip(nodes.tolist(), reaches, parts, strict=True)
        ]
        estimate = table_effects(self.detector.classifier_, self.prepared, _pairs(nodes, tried))
        gradients = [part.get(j, 0.0) for part, js in zip(parts, tried, strict=True) for j in js]
        estimate += np.array(gradients)
        chosen, start = [], 0
        for js in tried:
            order = np.argsort(-np.abs(estimate[start : start + len(js)]), kind="stable")
            chosen.append([js[k] for k in order[: max(most, MOST_REMOVED)].tolist()])
            start += len(js)
        before = [
            float(self.score[node]) if part is None else part.score
            for node, part in zip(nodes.tolist(), within, strict=True)
        ]
        return self._removed(nodes, chosen, before, most), [len(js) for js in tried]

    def _candidates(self, node: int, reach: Reach, gradients: dict[int, float]) -> list[int]:
        """Neighbours to look at: all, or of many those that gradients name and then any."""
        start, end = self.partners.indptr[node : node + 2]
        near: list[int] = np.intersect1d(self.partners.indices[start:end], reach.nodes).tolist()
        if len(near) <= MOST_TRIED:
            return near
        drawn = np.random.default_rng(node).permutation(near).tolist()
        return sorted(drawn, key=lambda j: -abs(gradients.get(j, 0.0)))[:MOST_TRIED]

    def _removed(
        self, nodes: NDArray[np.int64], chosen: list[list[int]], before: list[float], most: int
    ) -> list[list[NeighbourReason]]:
        pairs = _pairs(nodes, chosen)
        without = score_without(self.detector.classifier_, self.prepared, pairs)
        full = np.repeat(before, [len(js) for js in chosen])
        change = full - without
        chance = self._chances(full, without)
        reasons: list[list[NeighbourReason]] = []
        start = 0
        for js in chosen:
            found = [
                NeighbourReason(
                    id=str(self.graph.node_ids[j]),
                    node=j,
                    change=float(change[start + k]),
                    without=float(without[start + k]),
                    probability=None if chance is None else chance[start + k],
                    score=float(self.score[j]),
                    is_flagged=bool(self.flag[j]),
                )
                for k, j in enumerate(js)
            ]
            start += len(js)
            found.sort(key=lambda reason: -abs(reason.change))
            reasons.append([reason for reason in found if abs(reason.change) > ROUNDING][:most])
        return reasons

    def _chances(self, before: Floats, without: Floats) -> list[tuple[float, float]] | None:
        """The calibrated probabilities of scores with and without a neighbour."""
        if not self.detector.calibrate:
            return None
        both = (self.detector.calibrator_(score).tolist() for score in (before, without))
        return list(zip(*both, strict=True))


def farthest(classifier: Any) -> int:
    """How many hops away a node can be that changes a score."""
    hops = 0
    for _, model, _ in members_of(classifier):
        if isinstance(model, TableClassifier):
            neighbourhood = COLUMNS[model.recipe.columns]
            hops = max(hops, 0 if neighbourhood is None else neighbourhood.hops)
        else:
            hops = max(hops, hops_of(model.networks_[0]))
    return hops


def _pairs(nodes: NDArray[np.int64], others: list[list[int]]) -> Pairs:
    left = np.repeat(nodes, [len(js) for js in others])
    right = np.array([j for js in others for j in js], np.int64)
    return np.stack([left, right], 1)
