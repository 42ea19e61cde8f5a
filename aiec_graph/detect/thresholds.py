"""The cut of a list of suspects, with what to expect of it on nodes that are still to come."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.detect.rules import Curve, Cut, Rule, choose_cut

LEVEL = 0.95
FEW_ANOMALIES = 20
DRAWS, FEWEST_DRAWS, MOST_WORK = 300, 50, 20_000_000
PREDICTED = 10_000
"""Batches that are drawn for an interval."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Threshold:
    """A cut and what to expect of it."""

    rule: str
    cut: Cut
    """Chosen on all validation nodes, with its precision, recall and share there. These are a
    little too good, since the cut was chosen to make them so; the estimates are corrected."""
    precision: Estimate
    recall: Estimate
    flagged: Estimate
    """Nodes on the list, out of `nodes`."""
    nodes: int
    """Size of the batch of new nodes that the intervals are for."""
    base_rate: float
    """Share of anomalies that the estimates assume."""
    anomalies: int
    """Validation nodes that are anomalous."""
    normal: int
    """Validation nodes that are normal."""

    def flag(self, score: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each node of a batch is on the list, by the scores of all of it [N]."""
        rule = Rule.parse(self.rule)
        if rule.kind != "top":
            return score >= self.cut.value
        flag = np.zeros(len(score), dtype=bool)
        flag[np.argsort(-score, kind="stable")[: int(rule.value)]] = True
        return flag

    @property
    def warnings(self) -> list[str]:
        """What somebody who relies on the cut has to know."""
        found = []
        if self.anomalies < FEW_ANOMALIES:
            found.append(
                f"only {self.anomalies} validation nodes are anomalous: too few to say much about "
                f"the threshold ({FEW_ANOMALIES} at the least; see the intervals)"
            )
        if 1 / self.normal > self.base_rate:
            found.append(
                f"{self.normal} normal validation nodes cannot tell a rate of false alarms below "
                f"1 in {self.normal}, and only {self.base_rate:.3g} of the nodes are taken to be "
                "anomalous: the precision is very uncertain, label more normal nodes"
            )
        rule = Rule.parse(self.rule)
        if rule.kind == "top" and rule.value > self.nodes:
            found.append(
                f"{self.rule} is more than there are, {self.nodes:,} nodes: it flags all of as many"
            )
        if not self.cut.is_met:
            kind = rule.kind
            found.append(
                f"no threshold reaches {self.rule} on the validation nodes; the one in use comes "
                f"nearest, with a {kind} of {self.cut.best:.3g} there"
            )
        return found


def make_threshold(
    y: NDArray[np.integer],
    score: NDArray[np.floating],
    rule: Rule,
    base_rate: float | None = None,
    nodes: tuple[int, int] | None = None,
    seed: int = 0,
) -> Threshold:
    """Chooses a cut on validation nodes and estimates what it gives on a new batch of nodes.

    The interval is predictive. The rates of true and of false alarms at the cut have Jeffreys'
    posterior, so that none among a few is not taken for never; the choice of the cut on the same
    nodes flatters both, by as much, on the logit scale, as it does when bootstrap samples of these
    nodes choose a cut and the nodes themselves test it, and that is taken off. The interval then
    counts the chance in the rates and in a new batch of the stated size. It holds for new nodes
    that are like the validation nodes and independent of each other; neighbours that are anomalous
    together make it too narrow.

    Args:
        y: labels of the validation nodes [N] in {0, 1}.
        score: their scores [N].
        rule: chooses the cut.
        base_rate: the share of anomalies where the rule will be used; by default that of the
            validation nodes.
        nodes: how many nodes are scored at a time, for `top=K`, and the size of the batch that
            the intervals are for; by default the number of the validation nodes for both.
        seed: of the bootstrap.

    Raises:
        InputError: a class is absent or a score is not finite.
    """
    curve = Curve.of(y, score)
    at_a_time, batch = (len(y), len(y)) if nodes is None else nodes
    rate = curve.rate if base_rate is None else base_rate
    cut = choose_cut(curve, rule, base_rate, at_a_time)
    draws = int(np.clip(MOST_WORK / len(curve.score), FEWEST_DRAWS, DRAWS))
    rng = np.random.default_rng(seed)
    optimism = _optimism(curve, rule, (base_rate, at_a_time), draws, rng)
    precision, recall, flagged = _predict(
        _counts(curve, cut.value), base_rate, batch, optimism, rng
    )
    if rule.kind == "top":
        listed = min(rule.value, at_a_time)
        flagged = Estimate(listed, listed, listed)
    return Threshold(
        rule=str(rule),
        cut=cut,
        precision=precision,
        recall=recall,
        flagged=flagged,
        nodes=batch,
        base_rate=rate,
        anomalies=int(curve.anomalous.sum()),
        normal=int(curve.normal.sum()),
    )


class _Counts(NamedTuple):
    """Labelled nodes, and those of them that a cut flags."""

    hits: int
    alarms: int
    anomalous: int
    normal: int


def _counts(curve: Curve, cut: float) -> _Counts:
    listed = int(np.searchsorted(-curve.score, -cut, side="right"))
    hits, alarms = curve.anomalous[:listed].sum(), curve.normal[:listed].sum()
    return _Counts(int(hits), int(alarms), int(curve.anomalous.sum()), int(curve.normal.sum()))


def _optimism(
    curve: Curve,
    rule: Rule,
    use: tuple[float | None, int],
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """How much higher the rates of true and false alarms look to who chooses the cut [logit]."""
    found = []
    for _ in range(draws):
        sample = curve.resampled(rng)
        if sample is not None:
            cut = choose_cut(sample, rule, *use)
            seen, real = _rates(_counts(sample, cut.value)), _rates(_counts(curve, cut.value))
            found.append((seen[0] - real[0], seen[1] - real[1]))
    true, false = np.mean(found, axis=0) if found else (0.0, 0.0)
    return float(true), float(false)


def _rates(counts: _Counts) -> tuple[float, float]:
    """The logits of the rates of true and of false alarms, with half a node added on each side."""
    true = math.log((counts.hits + 0.5) / (counts.anomalous - counts.hits + 0.5))
    return true, math.log((counts.alarms + 0.5) / (counts.normal - counts.alarms + 0.5))


def _predict(
    counts: _Counts,
    base_rate: float | None,
    batch: int,
    optimism: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Estimate, Estimate, Estimate]:
    """Precision, recall and number of flagged nodes in a new batch."""
    hits, alarms, anomalous, normal = counts
    true = _shifted(rng.beta(hits + 0.5, anomalous - hits + 0.5, PREDICTED), -optimism[0])
    false = _shifted(rng.beta(alarms + 0.5, normal - alarms + 0.5, PREDICTED), -optimism[1])
    rate = rng.beta(anomalous + 0.5, normal + 0.5, PREDICTED) if base_rate is None else base_rate
    there = rng.binomial(batch, rate, PREDICTED)
    found, wrong = rng.binomial(there, true), rng.binomial(batch - there, false)
    flagged = found + wrong
    share = rate * true + (1 - rate) * false
    return (
        _estimate(rate * true / share, found, flagged),
        _estimate(true, found, there),
        _estimate(share * batch, flagged, np.ones_like(flagged)),
    )


def _shifted(rate: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Rates moved on the logit scale."""
    odds = rate * math.exp(shift)
    return odds / (1 - rate + odds)


def _estimate(
    expected: NDArray[np.float64], part: NDArray[np.int64], whole: NDArray[np.int64]
) -> Estimate:
    """The median of what is expected, and the interval of the shares that can come of it."""
    tail = (1 - LEVEL) / 2
    is_there = whole > 0
    value = float(np.median(expected))
    if not is_there.any():
        return Estimate(value, 0.0, 1.0)
    low, high = np.quantile(part[is_there] / whole[is_there], (tail, 1 - tail))
    return Estimate(value, min(float(low), value), max(float(high), value))
