"""The model card: what a detector was made from, how good it is, and where its limits are."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from aiec_graph import __version__
from aiec_graph.detect.conformal import ASSUMPTION
from aiec_graph.detect.estimator import FraudDetector
from aiec_graph.tables import escape_markdown

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
    threshold = detector.threshold_
    limits = list(LIMITS)
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
        "threshold": {**asdict(threshold), "warnings": threshold.warnings},
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
        f"{data['nodes']:,} nodes, {data['edges']:,} directed edges, {len(data['features'])} "
        f"features; {data['labelled']:,} nodes are labelled, {data['anomalies']:,} of them "
        "anomalous."
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
        numbers = [in_words(found[k]) for k in ("auc", "ap", "rec_at_k", "precision", "recall")]
        error = found["calibration_error"]
        shown = "" if error is None else f"{error:.3f}"
        yield f"| {part} ({found['nodes']:,}) | {' | '.join(numbers)} | {shown} |"
    yield ""
    yield "The validation nodes chose the epoch, the calibration and the cut: their row flatters."
    yield ""
    yield "## Threshold"
    yield ""
    yield f"Rule `{threshold['rule']}`: a score of {threshold['cut']['value']:.6g} and above."
    yield (
        f"Expected in a new batch of {threshold['nodes']:,} nodes, of which "
        f"{threshold['base_rate']:.2%} are anomalous:"
    )
    yield ""
    yield f"- precision {in_words(threshold['precision'])}"
    yield f"- recall {in_words(threshold['recall'])}"
    share = threshold["flagged"]["value"] / threshold["nodes"]
    flagged = in_words(threshold["flagged"], lambda value: f"{value:,.0f}")
    yield f"- flagged {flagged}, {share:.2%} of the nodes"
    for line in threshold["warnings"]:
        yield f"- warning: {escape_markdown(line)}"
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


def in_words(
    estimate: dict[str, float], show: Callable[[float], str] = lambda value: f"{value:.3f}"
) -> str:
    """A number with its interval."""
    return f"{show(estimate['value'])} ({show(estimate['low'])} to {show(estimate['high'])})"
