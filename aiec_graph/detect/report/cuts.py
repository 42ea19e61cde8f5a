"""What each cut of a list would give: the numbers behind the report's slider."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POSITIONS = 300


@dataclass(frozen=True)
class Evaluated:
    """The labelled nodes that a report computes its metrics on."""

    y: NDArray[np.int64]
    """[M] in {0, 1}."""
    score: NDArray[np.float64]
    """[M]."""
    who: str
    """Which nodes these are, in words that follow a number."""
    is_fair: bool
    """Whether they took no part in training, calibration or the choice of the threshold."""


@dataclass(frozen=True)
class Cuts:
    """Lists of different lengths, the shortest first."""

    score: list[float]
    """The lowest score on each list."""
    alerts: list[int]
    """Nodes on each list, of all that were scored."""
    hits: list[int]
    """Evaluated nodes on it that are anomalous."""
    false_alarms: list[int]
    """Evaluated nodes on it that are normal."""
    anomalous: int
    normal: int
    nodes: int
    """All nodes that were scored."""
    start: int
    """The position of the detector's own threshold."""
    base_rate: float | None
    """The share of anomalies that precision is for; None for that of the evaluated nodes."""

    def precision(self, at: int) -> float | None:
        """Of a list; None where no evaluated node is on it."""
        hits, false_alarms = self.hits[at], self.false_alarms[at]
        if hits + false_alarms == 0:
            return None
        if self.base_rate is None:
            return hits / (hits + false_alarms)
        true = self.base_rate * hits / self.anomalous
        return true / (true + (1 - self.base_rate) * false_alarms / self.normal)

    def recall(self, at: int) -> float:
        """Of a list."""
        return self.hits[at] / self.anomalous

    def cost(self, at: int, false_alarm: float, miss: float) -> float:
        """On the evaluated nodes."""
        return self.false_alarms[at] * false_alarm + (self.anomalous - self.hits[at]) * miss

    def to_json(self) -> dict[str, Any]:
        """For the page's script."""
        return {
            "score": self.score,
            "alerts": self.alerts,
            "hits": self.hits,
            "falseAlarms": self.false_alarms,
            "anomalous": self.anomalous,
            "normal": self.normal,
            "nodes": self.nodes,
            "baseRate": self.base_rate,
        }


def make_cuts(
    score: NDArray[np.float64],
    flag: NDArray[np.bool_],
    evaluated: Evaluated,
    base_rate: float | None,
) -> Cuts:
    """Lists of about `POSITIONS` lengths, spaced evenly by ratio, the flagged nodes among them.

    Where none is flagged, the first list is empty.

    Args:
        score: of all nodes [N].
        flag: which of them the detector flags [N]; the highest.
        evaluated: the nodes that metrics are computed on.
        base_rate: see `Cuts`.
    """
    falling = -np.sort(-score)
    flagged = int(flag.sum())
    lengths = np.unique(np.geomspace(1, len(score), POSITIONS).round().astype(np.int64))
    if flagged:
        lengths = np.union1d(lengths, [flagged])
    # Nodes that tie with the last one come along.
    cut = np.unique(falling[lengths - 1])[::-1]
    if not flagged:  # the detector's own list, which is empty
        cut = np.append(np.nextafter(falling[0], np.inf), cut)
    alerts = np.searchsorted(-falling, -cut, side="right")
    caught, alarms = (
        np.searchsorted(np.sort(-evaluated.score[evaluated.y == label]), -cut, side="right")
        for label in (1, 0)
    )
    return Cuts(
        score=cut.tolist(),
        alerts=alerts.tolist(),
        hits=caught.tolist(),
        false_alarms=alarms.tolist(),
        anomalous=int((evaluated.y == 1).sum()),
        normal=int((evaluated.y == 0).sum()),
        nodes=len(score),
        start=int(np.abs(alerts - flagged).argmin()),
        base_rate=base_rate,
    )
