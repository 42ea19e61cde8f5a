"""Everything that a report says, as values and drawings for its template."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from aiec_graph.data import UNKNOWN, Graph
from aiec_graph.detect.card import describe_threshold, in_words, make_card
from aiec_graph.detect.drift import column_names
from aiec_graph.detect.effort import effort_of_scoring
from aiec_graph.detect.evaluation import Evaluation, evaluate_scores
from aiec_graph.detect.leakage import LeakageGap, compare_scored
from aiec_graph.detect.nodes import Nodes
from aiec_graph.detect.reasons import Explainer
from aiec_graph.detect.reasons_channels import measure_layers
from aiec_graph.detect.reasons_words import NodeReasons
from aiec_graph.detect.report import figures
from aiec_graph.detect.report.compared import MOST_TRAINED, compare, verdict
from aiec_graph.detect.report.cuts import Evaluated, make_cuts
from aiec_graph.detect.report.drawings import Drawing, draw_neighbourhood
from aiec_graph.detect.rules import Rule
from aiec_graph.errors import InputError
from aiec_graph.train.ensemble import AutoClassifier

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

LOG = logging.getLogger("aiec_graph.detect")
FRESH = "labelled nodes of these data that took no part in the training"
VALIDATION = (
    "validation nodes of the training, which chose the epoch, the calibration and the threshold "
    "and so flatter"
)
MOST_STEPS = 60
"""Time steps that are listed; of more, the last ones."""

MOST_DRIFTS = 15
"""Quantities that the table of drift holds; of more, those that have shifted most."""


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows in words."""

    title: str
    text: str
    svg: Markup


@dataclass(frozen=True)
class Suspect:
    """A node at the top of the list."""

    rank: int
    probability: float | None
    is_flagged: bool
    label: str
    reasons: NodeReasons
    drawing: Drawing


def make_content(
    detector: "FraudDetector", nodes: Nodes, suspects: int, baselines: bool, whole: Nodes | None
) -> dict[str, Any]:
    """The values of the template.

    Args:
        detector: fitted.
        nodes: as it reads them.
        suspects: number of nodes that are shown with reasons.
        baselines: whether plain models are fitted beside it.
        whole: the same data with all that came later, for the leakage gap.

    Raises:
        InputError: the data cannot be used.
    """
    found = detector.in_columns(nodes)
    graph = found.graph
    LOG.info("scoring %s nodes", f"{len(graph.y):,}")
    effort_of_scoring(detector.classifier_, graph).say("scoring")
    score = detector.classifier_.decision_function(graph)
    explainer = Explainer(detector, graph, score)
    parts = detector.trained_on_.parts(found.own)
    fresh = (graph.y != UNKNOWN) & (parts == "")
    evaluated = _evaluation_nodes(detector, graph, score, fresh)
    cuts = make_cuts(score, explainer.flag, evaluated, detector.base_rate)
    LOG.info("finding reasons of the first %s nodes", suspects)
    listed = _suspects(detector, explainer, suspects)
    compared = (
        compare(detector, graph, parts, fresh, score) if baselines and evaluated.is_fair else []
    )
    drift = detector.reference_.compare(graph, score, found.unseen)
    return {
        "graph": graph,
        "columns": column_names(graph),
        "labelled": int((graph.y != UNKNOWN).sum()),
        "anomalous": int((graph.y == 1).sum()),
        "flagged": int(explainer.flag.sum()),
        "card": make_card(detector),
        "threshold": describe_threshold(detector.threshold_),
        "drift": drift,
        "most_drifts": MOST_DRIFTS,
        "as_of": nodes.as_of,
        "gap": None if whole is None else _gap(detector, whole, nodes, score),
        "evaluated": evaluated,
        "evaluation": _evaluate(detector, evaluated),
        "cuts": cuts,
        "costs": _costs(detector),
        "curves": _curves(detector, evaluated, float(cuts.score[cuts.start])),
        "steps": _steps(graph, explainer.flag, score, fresh),
        "suspects": listed,
        "compared": compared,
        "most_trained": MOST_TRAINED,
        "verdict": verdict(compared) if len(compared) > 1 else None,
        "trials": _trials(detector.classifier_),
        "channels": _channels(explainer),
        "in_words": in_words,
    }


def _evaluation_nodes(
    detector: "FraudDetector",
    graph: Graph,
    score: NDArray[np.float64],
    fresh: NDArray[np.bool_],
) -> Evaluated:
    """The labelled nodes that metrics are computed on: fresh ones where they have both classes."""
    if {0, 1} <= set(graph.y[fresh].tolist()):
        return Evaluated(graph.y[fresh], score[fresh], FRESH, True)
    return Evaluated(detector.validation_y_, detector.validation_score_, VALIDATION, False)


def _gap(
    detector: "FraudDetector", whole: Nodes, past: Nodes, score: NDArray[np.float64]
) -> LeakageGap | str:
    """The leakage gap, or why there is none; `score` is of all nodes of the past [N]."""
    try:
        scored = [(whole, detector.decision_function(whole)), (past, score[past.index])]
        return compare_scored(detector, scored)
    except InputError as error:
        return str(error)


