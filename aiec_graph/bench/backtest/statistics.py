"""Paired comparison over cuts whose horizons may share nodes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.bench.backtest.timeline import Timeline
from aiec_graph.bench.study.statistics import LEVEL, Comparison, compare


def correlation_of(cuts: Sequence[Cut], timeline: Timeline) -> NDArray[np.float64]:
    """How much the cuts' differences vary together, by the nodes that they test on [n, n].

    Two cuts whose horizons hold the labelled nodes A and B have about the correlation
    |A ∩ B| / √(|A| |B|) in whatever is a mean over nodes. Training nodes in common add next to
    nothing to it, as simulations show (`benchmarks/backtest_level.py`), and are not counted.
    """
    masks = [cut.split(timeline.y, timeline.moment).test_mask for cut in cuts]
    tested = np.stack(masks).astype(np.float64)
    size = np.sqrt(tested.sum(1))
    return tested @ tested.T / np.outer(size, size)


def inflation_of(correlation: NDArray[np.float64]) -> float:
    """What the variance of the mean gains: it is s² (1/n + r / (1 − r)), r the mean correlation.

    That is the form of Nadeau and Bengio's correction (2003).

    Returns:
        r / (1 − r); 0 where no two horizons overlap.
    """
    count = len(correlation)
    if count < 2:
        return 0.0
    mean = (correlation.sum() - count) / (count * (count - 1))
    return float(max(mean, 0.0) / (1 - mean))


def compare_cuts(differences: NDArray[np.floating], correlation: NDArray[np.float64]) -> Comparison:
    """Compares two models by their paired differences, one a cut.

    A t-test with the variance of `inflation_of` and, since s² of values that vary together is less
    sure, Satterthwaite's degrees of freedom tr(CR)² / tr(CRCR), where R is the correlation and C
    takes off the mean. Where no horizons overlap it is the plain t-test. Wilcoxon's test has no
    such correction, and its p is NaN where horizons overlap.

    Args:
        differences: [n], n ≥ 2.
        correlation: [n, n].

    Raises:
        ValueError: there are fewer than two differences.
    """
    overlap = inflation_of(correlation)
    plain = compare(differences, overlap)
    spread = float(np.std(differences, ddof=1))
    if overlap == 0 or spread == 0:
        return plain
    count = len(differences)
    centred = correlation - correlation.mean(0)
    freedom = np.trace(centred) ** 2 / np.sum(centred * centred.T)
    error = spread * np.sqrt(1 / count + overlap)
    margin = stats.t.ppf(1 - LEVEL / 2, freedom) * error
    p = float(2 * stats.t.sf(abs(plain.difference) / error, freedom))
    low, high = plain.difference - margin, plain.difference + margin
    return plain._replace(low=low, high=high, p=p, p_wilcoxon=float("nan"))
