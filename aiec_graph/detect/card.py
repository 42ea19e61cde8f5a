"""The model card: what a detector was made from, how good it is, and where its limits are."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from aiec_graph import __version__
from aiec_graph.detect.conformal import ASSUMPTION
from aiec_graph.detect.estimator import FraudDetector
from aiec_graph.detect.evaluation import Evaluation
from aiec_graph.detect.rules import Rule
from aiec_graph.detect.thresholds import Estimate, Threshold
from aiec_graph.tables import escape_markdown
from aiec_graph.wording import counted

PACKAGES = ("torch", "scikit-learn", "numpy", "pandas")
LIMITS = (
    "Scores rank nodes; a flag is a reason to look, not a verdict.",
    "The intervals of the threshold hold for nodes like the validation nodes and independent of "
    "each other; anomalies that are linked, and a world that changes, make them too narrow.",
    "Probabilities are right on average over nodes like the validation nodes, not within each "
    "group of them.",
)


def make_card(detector: FraudDetector) -> dict[str, Any]:
    """The card of a fitted detector as plain values."""
    threshold, gap = detector.threshold_, detector.leakage_gap_
    limits: list[str] = list(LIMITS)
    if detector.base_rate is not None:
        limits.append(
            f"Probabilities, precision and workload assume that {detector.base_rate:g} of the "
            "nodes are anomalous, and that anomalies look as the labelled ones do; the metrics "
            "below are those of the labelled nodes as they are."
        )
    shown = ("model", "act", "split", "features", "random_state", "base_rate", "as_of")
    return {
        "data": detector.data_,
        "model": {name: getattr(detector, name) for name in shown},
        "split": detector.split_,
        "metrics": {part: asdict(found) for part, found in detector.metrics_.items()},
        "leakage_gap": gap and {**asdict(gap), "text": gap.describe()},
        "threshold": {
            **asdict(threshold),
            "warnings": threshold.warnings,
            "text": describe_threshold(threshold),
        },
        "calibration": detector.calibrator_.kind if detector.calibrate else None,
        "alerts": ASSUMPTION,
        "limits": limits,
        "versions": {
            "aiec_graph": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def card_in_markdown(card: dict[str, Any]) -> str:
    """The card for people."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: dict[str, Any]) -> Iterator[str]:
    data, model, threshold = card["data"], card["model"], card["threshold"]
    yield f"# Model card: {model['model']} on {escape_markdown(data['name'])}"
    yield ""
    if data["simulated"]:
        yield "**The data are simulated.**"
        yield ""
    yield (
        f"{counted(data['nodes'], 'node')}, {counted(data['edges'], 'directed edge')}, "
        f"{counted(len(data['features']), 'feature')}; {data['labelled']:,} labelled, "
        f"{data['anomalies']:,} of them anomalous."
    )
    yield ""
    yield f"Split: {card['split']}. " + ", ".join(
        f"{part} {found['nodes']:,} ({found['anomalies']:,} anomalous)"
        for part, found in data["parts"].items()
    )
    yield ""
    yield "## Metrics, with 95 % intervals"
    yield ""
    yield "| nodes | AUC | AP | Rec@K | precision | recall | calibration error |"
    yield "|---|---|---|---|---|---|---|"
    for part, found in card["metrics"].items():
        numbers = [
            in_words(Estimate(**found[k])) for k in ("auc", "ap", "rec_at_k", "precision", "recall")
        ]
        error = found["calibration_error"]
        shown = "" if error is None else f"{error:.3f}"
        yield f"| {part} ({found['nodes']:,}) | {' | '.join(numbers)} | {shown} |"
    yield ""
    yield "The validation nodes chose the calibration and the cut: their row flatters."
    yield ""
    if card["leakage_gap"]:
        yield f"{card['leakage_gap']['text']}."
        yield ""
    yield "## Threshold"
    yield ""
    first, *rest = threshold["text"]
    yield f"{first}:"
    yield ""
    yield from (f"- {line}" for line in rest)
    yield from (f"- warning: {escape_markdown(line)}" for line in threshold["warnings"])
    yield ""
    yield "## Limits"
    yield ""
    yield from (f"- {line}" for line in card["limits"])
    yield ""
    yield "## Configuration and versions"
    yield ""
    yield ", ".join(f"{name} {escape_markdown(str(value))}" for name, value in model.items())
    yield ""
    yield ", ".join(f"{name} {found}" for name, found in card["versions"].items())


def describe_threshold(threshold: Threshold) -> list[str]:
    """Where the list ends, and what to expect of it, in lines."""
    if Rule.parse(threshold.rule).kind == "top":
        where = "the highest scores of what is scored"
    else:
        where = f"a score of {threshold.cut.value:.6g} and above"
    share = threshold.flagged.value / threshold.nodes
    return [
        f"threshold {threshold.rule}: {where}; to expect in a new batch of {threshold.nodes:,} "
        f"nodes of which {threshold.base_rate:.2%} are anomalous",
        f"precision {in_words(threshold.precision)}",
        f"recall {in_words(threshold.recall)}",
        f"flagged {in_words(threshold.flagged, lambda value: f'{value:,.0f}')}, {share:.2%} of "
        "the nodes",
    ]


def describe_evaluation(found: Evaluation) -> list[str]:
    """What was measured on some nodes, in lines."""
    lines = [
        f"{found.nodes:,} labelled nodes that took no part in the training, {found.anomalies:,} "
        f"anomalous; 95 % intervals in brackets",
        f"AUC {in_words(found.auc)}, AP {in_words(found.ap)}, Rec@K {in_words(found.rec_at_k)}",
        f"at the threshold: {found.flagged:,} flagged, precision {in_words(found.precision)}, "
        f"recall {in_words(found.recall)}",
    ]
    if found.calibration_error is not None:
        lines.append(f"calibration error of the probabilities: {found.calibration_error:.3f}")
    return lines


def describe_fit(detector: FraudDetector) -> list[str]:
    """What came of a fit, in lines."""
    lines = describe_threshold(detector.threshold_)
    if "test" in detector.metrics_:
        lines += ["test: " + describe_evaluation(detector.metrics_["test"])[0]]
        lines += describe_evaluation(detector.metrics_["test"])[1:]
    if detector.leakage_gap_ is not None:
        lines.append(detector.leakage_gap_.describe())
    return lines


def in_words(
    estimate: Estimate, show: Callable[[float], str] = lambda value: f"{value:.3f}"
) -> str:
    """A number with its interval."""
    return f"{show(estimate.value)} ({show(estimate.low)} to {show(estimate.high)})"
