"""The cut of a list of suspects, with what to expect of it on nodes that are still to come."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiec_graph.detect.rules import Curve, Cut, Rule, choose_cut

LEVEL = 0.95
FEW_ANOMALIES = 20
DRAWS, FEWEST_DRAWS, MOST_WORK = 1000, 200, 20_000_000


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
    draws: int
    """Bootstrap samples behind the intervals; 0 if there are none."""

    @property
    def warnings(self) -> list[str]:
        """What somebody who relies on the cut has to know."""
        found = []
        if self.anomalies < FEW_ANOMALIES:
            found.append(
                f"only {self.anomalies} validation nodes are anomalous: too few to say much about "
                f"the threshold ({FEW_ANOMALIES} at the least; see the intervals)"
            )
        if not self.cut.is_met:
            kind = Rule.parse(self.rule).kind
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

    The interval is a pivotal bootstrap prediction interval on the logit scale. In each draw the
    validation nodes play the population: a sample of them chooses a cut by the same rule, another
    sample, of the batch's size, tests it, and the difference between what the first saw and the
    second got is noted. So the choice of the cut and the chance in the new batch both count. It
    holds for new nodes that are like the validation nodes and independent of each other; neighbours
    that are anomalous together make it too narrow.

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
    errors = np.array(
        [
            error
            for _ in range(draws)
            if (error := _draw_error(curve, rule, base_rate, (at_a_time, batch), rng)) is not None
        ]
    )
    alike = cut.share * batch
    sizes = (alike, rate * batch, batch)
    seen = (cut.precision, cut.recall, cut.share)
    precision, recall, share = (
        _predict(value, size, errors[:, i])
        for i, (value, size) in enumerate(zip(seen, sizes, strict=True))
    )
    flagged = Estimate(*(batch * part for part in (share.value, share.low, share.high)))
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
        draws=len(errors),
    )


def _draw_error(
    curve: Curve,
    rule: Rule,
    base_rate: float | None,
    nodes: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[float, float, float] | None:
    """How much better precision, recall and share look to who chooses than to who uses [logit]."""
    sample = curve.resampled(rng)
    if sample is None:
        return None
    at_a_time, batch = nodes
    rate = curve.rate if base_rate is None else base_rate
    cut = choose_cut(sample, rule, base_rate, at_a_time)
    listed = int(np.searchsorted(-curve.score, -cut.value, side="right"))
    positive, negative = int(curve.anomalous.sum()), int(curve.normal.sum())
    caught = rate * curve.anomalous[:listed].sum() / positive
    alarms = (1 - rate) * curve.normal[:listed].sum() / negative
    parts = np.array([caught, rate - caught, alarms, 1 - rate - alarms]).clip(0)
    hits, missed, false, _ = rng.multinomial(batch, parts / parts.sum())
    flagged, anomalous = hits + false, hits + missed
    seen = len_of(sample)
    return (
        _logit(cut.precision, cut.share * seen) - _logit(hits / max(flagged, 1), flagged),
        _logit(cut.recall, sample.anomalous.sum()) - _logit(hits / max(anomalous, 1), anomalous),
        _logit(cut.share, seen) - _logit(flagged / batch, batch),
    )


def len_of(curve: Curve) -> int:
    """Nodes on a curve."""
    return int(curve.anomalous.sum() + curve.normal.sum())


def _logit(share: float, size: float) -> float:
    """The logit of a share of `size` nodes, which is finite for none and for all of them."""
    count = share * size
    return math.log((count + 0.5) / (size - count + 0.5))


def _predict(seen: float, size: float, errors: NDArray[np.float64]) -> Estimate:
    """The interval for a share of `size` new nodes, from what was seen and how wrong that is."""
    tail = (1 - LEVEL) / 2
    steps = np.quantile(errors, (0.5, 1 - tail, tail)) if len(errors) else (0.0, np.inf, -np.inf)
    middle, low, high = (1 / (1 + np.exp(step - _logit(seen, size))) for step in steps)
    size = max(size, 1.0)
    parts = [float(np.clip((part * (size + 1) - 0.5) / size, 0, 1)) for part in (middle, low, high)]
    return Estimate(*parts)
