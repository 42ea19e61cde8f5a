"""How good scores, a cut and probabilities are on labelled nodes, with intervals."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from aiec_graph.detect.calibration import expected_calibration_error
from aiec_graph.detect.rules import Curve
from aiec_graph.detect.thresholds import LEVEL, Estimate

DRAWS = 200


class Ranking(NamedTuple):
    """Metrics of a ranking, fractions."""

    auc: float
    ap: float
    rec_at_k: float


def rank_metrics(curve: Curve) -> Ranking:
    """AUC, AP and Rec@K as `aiec_graph.metrics` defines them, from counts at distinct scores."""
    caught, alarms = np.cumsum(curve.anomalous), np.cumsum(curve.normal)
    positive, negative = int(caught[-1]), int(alarms[-1])
    ap = (curve.anomalous * (caught / (caught + alarms))).sum() / positive
    auc = (curve.normal * (caught - curve.anomalous / 2)).sum() / (positive * negative)
    listed = caught + alarms
    at = int(np.searchsorted(listed, positive))
    tied = curve.anomalous[at] + curve.normal[at]
    share = (positive - (listed[at] - tied)) / tied
    found = caught[at] - curve.anomalous[at] + share * curve.anomalous[at]
    return Ranking(float(auc), float(ap), float(found / positive))


@dataclass(frozen=True)
class Evaluation:
    """Metrics on some labelled nodes, each a fraction with its 95 % interval.

    The intervals of the ranking are by bootstrap, those of the list Jeffreys'.
    """

    nodes: int
    anomalies: int
    auc: Estimate
    ap: Estimate
    rec_at_k: Estimate
    precision: Estimate
    """Of the flagged nodes."""
    recall: Estimate
    flagged: int
    calibration_error: float | None
    """The expected calibration error, for nodes as they are; None without probabilities, or where
    a base rate is stated that these nodes do not have."""


def evaluate_scores(
    y: NDArray[np.integer],
    score: NDArray[np.floating],
    flag: NDArray[np.bool_],
    probability: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluates what a detector says of labelled nodes.

    Args:
        y: labels [N] in {0, 1}.
        score: [N].
        flag: whether each node is on the list [N].
        probability: calibrated [N].
        seed: of the bootstrap.

    Raises:
        InputError: a class is absent, or a score is not finite.
    """
    rng = np.random.default_rng(seed)
    curve = Curve.of(y, score)
    samples = [s for _ in range(DRAWS) if (s := curve.resampled(rng)) is not None]
    drawn = np.array([rank_metrics(sample) for sample in samples])
    ranking = rank_metrics(curve)
    parts = [_interval(value, drawn[:, i]) for i, value in enumerate(ranking)]
    hits, flagged = int((y[flag] == 1).sum()), int(flag.sum())
    anomalies = int((y == 1).sum())
    return Evaluation(
        nodes=len(y),
        anomalies=anomalies,
        auc=parts[0],
        ap=parts[1],
        rec_at_k=parts[2],
        precision=_share(hits, flagged),
        recall=_share(hits, anomalies),
        flagged=flagged,
        calibration_error=(
            None if probability is None else expected_calibration_error(y, probability)
        ),
    )


def _interval(value: float, drawn: NDArray[np.float64]) -> Estimate:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Estimate(value, min(float(low), value), max(float(high), value))


def _share(hits: int, count: int) -> Estimate:
    """A share with Jeffreys' interval, which does not take none or all of a few for certain."""
    if count == 0:
        return Estimate(0.0, 0.0, 1.0)
    tail = (1 - LEVEL) / 2
    low, high = beta.ppf((tail, 1 - tail), hits + 0.5, count - hits + 0.5)
    value = hits / count
    return Estimate(value, min(float(low), value), max(float(high), value))
