"""Paired comparison of two methods over seeds whose training sets overlap."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
POWER = 0.8
MOST = 2000  # seeds beyond which more of them are no answer


class Comparison(NamedTuple):
    """How much a method is ahead of another one; the metric's unit."""

    seeds: int
    difference: float
    """Mean of the paired differences."""
    low: float
    high: float
    """Its 95 % confidence interval, by the corrected t."""
    p: float
    """Two-sided, corrected t (Nadeau and Bengio, 2003)."""
    p_wilcoxon: float
    """Two-sided, Wilcoxon's signed ranks; it takes the seeds for independent."""
    effect: float
    """Cohen's d of the paired differences: their mean in their standard deviations."""


def compare(differences: NDArray[np.floating], overlap: float) -> Comparison:
    """Compares two methods by their paired differences, one a seed.

    Args:
        differences: [n], n ≥ 2.
        overlap: n_test / n_train where each seed draws a split of the same nodes: the correction
            of Nadeau and Bengio, which raises the variance of the mean from s²/n to
            s² (1/n + n_test/n_train). 0 where the seeds are independent or share one split.

    Raises:
        ValueError: there are fewer than two differences.
    """
    n = len(differences)
    if n < 2:
        raise ValueError("a paired comparison needs at least two seeds")
    mean, spread = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if spread == 0:  # such as a method beside itself
        p = 1.0 if mean == 0 else 0.0
        effect = 0.0 if mean == 0 else float(np.copysign(np.inf, mean))
        return Comparison(n, mean, mean, mean, p, p, effect)
    error = spread * np.sqrt(1 / n + overlap)
    margin = stats.t.ppf(1 - LEVEL / 2, n - 1) * error
    p = 2 * stats.t.sf(abs(mean) / error, n - 1)
    ranks = stats.wilcoxon(differences)
    return Comparison(
        n,
        mean,
        mean - margin,
        mean + margin,
        float(p),
        float(ranks.pvalue),  # pyright: ignore
        mean / spread,
    )


def seeds_needed(effect: float, overlap: float) -> float:
    """Fewest seeds with which the two-sided test finds a difference with a power of 80 %.

    Args:
        effect: the difference in standard deviations of the paired differences.
        overlap: as in `compare`.

    Returns:
        Infinity where no number of splits of the same nodes is enough.
    """
    n = np.arange(2, MOST + 1)
    critical = stats.t.ppf(1 - LEVEL / 2, n - 1)
    shift = abs(effect) / np.sqrt(1 / n + overlap)
    power = stats.nct.sf(critical, n - 1, shift)
    enough = np.flatnonzero(power >= POWER)
    return float(n[enough[0]]) if len(enough) else float("inf")


def holm(p: pd.Series) -> pd.Series:
    """Holm's correction of a family of p-values."""
    if p.empty:
        return p
    return pd.Series(multipletests(p, method="holm")[1], index=p.index)


def over_settings(means: pd.DataFrame) -> pd.DataFrame:
    """Compares methods over settings (data sets, networks): one value a setting counts, its mean.

    Args:
        means: one row a setting, one column a method, without gaps.

    Returns:
        A row per pair of columns, the later one against the earlier: `ahead` (settings where it is
        above), `settings`, `difference` (median) and `p_wilcoxon`, 1 where all differences are 0.
    """
    rows = []
    for i, act in enumerate(means.columns):
        for reference in means.columns[:i]:
            d = (means[act] - means[reference]).to_numpy()
            p = 1.0 if not d.any() else float(stats.wilcoxon(d).pvalue)  # pyright: ignore
            row = {"act": act, "reference": reference, "settings": len(d), "ahead": (d > 0).sum()}
            rows.append(row | {"difference": np.median(d), "p_wilcoxon": p})
    return pd.DataFrame(rows)
