"""Which models to mix, and with what weight: greedy ensemble selection on ranks, with bagging.

Caruana et al., "Ensemble selection from libraries of models", 2004: models are added one at a
time, each the one that the mixture gains most from, with repetition; the share of the draws is the
weight. What is averaged is the logarithm of the rank from the top (`from_top`), since AP is decided
there. Few anomalies make the choice a matter of luck, so it is made anew on many bootstrap
samples of the nodes, and the weights are the mean over them. Where the mixture, on the nodes that a
sample left out, is not ahead of the model that the sample calls the best, it is not taken.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.metrics import AveragePrecision

BAGS = 40
STEPS = 12
"""Draws of a greedy selection."""
SHARE = 0.7
"""Of the models that a bag chooses from."""
TOP = 1e-4
"""Share of nodes at the top within which the logarithm of a rank grows little."""
MOST_NORMAL = 20_000
"""Normal nodes of a bag, so that large graphs do not spend the budget on sorting."""
REFERENCE = 4096
"""Largest number of reference scores that are kept of a model."""


class Selection(NamedTuple):
    """What `select` decided."""

    weights: NDArray[np.float64]
    """Of each model [K], 0 or more, adding up to 1."""
    best: int
    """The model with the best AP on all nodes."""
    gain: float
    """How far the mixture is ahead of the best single model on nodes left out of the choice, as a
    fraction of AP, in the mean over the bags."""


def from_top(rank: NDArray[np.float64]) -> NDArray[np.float64]:
    """−log of the share of nodes above: 0 at the bottom, and steep at the top, to about 9."""
    return -np.log(1 - rank + TOP)


def to_rank(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `from_top`: of a mean, the rank that stands for it."""
    return 1 + TOP - np.exp(-mean)


def select(ranks: NDArray[np.float64], y: NDArray[np.int64], seed: int) -> Selection:
    """Weighs models by the AP of their mixture.

    Args:
        ranks: what each model gives to each node [K, M], on a scale that can be averaged.
        y: labels, 0 or 1 [M].
        seed: of the bags.

    Raises:
        ValueError: a class is absent.
    """
    single = np.array([AveragePrecision(y)(row) for row in ranks])
    best = int(single.argmax())
    alone = np.eye(len(ranks))[best]
    if len(ranks) == 1:
        return Selection(alone, best, 0.0)
    rng = np.random.default_rng(seed)
    weights, gains = np.zeros(len(ranks)), []
    for _ in range(BAGS):
        rows = _bootstrap(y, rng)
        among = rng.permutation(len(ranks))[: max(2, round(SHARE * len(ranks)))]
        bag = np.zeros(len(ranks))
        bag[among] = _greedy(ranks[among][:, rows], y[rows])
        weights += bag / BAGS
        out = np.ones(len(y), bool)
        out[rows] = False
        if 0 < y[out].sum() < out.sum():
            ap, inside = AveragePrecision(y[out]), AveragePrecision(y[rows])
            leader = max(range(len(ranks)), key=lambda k: inside(ranks[k, rows]))
            gains.append(ap(bag @ ranks[:, out]) - ap(ranks[leader, out]))
    gain = float(np.mean(gains)) if gains else 0.0
    return Selection(weights if gain > 0 else alone, best, gain)


def _bootstrap(y: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Nodes drawn with repetition, as many of each class as there are, within `MOST_NORMAL`."""
    normal, anomalous = (np.flatnonzero(y == value) for value in (0, 1))
    drawn = rng.choice(normal, min(len(normal), MOST_NORMAL))
    return np.concatenate([drawn, rng.choice(anomalous, len(anomalous))])


def _greedy(ranks: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of the draws [K] of one greedy selection."""
    ap = AveragePrecision(y)
    counts, total, reached = np.zeros(len(ranks)), np.zeros(ranks.shape[1]), -1.0
    for _ in range(STEPS):
        found = [ap(total + row) for row in ranks]
        k = int(np.argmax(found))
        if found[k] < reached:
            break
        reached = found[k]
        counts[k] += 1
        total += ranks[k]
    return counts / counts.sum()


class Ranker(NamedTuple):
    """Turns a model's scores into ranks among reference scores, for any nodes."""

    scores: NDArray[np.float64]
    """Distinct reference scores, ascending [R]."""
    ranks: NDArray[np.float64]
    """The share of the references that each is ahead of, a tie counting half [R]."""

    @classmethod
    def fit(cls, reference: NDArray[np.float64]) -> "Ranker":
        """Ranks among some scores; of many, the highest are kept all, the rest in part."""
        scores, counts = np.unique(reference, return_counts=True)
        ranks = (np.cumsum(counts) - counts / 2) / len(reference)
        if len(scores) > REFERENCE:
            rest = len(scores) - REFERENCE // 2
            below = np.linspace(0, rest - 1, REFERENCE // 2).round().astype(np.int64)
            kept = np.concatenate([below, np.arange(rest, len(scores))])
            scores, ranks = scores[kept], ranks[kept]
        return cls(scores, ranks)

    def __call__(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ranks of scores [M], within 0 and 1; higher scores never have lower ranks.

        Between two references a rank is interpolated, and beyond the last it goes on towards 0 or
        1, so that scores which differ keep their order.
        """
        rank = np.interp(score, self.scores, self.ranks)
        above = np.maximum(score - self.scores[-1], 0)
        below = np.maximum(self.scores[0] - score, 0)
        rank += (1 - self.ranks[-1]) * above / (1 + above)
        return rank - self.ranks[0] * below / (1 + below)


class Taken(NamedTuple):
    """A candidate that was taken."""

    weight: float
    models: list[tuple[Any, Ranker]]
    """One a fold, each with what turns its scores into ranks."""
    ranker: Ranker
    """Turns the mean of these ranks into a rank again: a mean is never as high as the highest, so
    a threshold that was chosen by single models would flag too few."""

    def mix(self, scores: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """What is averaged over candidates, from the scores of each of the models."""
        return from_top(self.ranker(mean_rank(self.models, scores)))


def mean_rank(
    models: list[tuple[Any, Ranker]], scores: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The mean of the ranks that fits of one candidate give to nodes, from their scores [N]."""
    return np.mean([rank(score) for (_, rank), score in zip(models, scores, strict=True)], axis=0)
