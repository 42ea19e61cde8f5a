"""Which columns carry the scores of some nodes: SHAP for trees, integrated gradients for networks.

Every classifier gives contributions to its margin: how much of the margin of a node comes from
each column being what it is and not what is usual. Columns of a node itself and summaries of its
neighbours' columns have names of their own.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.data import Graph, Preprocessor
from aiec_graph.data.transforms.structural import is_symmetric, undirected
from aiec_graph.detect.progress import counted
from aiec_graph.detect.reasons_reach import Reach, computed_for, hops_of, reach_of
from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.nn.networks import GNN
from aiec_graph.train.baselines import Columns, TableClassifier, logit
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.network_classifier import NetworkClassifier
from aiec_graph.train.prepared import prepare_graph
from aiec_graph.train.selection import Ranker, from_top

Floats = NDArray[np.float64]
STEPS = 8
"""Points of the Gauss-Legendre rule along the path of the integrated gradients."""
LEAST_WEIGHT = 0.05
"""Members of a mixture with less are not asked for reasons; removing a neighbour asks all."""


@dataclass(frozen=True)
class Contributions:
    """What columns contribute to the margins of M nodes."""

    names: list[str]
    """Of the columns [C]; a name that stands for neighbours holds " over "."""
    values: Floats
    """[M, C], in units of the margin."""
    neighbours: list[dict[int, float]]
    """Of each node, what its in-neighbours' columns contribute, by their numbers; empty for
    classifiers on tables, which see neighbours through columns alone."""

    def scaled(self, factor: Floats) -> "Contributions":
        """The same in other units: those of each node times a factor [M]."""
        near = [
            {j: value * f for j, value in part.items()}
            for part, f in zip(self.neighbours, factor.tolist(), strict=True)
        ]
        return Contributions(self.names, self.values * factor[:, None], near)


class Prepared:
    """What explanations of all members of a detector need of a graph, made once.

    Args:
        graph: in the columns of the fitted one.
        usual: whether a node counts for what is usual [N].
    """

    def __init__(self, graph: Graph, usual: NDArray[np.bool_]) -> None:
        self.graph, self.usual = graph, usual
        self.is_symmetric = is_symmetric(graph.edges)
        self.senders = "partners" if self.is_symmetric else "senders"
        self._columns: list[tuple[Preprocessor, Columns]] = []
        self.matrix: Any = graph.edges.to_scipy()
        self.partners = undirected(graph.edges)
        self.whole = prepare_graph(graph)
        """As networks take it; made at first use."""

    def reach(self, node: int, hops: int) -> Reach:
        """The part of the graph that the reasons of a node are computed in."""
        return reach_of(self.partners, node, hops)

    def columns(self, preprocessor: Preprocessor) -> Columns:
        """The tables for one preprocessor."""
        for known, columns in self._columns:
            if known is preprocessor:
                return columns
        self._columns.append((preprocessor, Columns(self.graph, preprocessor)))
        return self._columns[-1][1]


def contributions(classifier: Any, prepared: Prepared, nodes: NDArray[np.int64]) -> Contributions:
    """What each column contributes to the scores of some nodes.

    Of an `auto` mixture, each member's contributions are brought from its margin to the scale on
    which members are averaged, the logarithm of the rank from the top: they are multiplied by the
    slope of that function over the range that the contributions span, and by the member's weight.
    Of a member that was cross-validated, the first of its models is asked.

    Args:
        classifier: fitted.
        prepared: the graph.
        nodes: their numbers [M].
    """
    if isinstance(classifier, TableClassifier):
        return _of_table(classifier, prepared, nodes)
    if isinstance(classifier, NetworkClassifier):
        return _of_networks(classifier, prepared, nodes)
    assert isinstance(classifier, AutoClassifier)
    heaviest = max(member.weight for member in classifier.members_)
    parts = []
    for weight, models, _ in classifier.members_:
        if weight >= min(LEAST_WEIGHT, heaviest):
            model, ranker = models[0]
            found = contributions(model, prepared, nodes)
            margin = margins(model, prepared)[nodes]
            parts.append(found.scaled(weight * _slope(ranker, margin, found.values)))
    return _sum(parts)


def margins(model: TableClassifier | NetworkClassifier, prepared: Prepared) -> Floats:
    """The margins of all nodes [N]."""
    if isinstance(model, TableClassifier):
        return model.score_columns(prepared.columns(model.preprocessor_))
    return model.score_prepared(prepared.whole)


def _slope(ranker: Ranker, margin: Floats, values: Floats) -> Floats:
    """The mean slope of the scale of a mixture [M], over the range of the contributions."""
    half = np.maximum(np.abs(values).sum(1) / 2, 1e-6)
    rise = from_top(ranker(margin + half)) - from_top(ranker(margin - half))
    return rise / (2 * half)


def _sum(parts: list[Contributions]) -> Contributions:
    """Adds up by name."""
    names = list(dict.fromkeys(name for part in parts for name in part.names))
    place = {name: i for i, name in enumerate(names)}
    values = np.zeros((len(parts[0].values), len(names)))
    for part in parts:
        values[:, [place[name] for name in part.names]] += part.values
    near: list[dict[int, float]] = [{} for _ in parts[0].neighbours]
    for part in parts:
        for mine, theirs in zip(near, part.neighbours, strict=True):
            for j, value in theirs.items():
                mine[j] = mine.get(j, 0.0) + value
    return Contributions(names, values, near)


# ---------------------------------------------------------------------------------------- tables


def _of_table(
    classifier: TableClassifier, prepared: Prepared, nodes: NDArray[np.int64]
) -> Contributions:
    columns = prepared.columns(classifier.preprocessor_)
    rows = columns.table(classifier.recipe.columns).values[nodes]
    values = EXPLAINERS[classifier.recipe.estimator](classifier.estimator_, rows)
    empty: list[dict[int, float]] = [{} for _ in nodes]
    return Contributions(classifier.names_, values, empty)


def _shap() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its plots, as it is imported
        import shap
    return shap


def _of_xgboost(estimator: Any, rows: NDArray[np.float32]) -> Floats:
    import xgboost

    found = estimator.get_booster().predict(xgboost.DMatrix(rows), pred_contribs=True)
    return found[:, :-1].astype(np.float64)


def _of_boosting(estimator: Any, rows: NDArray[np.float32]) -> Floats:
    return np.asarray(_shap().TreeExplainer(estimator).shap_values(rows), np.float64)


def _of_forest(estimator: Any, rows: NDArray[np.float32]) -> Floats:
    """Contributions to the share of the votes, in units of its log-odds by one slope a node."""
    explainer = _shap().TreeExplainer(estimator)
    found = np.asarray(explainer.shap_values(rows))[:, :, 1]
    base = float(explainer.expected_value[1])
    share = found.sum(1) + base
    change = share - base
    near = np.abs(change) < 1e-6
    slope = (logit(share) - logit(np.full(len(share), base))) / np.where(near, 1, change)
    return found * np.where(near, 1 / (base * (1 - base)), slope)[:, None]


def _of_logistic(estimator: Any, rows: NDArray[np.float32]) -> Floats:
    """Coefficients times standardised columns: 0 where a column is at the training's mean."""
    return estimator[:-1].transform(rows) * estimator[-1].coef_[0]


