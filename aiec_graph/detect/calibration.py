"""Probabilities out of scores: calibrated on validation nodes, corrected for the base rate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from aiec_graph.errors import InputError

Floats = NDArray[np.float64]
ENOUGH_FOR_ISOTONIC = 100
"""Nodes of the rarer class from which on isotonic regression is preferred to a sigmoid."""


@dataclass(frozen=True)
class Calibrator:
    """A monotone function from scores to probabilities.

    A sigmoid is Platt's: p(s) = 1 / (1 + exp(−(a s + b))), fitted to his smoothed targets. An
    isotonic one is a rising line through points. Where the share of anomalies in use, π, is not
    that of the calibration nodes, ρ, the odds are multiplied by (π / (1 − π)) / (ρ / (1 − ρ)),
    which is right where normal and anomalous nodes each look as they do in training, and only
    their shares differ.
    """

    kind: str
    """isotonic or sigmoid."""
    points: Floats
    """Isotonic: scores and probabilities [2, P]; sigmoid: slope and intercept [2, 1]."""
    sample_rate: float
    """ρ, the share of anomalies among the calibration nodes."""
    base_rate: float | None = None
    """π, the share of anomalies in use; None where it is ρ."""

    @classmethod
    def fit(
        cls,
        y: NDArray[np.integer],
        score: NDArray[np.floating],
        base_rate: float | None = None,
        kind: str | None = None,
    ) -> "Calibrator":
        """Fits on validation nodes.

        Args:
            y: labels [N] in {0, 1}.
            score: their scores [N].
            base_rate: the share of anomalies in use, where the nodes are enriched.
            kind: isotonic or sigmoid; by default isotonic where each class has at least
                `ENOUGH_FOR_ISOTONIC` nodes.

        Raises:
            InputError: a class is absent.
        """
        counts = np.bincount(y, minlength=2)
        if counts.min() == 0:
            raise InputError("calibration needs both anomalous and normal validation nodes")
        if kind is None:
            kind = "isotonic" if counts.min() >= ENOUGH_FOR_ISOTONIC else "sigmoid"
        values = score.astype(np.float64)
        points = _isotonic(y, values) if kind == "isotonic" else _sigmoid(y, values)
        return cls(kind, points, float(y.mean()), base_rate)

    def __call__(self, score: NDArray[np.floating]) -> Floats:
        """Probabilities of being anomalous [N] for scores [N]."""
        values = score.astype(np.float64)
        if self.kind == "isotonic":
            log_odds = _log_odds(np.interp(values, *self.points))
        else:
            slope, intercept = self.points[:, 0]
            log_odds = slope * values + intercept
        if self.base_rate is not None:
            log_odds = log_odds + _log_odds(self.base_rate) - _log_odds(self.sample_rate)
        return _logistic(log_odds)


def _isotonic(y: NDArray[np.integer], score: Floats) -> Floats:
    """Points of the fitted line, kept off 0 and 1, which no finite sample proves."""
    least = 1 / (len(y) + 2)
    fitted: Any = IsotonicRegression(y_min=least, y_max=1 - least).fit(score, y)
    return np.stack([fitted.X_thresholds_, fitted.y_thresholds_])


def _sigmoid(y: NDArray[np.integer], score: Floats) -> Floats:
    """Slope and intercept by logistic regression on Platt's targets."""
    normal, anomalous = np.bincount(y, minlength=2)
    centre, scale = score.mean(), max(score.std(), 1e-12)
    target = np.where(y == 1, (anomalous + 1) / (anomalous + 2), 1 / (normal + 2))
    # A node of a soft target t counts as t of an anomalous node and 1 − t of a normal one.
    twice = np.tile((score - centre) / scale, 2)[:, None]
    labels = np.repeat([1, 0], len(y))
    fitted = LogisticRegression(C=np.inf).fit(
        twice, labels, sample_weight=np.concatenate([target, 1 - target])
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        # Higher scores that are no more anomalous tell nothing; a falling line would turn the
        # list upside down.
        return np.array([[0.0], [_log_odds(float(y.mean()))]])
    return np.array([[slope / scale], [intercept - slope * centre / scale]])


def expected_calibration_error(
    y: NDArray[np.integer], probability: NDArray[np.floating], bins: int = 10
) -> float:
    """The mean distance of probability and frequency over equal-width bins, weighted by size.

    Args:
        y: labels [N] in {0, 1}.
        probability: of label 1 [N].
        bins: of [0, 1].
    """
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, weights=probability - y, minlength=bins)
    return float(np.abs(gap).sum() / len(y))


def _logistic(value: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -value))


def _log_odds(chance: Any) -> Any:
    return np.log(chance) - np.log1p(-chance)
