"""How long a fit or a score takes and how much memory, said before it begins.

Networks have the forecast of `aiec_graph.train.memory`. The rates of tables were measured on one
core of a server, on a simulated graph of 150,000 nodes and 1.5 million edges: they tell seconds
from hours, and are off by a factor of two or three elsewhere.
"""

import logging
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from aiec_graph.data import Graph
from aiec_graph.data.transforms.neighbourhood import Neighbourhood
from aiec_graph.data.transforms.preprocess import MOST_CATEGORIES
from aiec_graph.data.transforms.structural import is_symmetric
from aiec_graph.train.baselines import COLUMNS, TableClassifier
from aiec_graph.train.classifier import NodeClassifier
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.memory import (
    FULL,
    GB,
    PROCESS,
    Sizes,
    available_bytes,
    batch_epoch_seconds,
    choose_batches,
    full_batch_bytes,
    full_epoch_seconds,
    mini_batch_bytes,
    scoring_seconds,
)
from aiec_graph.train.network_classifier import NetworkClassifier

LOG = logging.getLogger("aiec_graph.detect")
LONG_S, LARGE_GB = 2.0, 1.0
"""Less is not worth a line."""
SUMMARY_S = 2e-8
"""Seconds for one value over one edge of a table of neighbours' columns."""
FIT_S = {"logistic": 2e-7, "hgb": 6e-7, "xgb": 8e-7}
"""Seconds of a fit for one cell of the training rows."""
FOREST_S = 1e-4
"""The same of a forest for one row, times the root of the number of columns."""
PREDICT_S = {"logistic": 5e-9, "hgb": 7e-8, "xgb": 3e-8, "rf": 3e-7}
"""Seconds of a prediction for one cell."""
STRUCTURAL = 5
"""Columns that describe a node's place in the graph."""
COPIES = 5
"""Of a table, in memory at the worst moment."""


class Effort(NamedTuple):
    """What some work takes."""

    seconds: float
    """Of one core."""
    gigabytes: float
    """Of memory, in 10⁹ bytes, without the libraries; with the graph for a network alone."""

    def say(self, what: str) -> None:
        """Says it before the work begins, and warns where there is too little memory.

        Args:
            what: the work, as a line begins.
        """
        free = available_bytes() / GB
        if self.seconds < LONG_S and self.gigabytes < min(LARGE_GB, free):
            LOG.debug(what)
            return
        time = timedelta(seconds=round(self.seconds))
        line = f"{what}: roughly {time} of one core, {self.gigabytes:.1f} GB of {free:.1f} GB free"
        LOG.info("%s", line, extra={"seconds": self.seconds})
        if self.gigabytes > free:
            LOG.warning(
                "this may not fit into memory: take a model on fewer columns (logistic, hgb), or "
                "a machine with more"
            )


def effort_of_fit(classifier: NodeClassifier, graph: Graph, rows: int) -> Effort:
    """What a fit takes, the scores of all nodes after it included.

    Args:
        classifier: not yet fitted.
        graph: of N nodes and E edges.
        rows: nodes that are trained on.
    """
    if isinstance(classifier, AutoClassifier):
        wide = _table(graph, COLUMNS["rich"])
        return Effort(classifier.budget, wide.gigabytes)
    if isinstance(classifier, TableClassifier):
        kind, made = classifier.recipe, _table(graph, COLUMNS[classifier.recipe.columns])
        if kind.estimator == "rf":
            seconds = FOREST_S * rows * np.sqrt(made.columns)
        else:
            seconds = FIT_S[kind.estimator] * rows * made.columns
        score = effort_of_scoring(classifier, graph)
        # The columns are made once for the fit and once for the scores.
        return Effort(float(seconds) + made.seconds + score.seconds, score.gigabytes)
    assert isinstance(classifier, NetworkClassifier)
    epochs = classifier.settings.epochs * classifier.repeats
    score = effort_of_scoring(classifier, graph)
    sizes = Sizes(len(graph.y), graph.edges.num_edges, _width(graph))
    settings, reason = choose_batches(classifier.settings, classifier.model, sizes)
    if settings.batch_size != FULL and reason:
        LOG.info("%s", reason)
    if settings.batch_size == FULL:
        needed = (full_batch_bytes(settings, classifier.model, sizes) - PROCESS) / GB
        return Effort(full_epoch_seconds(settings, sizes) * epochs + score.seconds, needed)
    epoch = batch_epoch_seconds(settings, sizes, rows) + score.seconds
    return Effort(epoch * epochs, (mini_batch_bytes(settings, sizes) - PROCESS) / GB)


def effort_of_scoring(classifier: NodeClassifier, graph: Graph) -> Effort:
    """What the scores of all nodes of a graph take."""
    if isinstance(classifier, AutoClassifier):
        parts = [
            effort_of_scoring(model, graph)
            for member in classifier.members_
            for model, _ in member.models
        ]
        return Effort(sum(p.seconds for p in parts), max(p.gigabytes for p in parts))
    if isinstance(classifier, TableClassifier):
        made = _table(graph, COLUMNS[classifier.recipe.columns])
        cells = len(graph.y) * made.columns
        predict = PREDICT_S[classifier.recipe.estimator] * cells
        return Effort(made.seconds + predict, made.gigabytes)
    assert isinstance(classifier, NetworkClassifier)
    sizes = Sizes(len(graph.y), graph.edges.num_edges, _width(graph))
    settings = choose_batches(classifier.settings, classifier.model, sizes).settings
    if settings.batch_size == FULL:
        needed = full_batch_bytes(settings, classifier.model, sizes)
    else:
        needed = mini_batch_bytes(settings, sizes)
    return Effort(scoring_seconds(settings, sizes), (needed - PROCESS) / GB)


class _Made(NamedTuple):
    """A table of columns."""

    columns: int
    seconds: float
    gigabytes: float


def _table(graph: Graph, neighbourhood: Neighbourhood | None) -> _Made:
    nodes, edges, width = len(graph.y), graph.edges.num_edges, _width(graph)
    seconds = 0.0
    if neighbourhood is not None:
        width += STRUCTURAL if neighbourhood.structure else 0
        one_way = neighbourhood.with_self or is_symmetric(graph.edges)
        directions, over = (1, edges + nodes) if one_way else (3, 4 * edges)
        seconds = SUMMARY_S * over * width * neighbourhood.hops
        made = neighbourhood.hops * len(neighbourhood.statistics) * directions
        width *= 1 + made
    return _Made(width, seconds, COPIES * nodes * width * 4 / 1e9)


def _width(graph: Graph) -> int:
    """Columns once categories are columns of their own."""
    columns: Any = graph.columns
    if columns is None:
        return graph.x.shape[1]
    return sum(min(len(c.categories or (0,)), MOST_CATEGORIES) for c in columns)