EXPLAINERS = {
    "xgb": _of_xgboost,
    "hgb": _of_boosting,
    "rf": _of_forest,
    "logistic": _of_logistic,
}
"""By estimator, what makes contributions [M, C] from it and from rows [M, C] of its table."""

# -------------------------------------------------------------------------------------- networks


def _of_networks(
    classifier: NetworkClassifier, prepared: Prepared, nodes: NDArray[np.int64]
) -> Contributions:
    """Integrated gradients (Sundararajan et al., 2017) from the mean inputs of usual nodes.

    The path leads from a graph in which the node and all others are usual to the real one, so the
    contributions of the inputs of all nodes that the score depends on add up to the difference.
    Those of the node itself are the own columns', those of the others the neighbours'. All of it
    is within the node's `Reach`.
    """
    preprocessor = classifier.preprocessor_
    x = preprocessor.transform(prepared.graph)
    usual = torch.from_numpy(prepared.usual)
    baseline = (x[usual] if usual.any() else x).mean(0)
    own = preprocessor.feature_names
    names = own + [f"mean of {name} over {prepared.senders}" for name in own]
    rows, near = [], []
    edges, hops = prepared.graph.edges, hops_of(classifier.networks_[0])
    for node in counted(nodes.tolist(), "integrating gradients"):
        reach = prepared.reach(node, hops)
        adjacency = Adjacency(reach.induced(prepared.matrix)).with_self_loops()
        part = x[torch.from_numpy(reach.nodes)]
        parts = [_integrate(n, adjacency, part, baseline, reach.row) for n in classifier.networks_]
        found = torch.stack(parts).mean(0)
        others = found.sum(0) - found[reach.row]
        rows.append(torch.cat([found[reach.row], others]).numpy())
        senders = edges.indices[edges.indptr[node] : edges.indptr[node + 1]]
        senders = np.intersect1d(senders[senders != node], reach.nodes)
        by_node = found[torch.from_numpy(np.searchsorted(reach.nodes, senders))].sum(1)
        near.append(dict(zip(senders.tolist(), by_node.tolist(), strict=True)))
    return Contributions(names, np.array(rows, np.float64), near)


def _integrate(network: GNN, adjacency: Adjacency, x: Tensor, baseline: Tensor, row: int) -> Tensor:
    """What each input of each node of a graph does to the margin of one of them [M, F]."""
    from captum.attr import IntegratedGradients

    inputs, neighbourhoods, output = computed_for(network, adjacency, row)
    numbers = torch.arange(len(x)) if inputs is None else torch.from_numpy(inputs).long()
    part = x[numbers]

    def margin(batch: Tensor) -> Tensor:
        logits = network(batch[0], neighbourhoods)[output]
        return (logits[1] - logits[0])[None]

    found: Any = IntegratedGradients(margin).attribute(
        part[None],
        baselines=baseline.expand_as(part)[None],
        n_steps=STEPS,
        internal_batch_size=1,
    )
    shares = torch.zeros(x.shape, dtype=torch.float64)
    shares[numbers] = found[0].detach().double()
    return shares


def unscaled(preprocessor: Preprocessor, graph: Graph) -> NDArray[np.float32]:
    """The inputs of a network before they are scaled, by `feature_names` [N, F']."""
    pipeline = preprocessor.pipeline
    if pipeline is None or "columns" not in pipeline.named_steps:
        return graph.x.numpy()
    return np.asarray(pipeline.named_steps["columns"].transform(graph.x.numpy()), np.float32)