def _evaluate(detector: "FraudDetector", evaluated: Evaluated) -> Evaluation:
    is_fair = detector.calibrate and detector.base_rate is None
    probability = detector.calibrator_(evaluated.score) if is_fair else None
    flag = detector.threshold_.flag(evaluated.score)
    return evaluate_scores(evaluated.y, evaluated.score, flag, probability)


def _costs(detector: "FraudDetector") -> tuple[float, float]:
    """Of a false alarm and of a miss, to begin with."""
    rule = Rule.parse(detector.threshold_.rule)
    return (rule.value, rule.miss) if rule.kind == "cost" else (1.0, 10.0)


def _curves(detector: "FraudDetector", evaluated: Evaluated, cut: float) -> list[Figure]:
    curves = figures.curves_of(evaluated)
    rate = float(evaluated.y.mean())
    made = [
        Figure(
            "How many anomalies for how many false alarms (ROC)",
            "The further the line is above the dashed one, which is chance, the better.",
            figures.draw_roc(curves),
        ),
        Figure(
            "Precision against recall",
            f"Dashed: chance, {rate:.1%} anomalies.",
            figures.draw_precision_recall(curves, rate),
        ),
        Figure(
            "Anomalies found in a list of K nodes",
            "The length of the list is on a logarithmic scale.",
            figures.draw_recall_at_k(curves),
        ),
        Figure(
            "Scores of normal and of anomalous nodes",
            "Dotted: the threshold of the model.",
            figures.draw_scores(evaluated, cut),
        ),
    ]
    if detector.calibrate and detector.base_rate is None:
        chance = detector.calibrator_(evaluated.score)
        made.append(
            Figure(
                "Whether probabilities are right (calibration)",
                "Each point is a tenth of the nodes; on the dashed line they are.",
                figures.draw_calibration(evaluated.y, chance),
            )
        )
    return made


def _steps(
    graph: Graph, flag: NDArray[np.bool_], score: NDArray[np.float64], fresh: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """A row for each time step, and a drawing; None without any."""
    if graph.time_step is None:
        return None
    rows = []
    known_steps = np.unique(graph.time_step)
    for step in known_steps[-MOST_STEPS:].tolist():
        there = graph.time_step == step
        known = there & fresh
        y = graph.y[known]
        hits, listed = int((y[flag[known]] == 1).sum()), int(flag[known].sum())
        anomalies = int((y == 1).sum())
        both = 0 < anomalies < len(y)
        found = Evaluated(y, score[known], "", True)
        rows.append(
            {
                "step": step,
                "nodes": int(there.sum()),
                "alerts": int(flag[there].sum()),
                "evaluated": len(y),
                "anomalies": anomalies,
                "precision": hits / listed if listed else None,
                "recall": hits / anomalies if anomalies else None,
                "ap": _ap(found) if both else None,
                "rate": anomalies / len(y) if len(y) else None,
            }
        )
    frame = pd.DataFrame(rows)
    is_drawn = frame["ap"].notna().sum() > 1
    svg = figures.draw_time(frame) if is_drawn else None
    return {"rows": rows, "svg": svg, "left_out": len(known_steps) - len(rows)}


def _ap(evaluated: Evaluated) -> float:
    from aiec_graph.metrics import average_precision

    return average_precision(evaluated.y, evaluated.score)


def _suspects(detector: "FraudDetector", explainer: Explainer, count: int) -> list[Suspect]:
    score = explainer.score
    top = np.argsort(-score, kind="stable")[:count]
    ranks = pd.Series(score).rank(method="min", ascending=False).to_numpy()[top]
    chance = detector.calibrator_(score[top]).tolist() if detector.calibrate else None
    words = {0: "normal", 1: "anomalous", UNKNOWN: "unknown"}
    return [
        Suspect(
            rank=int(ranks[i]),
            probability=None if chance is None else chance[i],
            is_flagged=bool(explainer.flag[reasons.node]),
            label=words[int(explainer.graph.y[reasons.node])],
            reasons=reasons,
            drawing=draw_neighbourhood(explainer, reasons),
        )
        for i, reasons in enumerate(explainer.explain(top) if len(top) else [])
    ]


def _trials(classifier: Any) -> dict[str, Any] | None:
    """What `auto` tried; None for other models."""
    if not isinstance(classifier, AutoClassifier):
        return None
    trials = sorted(classifier.trials_, key=lambda t: -(-1 if t.val_ap is None else t.val_ap))
    return {"trials": trials, "remarks": classifier.remarks_}


def _channels(explainer: Explainer) -> list[dict[str, Any]]:
    """The channels of each AIEC layer: counts, and drawings for both classes."""
    classifier = explainer.detector.classifier_
    layers = measure_layers(classifier, explainer.prepared, explainer.flag)
    return [
        {
            "layer": found.layer,
            "count": found.channels.activity.shape[1],
            "kept": [int((~gated).sum()) for gated in found.channels.gated],
            "figures": [
                Figure(
                    f"Layer {found.layer}, {name} nodes",
                    "Bars: firing rate, −1 never to 1 always. Points: decision weight for "
                    f"{name}, relative to the largest.",
                    figures.draw_channels(found.channels, label),
                )
                for label, name in ((1, "anomalous"), (0, "normal"))
            ],
        }
        for found in layers
    ]
