"""AUC, AP and Rec@K of anomaly scores, where higher means more anomalous.

All take labels `y` [N] in {0, 1} and finite scores [N], as NumPy arrays, and return a fraction in
[0, 1].
"""

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

    scikit-learn's `average_precision_score` without its checks of the input, which took a quarter
    of a training epoch on reddit, where it is called in each.

    Raises:
        ValueError: a class is absent or a score is not finite.
    """
    _check(y, score)
    order = np.argsort(-score)
    ranked, hits = score[order], np.cumsum(y[order])
    # Where the score changes: nodes that share one are taken in together.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(y) - 1)
    found = hits[last]
    return float(np.sum(np.diff(found, prepend=0) * found / (last + 1)) / found[-1])


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


def _check(y: NDArray[np.integer], score: NDArray[np.floating]) -> None:
    if y.shape != score.shape or y.ndim != 1:
        raise ValueError(f"y and score must have one shape [N], not {y.shape} and {score.shape}")
    positive = int(np.count_nonzero(y == 1))
    if positive + np.count_nonzero(y == 0) != len(y):
        raise ValueError("y must hold 0 (normal) and 1 (anomalous) only")
    if positive in (0, len(y)):
        missing = "anomalous" if positive == 0 else "normal"
        raise ValueError(f"none of the {len(y)} nodes is {missing}: the metrics are undefined")
    if not np.isfinite(score).all():
        raise ValueError("the scores hold NaN or infinity")
