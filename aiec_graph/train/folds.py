"""Which nodes candidates are fitted on, which stop a network, and which compare candidates."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from aiec_graph.data import Graph, Split
from aiec_graph.errors import InputError

FEW_ANOMALIES = 100
"""Validation anomalies below which candidates are cross-validated instead."""
FOLDS = 4
STOPPING = 0.2
"""Share of the training nodes that decide when a network stops."""


def make_folds(graph: Graph, split: Split, seed: int) -> list[Split]:
    """The splits that candidates are fitted on and compared by.

    The given one where validation has `FEW_ANOMALIES` or more, or is later in time than training;
    otherwise `FOLDS` of the training and validation nodes together, each judging a part of them.
    """
    anomalous = graph.y[split.val_mask] == 1
    if anomalous.sum() >= FEW_ANOMALIES or graph.time_step is not None:
        return [split]
    known = np.flatnonzero(split.train_mask | split.val_mask)
    labels = graph.y[known]
    count = min(FOLDS, int(np.bincount(labels).min()))
    folds = []
    for _, part in StratifiedKFold(count, shuffle=True, random_state=seed).split(known, labels):
        val_mask = np.zeros(len(graph.y), bool)
        val_mask[known[part]] = True
        train_mask = (split.train_mask | split.val_mask) & ~val_mask
        folds.append(Split(train_mask, val_mask, split.test_mask))
    return folds


def spare_for_stopping(graph: Graph, train_mask: NDArray[np.bool_], seed: int) -> Split:
    """Splits training nodes once more: a network may not stop on those that compare it.

    The best of 200 epochs on some nodes looks better there than it is, and forests, which choose
    no epoch, would be at a disadvantage.

    Args:
        graph: where it has time steps, the latest nodes of each class are spared.
        train_mask: at least two nodes of each class [N].
        seed: of the nodes that are drawn.

    Returns:
        The rest as training nodes, `STOPPING` of each class as validation nodes, no test nodes.

    Raises:
        InputError: a class has a single node.
    """
    time = np.zeros(len(graph.y)) if graph.time_step is None else graph.time_step
    order = np.lexsort((np.random.default_rng(seed).random(len(graph.y)), time))
    stop = np.zeros(len(graph.y), bool)
    for label in (0, 1):
        members = order[(train_mask & (graph.y == label))[order]]
        if len(members) < 2:
            raise InputError("a network needs two training nodes of each class, one to stop by")
        stop[members[-max(1, round(STOPPING * len(members))) :]] = True
    return Split(train_mask & ~stop, stop, np.zeros(len(graph.y), bool))
