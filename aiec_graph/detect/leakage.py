"""The leakage gap: how much of a model's score comes from what was not yet known."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiec_graph.data import UNKNOWN
from aiec_graph.detect.estimator import FraudDetector
from aiec_graph.detect.evaluation import Evaluation, evaluate_scores
from aiec_graph.detect.nodes import Nodes
from aiec_graph.errors import InputError


@dataclass(frozen=True)
class LeakageGap:
    """One model on the same nodes, with the whole table and with the past alone."""

    as_of: str
    whole: Evaluation
    past: Evaluation

    @property
    def ap(self) -> float:
        """The average precision that is lost where only the past is known."""
        return self.whole.ap.value - self.past.ap.value

    def describe(self) -> str:
        """Says it in one line, for a report."""
        whole, past = (
            f"{part.ap.value:.3f} ({part.ap.low:.3f} to {part.ap.high:.3f})"
            for part in (self.whole, self.past)
        )
        return (
            f"leakage gap: AP {whole} with the whole table and {past} with what was known as of "
            f"{self.as_of}, on the same {self.past.nodes:,} nodes, {self.past.anomalies:,} of them "
            "anomalous"
        )


def leakage_gap(detector: FraudDetector, data: Any, as_of: int | str, y: Any = None) -> LeakageGap:
    """Scores the same nodes with a whole table and with its past, by the same fitted model.

    A gap says that the features of the whole table hold what was not known when the decision was
    due, so that no metric of the whole table can be believed; fit with `as_of` instead.

    Args:
        detector: fitted.
        data: with labels; see `as_nodes`. Nodes that took part in the training are left out.
        as_of: when the decision was due.
        y: labels in place of those in the data.

    Raises:
        InputError: the data cannot be used, or too few labelled nodes were known by then.
    """
    return compare_knowledge(detector, detector.read(data, y), detector.read(data, as_of=as_of))


def compare_knowledge(detector: FraudDetector, whole: Nodes, past: Nodes) -> LeakageGap:
    """The leakage gap between two readings of the same data, the second as of a time.

    Raises:
        InputError: of the labelled nodes, too few are in both.
    """
    fresh = (whole.y != UNKNOWN) & (detector.trained_on_.parts(whole.graph)[whole.index] == "")
    ids = np.asarray(whole.graph.node_ids[whole.index]).astype(str)
    later_ids = np.asarray(past.graph.node_ids[past.index]).astype(str)
    _, rows, later_rows = np.intersect1d(ids[fresh], later_ids, return_indices=True)
    rows = np.flatnonzero(fresh)[rows]
    labels = whole.y[rows]
    if not {0, 1} <= set(labels.tolist()):
        raise InputError(
            f"{whole.graph.label}: of the labelled nodes that took no part in the training, "
            f"{len(rows)} were known as of {past.as_of}; the gap needs anomalous and normal ones"
        )
    scores = detector.decision_function(whole)[rows], detector.decision_function(past)[later_rows]
    cut = detector.threshold_.cut.value
    found = [evaluate_scores(labels, score, score >= cut) for score in scores]
    return LeakageGap(past.as_of, *found)
