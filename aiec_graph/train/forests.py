"""Random forests on node features and on those of the neighbours: what a network has to beat."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from aiec_graph.data import Preprocessor, Split
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.nn import Adjacency
from aiec_graph.train.trainer import Prepared

TREES = {"rf": 0, "rf_graph": 2}
"""By name, how many times the neighbours' features are averaged and set beside a node's own:
RFGraph of GADBench takes x, the mean over neighbours, and the mean of that again."""


@dataclass(frozen=True)
class TreeSettings:
    """Settings of a forest."""

    trees: int = 100
    """Number of trees."""
    min_samples_leaf: int = 1
    """Fewest training nodes in a leaf."""
    max_features: float = 0.1
    """Share of the features that a split chooses from."""


class TreeResult(NamedTuple):
    """A forest's scores and metrics."""

    score: NDArray[np.float64]
    """Share of the trees' votes for anomalous [N]."""
    val: Metrics
    test: Metrics
    seconds: float


def train_trees(
    prepared: Prepared, split: Split, name: str, settings: TreeSettings, seed: int
) -> TreeResult:
    """Fits a forest on the training nodes, the rare class weighted up, and scores all nodes.

    Args:
        prepared: the data set.
        split: its masks.
        name: a name in `TREES`.
        settings: of the forest.
        seed: of everything drawn.
    """
    graph, adjacency = prepared
    started = time.perf_counter()
    preprocessor = Preprocessor.fit(graph, split.train_mask, "raw")
    x = with_neighbours(preprocessor.transform(graph).numpy(), adjacency, TREES[name])
    forest = RandomForestClassifier(
        settings.trees,
        min_samples_leaf=settings.min_samples_leaf,
        max_features=cast(Any, settings.max_features),  # its stubs know names alone
        class_weight="balanced_subsample",
        random_state=seed,
    ).fit(x[split.train_mask], graph.y[split.train_mask])
    score = forest.predict_proba(x)[:, 1]
    val, test = (evaluate(graph.y[m], score[m]) for m in (split.val_mask, split.test_mask))
    return TreeResult(score, val, test, time.perf_counter() - started)


def with_neighbours(x: NDArray[np.float32], adjacency: Adjacency, hops: int) -> NDArray[np.float32]:
    """Features [N, F · (1 + hops)]: a node's own, its neighbours' mean, the mean of that, ….

    The prepared graph's self-loops count as neighbours, as in GADBench.
    """
    parts = [x]
    matrix = adjacency.csr
    degree = np.maximum(matrix @ np.ones(matrix.shape[1], np.float32), 1e-12)[:, None]
    for _ in range(hops):
        parts.append((matrix @ parts[-1]) / degree)
    return np.concatenate(parts, axis=1)
