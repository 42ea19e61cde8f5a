"""The list of suspects as a table, and what is to be said about it."""

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.artifacts.scores import describe_ties
from aiec_graph.data import UNKNOWN
from aiec_graph.detect.alarms import DriftWarning, TiesWarning
from aiec_graph.detect.conformal import ASSUMPTION, alert_list, fewest_alerts
from aiec_graph.detect.drift import Drift
from aiec_graph.detect.nodes import Nodes
from aiec_graph.wording import counted

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

LOG = logging.getLogger("aiec_graph.detect")


def warn_of(label: str, drift: Drift, score: NDArray[np.float64]) -> None:
    """Warns by name of what has drifted since the training, and of scores [N] that tie."""
    for line in drift.warnings:
        warnings.warn(f"{label}: {line}", DriftWarning, stacklevel=3)
    if not drift.warnings:
        LOG.info("%s", drift.describe())
    if line := describe_ties(score):
        warnings.warn(f"{label}: {line}", TiesWarning, stacklevel=3)


def list_suspects(
    detector: "FraudDetector",
    nodes: Nodes,
    score: NDArray[np.float64],
    false_alarms: float | None = None,
) -> pd.DataFrame:
    """The table that `FraudDetector.rank` returns, the most anomalous node first.

    Args:
        detector: fitted.
        nodes: what was scored.
        score: of each of the nodes [N].
        false_alarms: see `FraudDetector.alerts`.

    Raises:
        InputError: the share of false alarms is out of range.
    """
    frame = pd.DataFrame({"id": nodes.graph.node_ids[nodes.index], "score": score})
    if detector.calibrate:
        frame["probability"] = detector.calibrator_(score)
    frame["flag"] = detector.threshold_.flag(score)
    frame["rank"] = frame["score"].rank(method="min", ascending=False).astype(np.int64)
    if false_alarms is not None:
        frame["p_value"] = detector.p_values(score)
        frame["alert"] = alert_list(frame["p_value"].to_numpy(), false_alarms)
    if (nodes.y != UNKNOWN).any():
        frame["label"] = pd.Series(nodes.y).map({0: "normal", 1: "anomalous", -1: "unknown"})
    if nodes.graph.time_step is not None:
        frame["time_step"] = nodes.graph.time_step[nodes.index]
    part = detector.trained_on_.parts(nodes.graph)[nodes.index]
    fresh = f"{int((part == '').sum()):,} of {len(part):,} nodes"
    LOG.info("%s took no part in the training", fresh)
    if (part != "").any():
        frame["part"] = part
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def describe_alerts(
    detector: "FraudDetector", frame: pd.DataFrame, false_alarms: float
) -> list[str]:
    """What to know of the alerts of a list, in lines.

    Args:
        detector: that made it.
        frame: with the column alert.
        false_alarms: the share that it holds.
    """
    count = int(frame["alert"].sum())
    lines = [
        f"{counted(count, 'alert')}, of which on average at most {false_alarms:g} are false if "
        f"this holds: {ASSUMPTION}"
    ]
    if "part" in frame and (known := int(((frame["part"] != "") & frame["alert"]).sum())):
        lines.append(
            f"{known:,} of the alerts took part in the training, so for them it does not hold"
        )
    normal = int((detector.validation_y_ == 0).sum())
    least = fewest_alerts(normal, len(frame), false_alarms)
    if not count:
        lines.append(
            f"with {normal:,} normal validation nodes there is an alert only where at least "
            f"{least:,} of {len(frame):,} nodes score above all of them: label more normal nodes, "
            "or allow a larger share"
        )
    return lines
