"""Rules that say where a list of suspects ends, and the curve that they choose on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError, did_you_mean

Floats = NDArray[np.float64]
ROUNDING = 1e-12
"""4 of 5 nodes are a precision of 0.8, however the shares are computed."""
KINDS = ("f1", "precision", "recall", "top", "cost", "score")
USAGE = "f1, precision=0.9, recall=0.8, top=200, cost=1:50 (false alarm : miss) or score=1.5"


@dataclass(frozen=True)
class Rule:
    """A rule that chooses a cut on a curve.

    `f1` takes the highest F1; `precision=P` the longest list whose precision is at least P;
    `recall=R` the shortest list whose recall is at least R; `top=K` the K highest scores of
    whatever is scored; `cost=A:B` the lowest cost, where a false alarm costs A and a miss B;
    `score=S` the score S itself.
    """

    kind: str
    value: float = 0.0
    """P, R, K, S, or the cost of a false alarm."""
    miss: float = 0.0
    """The cost of a miss."""

    @classmethod
    def parse(cls, text: object) -> "Rule":
        """Reads a rule as it is written on the command line.

        Raises:
            InputError: it is no rule, or its number is out of range.
        """
        if not isinstance(text, str):
            raise InputError(f"a threshold is a text such as {USAGE}; not {text!r}")
        kind, _, written = text.strip().partition("=")
        if kind not in KINDS:
            raise InputError(
                f"unknown threshold {text!r}.{did_you_mean(kind, KINDS)} Known: {USAGE}"
            )
        try:
            numbers = [float(part) for part in written.split(":")] if written else []
        except ValueError:
            numbers = [np.nan]
        wanted = {"f1": 0, "cost": 2}.get(kind, 1)
        if len(numbers) != wanted or not np.isfinite(numbers).all():
            raise InputError(f"the threshold {text!r} cannot be read. Known: {USAGE}")
        rule = cls(kind, *numbers)
        rule._check(text)
        return rule

    def _check(self, text: str) -> None:
        if self.kind in ("precision", "recall") and not 0 < self.value <= 1:
            raise InputError(f"the threshold {text!r}: {self.kind} must be above 0 and at most 1")
        if self.kind == "top" and (self.value < 1 or self.value != int(self.value)):
            raise InputError(f"the threshold {text!r}: top takes a whole number from 1 up")
        if self.kind == "cost" and not (self.value > 0 and self.miss > 0):
            raise InputError(f"the threshold {text!r}: both costs must be above 0")

    def __str__(self) -> str:
        if self.kind == "f1":
            return self.kind
        end = f":{self.miss:g}" if self.kind == "cost" else ""
        return f"{self.kind}={self.value:.10g}{end}"


@dataclass(frozen=True)
class Curve:
    """How many anomalous and normal nodes there are at each distinct score, highest first."""

    score: Floats
    """Distinct scores [D], falling."""
    anomalous: NDArray[np.int64]
    """Anomalous nodes at each score [D]."""
    normal: NDArray[np.int64]
    """Normal nodes at each score [D]."""

    @classmethod
    def of(cls, y: NDArray[np.integer], score: NDArray[np.floating]) -> "Curve":
        """From labels [N] in {0, 1} and finite scores [N].

        Raises:
            InputError: a class is absent, or a score is not finite.
        """
        if not np.isfinite(score).all():
            raise InputError("some scores are not finite: the model gives no ranking")
        distinct, group = np.unique(score.astype(np.float64), return_inverse=True)
        anomalous = np.bincount(group[y == 1], minlength=len(distinct))[::-1]
        normal = np.bincount(group[y == 0], minlength=len(distinct))[::-1]
        if not (anomalous.any() and normal.any()):
            raise InputError("a threshold needs both anomalous and normal labelled nodes")
        return cls(distinct[::-1], anomalous, normal)

    @property
    def rate(self) -> float:
        """Share of the anomalous nodes."""
        positive = int(self.anomalous.sum())
        return positive / (positive + int(self.normal.sum()))

    def resampled(self, rng: np.random.Generator) -> "Curve | None":
        """Nodes drawn with replacement, as many as there are; None if a class is not drawn."""
        counts = np.concatenate([self.anomalous, self.normal])
        drawn = rng.multinomial(counts.sum(), counts / counts.sum())
        anomalous, normal = np.split(drawn, 2)
        if not (anomalous.any() and normal.any()):
            return None
        there = (anomalous + normal) > 0
        return Curve(self.score[there], anomalous[there], normal[there])

    def rates(self) -> tuple[Floats, Floats]:
        """True and false positive rates [D] of a list that ends after each score."""
        caught, alarms = np.cumsum(self.anomalous), np.cumsum(self.normal)
        return caught / caught[-1], alarms / alarms[-1]


@dataclass(frozen=True)
class Cut:
    """Where a rule ends the list."""

    value: float
    """Nodes that score this or more are flagged."""
    is_met: bool
    """Whether the rule's demand can be met; where not, the cut comes nearest to it."""
    precision: float
    recall: float
    share: float
    """Flagged nodes among all."""
    best: float
    """The best that any cut reaches of what the rule demands."""


