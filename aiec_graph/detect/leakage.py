"""The leakage gap: how much of a model's score comes from what was not yet known."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data import UNKNOWN
from aiec_graph.detect.evaluation import Evaluation, evaluate_scores
from aiec_graph.detect.nodes import Nodes
from aiec_graph.errors import InputError

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

LOG = logging.getLogger("aiec_graph.detect")


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


def leakage_gap(
    detector: "FraudDetector", data: Any, as_of: int | str, y: Any = None
) -> LeakageGap:
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


def compare_knowledge(detector: "FraudDetector", whole: Nodes, past: Nodes) -> LeakageGap:
    """The leakage gap between two readings of the same data, the second as of a time.

    Raises:
        InputError: of the labelled nodes, too few are in both.
    """
    scored = [(nodes, detector.decision_function(nodes)) for nodes in (whole, past)]
    return compare_scored(detector, scored)


def compare_scored(
    detector: "FraudDetector", scored: list[tuple[Nodes, NDArray[np.float64]]], part: str = ""
) -> LeakageGap:
    """`compare_knowledge` of two readings that are scored already.

    Args:
        detector: fitted.
        scored: the whole data, with labels, and the same as of a time; each with its scores [M].
        part: of which nodes: "" for those that took no part in the training, or "val".

    Raises:
        InputError: as `compare_knowledge`.
    """
    whole, past = both = [nodes for nodes, _ in scored]
    ids = [pd.Index(nodes.graph.node_ids[nodes.index]).astype(str) for nodes in both]
    place = ids[0].get_indexer(ids[1])
    rows = [place[place >= 0], np.flatnonzero(place >= 0)]
    labels = np.maximum(*(nodes.y[at] for nodes, at in zip(both, rows, strict=True)))
    parts = [
        detector.trained_on_.parts(nodes.graph)[nodes.index][at]
        for nodes, at in zip(both, rows, strict=True)
    ]
    # Nodes that bear mere row numbers are known in the graph of the training alone.
    fresh = (labels != UNKNOWN) & (np.where(parts[0] == "", parts[1], parts[0]) == part)
    rows, labels = [at[fresh] for at in rows], labels[fresh]
    if not {0, 1} <= set(labels.tolist()):
        which = "validated" if part else "took no part in the training"
        raise InputError(
            f"{whole.graph.label}: of the labelled nodes that {which}, {len(labels)} were known "
            f"as of {past.as_of}; the gap needs anomalous and normal ones"
        )
    scores = [score[at] for (_, score), at in zip(scored, rows, strict=True)]
    cut = detector.threshold_.cut.value
    found = [evaluate_scores(labels, score, score >= cut) for score in scores]
    return LeakageGap(past.as_of, *found)


def gap_after_fit(
    detector: "FraudDetector", data: Any, nodes: Nodes, score: NDArray[np.float64]
) -> LeakageGap | None:
    """The leakage gap of a model that was just fitted, where its data can be read once more.

    Fitted with `as_of`, it is measured on the nodes that took no part in the training, beside the
    table with all that came later. Fitted on a split by time, it is measured on the validation
    nodes, beside what was known when the last of them appeared.

    Args:
        detector: fitted.
        data: what was given to `fit`.
        nodes: what was read of it.
        score: of these nodes [N].

    Returns:
        None where there is nothing to compare: neither an `as_of` nor a split by time; data that
        were read already; or too few labelled nodes.
    """
    last = detector.split_.removeprefix("time=").rpartition(":")[2]
    is_by_time = detector.split_.startswith("time=")
    if isinstance(data, Nodes) or not (nodes.as_of or is_by_time):
        return None
    LOG.info("leakage gap: the data are read and scored once more")
    try:
        if nodes.as_of:
            part = "" if "test" in detector.metrics_ else "val"
            whole = detector.read(data)
            scored = [(whole, detector.decision_function(whole)), (nodes, score)]
            return compare_scored(detector, scored, part)
        past = _read_as_of(detector, data, int(last))
        scored = [(nodes, score), (past, detector.decision_function(past))]
        return compare_scored(detector, scored, "val")
    except InputError as error:
        LOG.info("leakage gap: none is measured, %s", error)
        return None


def _read_as_of(detector: "FraudDetector", data: Any, moment: int) -> Nodes:
    """Data as of a time step, which is a day since 1970 where the steps were dates."""
    try:
        return detector.read(data, as_of=moment)
    except InputError:  # tables of dates refuse a number
        return detector.read(data, as_of=str(np.datetime64(moment, "D")))
