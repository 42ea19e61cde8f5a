"""The detector beside plain baselines, on the same split and the same nodes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data import Graph, Preprocessor
from aiec_graph.detect.effort import effort_of_fit
from aiec_graph.detect.evaluation import Evaluation, evaluate_scores
from aiec_graph.train.baselines import TABULAR, Columns, TableClassifier

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

BASELINES = ("logistic", "rf", "rf_graph")
MOST_TRAINED = 100_000
"""Training nodes that a baseline is fitted on; of more, so many are drawn."""


@dataclass(frozen=True)
class Compared:
    """One model on the evaluated nodes."""

    name: str
    is_detector: bool
    found: Evaluation


def compare(
    detector: "FraudDetector",
    graph: Graph,
    parts: NDArray[np.str_],
    evaluated: NDArray[np.bool_],
    score: NDArray[np.float64],
) -> list[Compared]:
    """Fits the baselines on the detector's training nodes and evaluates all on the evaluated nodes.

    Args:
        detector: fitted.
        graph: in its columns.
        parts: "train", "val" or "" of each node [N].
        evaluated: labelled nodes that took no part in the training [N].
        score: the detector's [N].

    Returns:
        The best AP first; empty where the graph does not hold the training nodes.
    """
    y = graph.y
    train, val = parts == "train", parts == "val"
    if not all({0, 1} <= set(y[mask].tolist()) for mask in (train, val)):
        return []
    found = [Compared(detector.model, True, _evaluate(y[evaluated], score[evaluated]))]
    drawn = _drawn(train)
    columns = Columns(graph, Preprocessor.fit(graph, drawn, "raw", fill=False))
    for name in BASELINES:
        if name != detector.model:
            model = TableClassifier(TABULAR[name], n_jobs=detector.n_jobs)
            effort_of_fit(model, graph, int(drawn.sum())).say(f"comparing with {name}")
            margin = model.fit_columns(columns, drawn).score_columns(columns)
            found.append(Compared(name, False, _evaluate(y[evaluated], margin[evaluated])))
    return sorted(found, key=lambda part: -part.found.ap.value)


def verdict(compared: list[Compared]) -> str:
    """Who wins, in a sentence."""
    best, own = compared[0], next(part for part in compared if part.is_detector)
    if best is own:
        second = compared[1]
        start = f"{own.name} has the highest average precision, before {second.name}"
        other = second
    else:
        start = f"{best.name}, a plain baseline, beats {own.name} here"
        other = best
    a, b = own.found.ap, other.found.ap
    overlap = a.low <= b.high and b.low <= a.high
    return start + (
        "; their intervals overlap, so this may be chance." if overlap else "; not by chance alone."
    )


def _evaluate(y: NDArray[np.int64], score: NDArray[np.float64]) -> Evaluation:
    return evaluate_scores(y, score, np.zeros(len(y), bool))


def _drawn(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    members = np.flatnonzero(mask)
    if len(members) <= MOST_TRAINED:
        return mask
    drawn = np.zeros(len(mask), bool)
    drawn[np.random.default_rng(0).choice(members, MOST_TRAINED, replace=False)] = True
    return drawn