def choose_cut(curve: Curve, rule: Rule, base_rate: float | None = None, nodes: int = 0) -> Cut:
    """Applies a rule to a curve.

    With π the rate of anomalies, TPR and FPR the rates of a list, its share is
    s = π TPR + (1 − π) FPR, its precision π TPR / s, its F1 2 π TPR / (s + π).

    Args:
        curve: of labelled nodes.
        rule: what to look for.
        base_rate: π where the rule will be used; by default that of the curve.
        nodes: how many nodes are scored at a time, for `top=K`, which then is the share K / nodes.
    """
    rate = curve.rate if base_rate is None else base_rate
    caught, alarms = curve.rates()
    share = rate * caught + (1 - rate) * alarms
    precision = rate * caught / share
    at, goal = _position(rule, curve, (caught, alarms, share, precision), rate, nodes)
    best = float(goal.max())
    is_met = rule.kind not in ("precision", "recall") or best >= rule.value * (1 - ROUNDING)
    if rule.kind == "score":
        value = rule.value
    elif at < 0:
        value = float(np.nextafter(curve.score[0], np.inf))
    else:
        # Halfway to the next score, so that a new node as good as the last one is flagged.
        low = curve.score[min(at + 1, len(curve.score) - 1)]
        value = float(curve.score[at] + low) / 2
    if at < 0:
        return Cut(value, is_met, 0.0, 0.0, 0.0, best)
    return Cut(value, is_met, float(precision[at]), float(caught[at]), float(share[at]), best)


def _position(
    rule: Rule, curve: Curve, rates: tuple[Floats, ...], rate: float, nodes: int
) -> tuple[int, Floats]:
    """The last score of the list, -1 for an empty one, and what the rule looks at [D]."""
    caught, alarms, share, precision = rates
    if rule.kind == "precision":
        good = np.flatnonzero(precision >= rule.value * (1 - ROUNDING))
        return int(good[-1]) if len(good) else int(precision.argmax()), precision
    if rule.kind == "recall":
        return int((caught >= rule.value * (1 - ROUNDING)).argmax()), caught
    if rule.kind == "top":
        wanted = min(rule.value / max(nodes, 1), 1.0)
        return int((share >= wanted * (1 - ROUNDING)).argmax()), share
    if rule.kind == "cost":
        cost = rule.value * (1 - rate) * alarms + rule.miss * rate * (1 - caught)
        # An empty list may be the cheapest.
        return (-1 if rule.miss * rate < cost.min() else int(cost.argmin())), -cost
    if rule.kind == "score":
        return int(np.searchsorted(-curve.score, -rule.value, side="right")) - 1, share
    f1 = 2 * rate * caught / (share + rate)
    return int(f1.argmax()), f1
