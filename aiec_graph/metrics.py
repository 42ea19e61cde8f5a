"""AUC, AP and Rec@K of anomaly scores, where higher means more anomalous.

All take labels `y` [N] in {0, 1} and finite scores [N], as NumPy arrays, and return a fraction in
[0, 1].
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


class Metrics(NamedTuple):
    """AUC, AP and Rec@K of one set of scores, in percent."""

    auc: float
    ap: float
    rec_at_k: float


def auc(y: NDArray[np.integer], score: NDArray[np.floating]) -> float:
    """The area under the ROC curve.

    Raises:
        ValueError: a class is absent or a score is not finite.
    """
    _check(y, score)
    return float(roc_auc_score(y, score))


def average_precision(y: NDArray[np.integer], score: NDArray[np.floating]) -> float:
    """Average precision: Σ (R_n − R_{n−1}) P_n over the distinct scores, highest first.

    Raises:
        ValueError: a class is absent or a score is not finite.
    """
    return AveragePrecision(y)(score)


class AveragePrecision:
    """`average_precision` of many scores of the same nodes, for which it is called in each epoch.

    The mean, over the anomalous nodes, of the precision among what scores as high or higher.
    That takes two sorted arrays, where the curve takes an order and five passes over it.

    Args:
        y: the nodes' labels [N].

    Raises:
        ValueError: a class is absent.
    """

    def __init__(self, y: NDArray[np.integer]) -> None:
        _check_labels(y)
        self._shape = y.shape
        self._anomalous = np.flatnonzero(y)

    def __call__(self, score: NDArray[np.floating]) -> float:
        """The fraction for some scores [N].

        Raises:
            ValueError: there is not one for each node, or one is not finite.
        """
        if score.shape != self._shape:
            raise _unequal(self._shape, score.shape)
        ranked, found = np.sort(score), np.sort(score[self._anomalous])
        # A NaN comes last.
        if not (math.isfinite(ranked[0]) and math.isfinite(ranked[-1])):
            raise ValueError(NOT_FINITE)
        higher = len(ranked) - ranked.searchsorted(found)
        return float(((len(found) - found.searchsorted(found)) / higher).mean())


def rec_at_k(y: NDArray[np.integer], score: NDArray[np.floating]) -> float:
    """The share of the K anomalies that is among the K highest scores.

    Scores tied at the cut count with their expected recall under a random order, so the result
    does not depend on the order of the nodes.

    Raises:
        ValueError: a class is absent or a score is not finite.
    """
    _check(y, score)
    k = int(y.sum())
    cut = np.partition(score, -k)[-k]
    above, tied = score > cut, score == cut
    share_of_tied = (k - above.sum()) / tied.sum()
    return float((y[above].sum() + share_of_tied * y[tied].sum()) / k)


def evaluate(y: NDArray[np.integer], score: NDArray[np.floating]) -> Metrics:
    """All three, in percent.

    Raises:
        ValueError: a class is absent or a score is not finite.
    """
    parts = auc(y, score), average_precision(y, score), rec_at_k(y, score)
    return Metrics(*(100 * part for part in parts))


NOT_FINITE = "the scores hold NaN or infinity"


def _check(y: NDArray[np.integer], score: NDArray[np.floating]) -> None:
    if y.shape != score.shape:
        raise _unequal(y.shape, score.shape)
    _check_labels(y)
    if not np.isfinite(score).all():
        raise ValueError(NOT_FINITE)


def _check_labels(y: NDArray[np.integer]) -> None:
    if y.ndim != 1:
        raise ValueError(f"y must have one dimension, not {y.ndim}")
    positive = int(np.count_nonzero(y == 1))
    if positive + np.count_nonzero(y == 0) != len(y):
        raise ValueError("y must hold 0 (normal) and 1 (anomalous) only")
    if positive in (0, len(y)):
        missing = "anomalous" if positive == 0 else "normal"
        raise ValueError(f"none of the {len(y)} nodes is {missing}: the metrics are undefined")


def _unequal(y: tuple[int, ...], score: tuple[int, ...]) -> ValueError:
    return ValueError(f"y and score must have one shape [N], not {y} and {score}")
