"""Fitted detectors on disk: tensors and plain values in one file, and a model card beside it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from aiec_graph.artifacts.checkpoint import refused
from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.artifacts.trained_on import TrainedOn
from aiec_graph.data import Column
from aiec_graph.data.user import Declaration
from aiec_graph.detect.calibration import Calibrator
from aiec_graph.detect.card import card_in_markdown, make_card
from aiec_graph.detect.drift import Reference
from aiec_graph.detect.estimator import FraudDetector
from aiec_graph.detect.evaluation import Evaluation
from aiec_graph.detect.leakage import LeakageGap
from aiec_graph.detect.rules import Cut
from aiec_graph.detect.thresholds import Estimate, Threshold
from aiec_graph.errors import InputError, look_up
from aiec_graph.files import whole_folder
from aiec_graph.train.classifier import nest, unnest
from aiec_graph.train.registry import CLASSIFIERS

FORMAT = "detector-6"
MODEL, CARD, CARD_TEXT = "model.safetensors", "card.json", "card.md"
FILES = {MODEL, CARD, CARD_TEXT}
D = TypeVar("D", bound=FraudDetector)


def is_detector(path: Path) -> bool:
    """Whether a path is the folder of a saved detector."""
    return (path / MODEL).is_file()


def save_detector(detector: FraudDetector, folder: Path, overwrite: bool = False) -> Path:
    """Writes a fitted detector.

    Args:
        detector: fitted.
        folder: to make.
        overwrite: a detector that is there already is replaced.

    Returns:
        The folder.

    Raises:
        InputError: something is there already, or the folder cannot be written.
    """
    check_folder(folder, overwrite)
    meta, arrays = detector.classifier_.to_state()
    calibrator = detector.calibrator_ if detector.calibrate else None
    parameters = detector.get_params()
    declaration = parameters["declaration"]
    parameters["declaration"] = None if declaration is None else asdict(declaration)
    columns = detector.columns_
    reference, samples = detector.reference_.to_state()
    card = make_card(detector)
    content = {
        "format": FORMAT,
        "parameters": parameters,
        "classifier": meta,
        "columns": None if columns is None else [asdict(column) for column in columns],
        "names": [str(name) for name in detector.feature_names_in_],
        "split": detector.split_,
        "seed": detector.seed_,
        "has_directions": detector.has_directions_,
        "nodes": detector.nodes_,
        "threshold": asdict(detector.threshold_),
        "calibrator": None if calibrator is None else {**asdict(calibrator), "points": None},
        "reference": reference,
        "trained_on": detector.trained_on_.content,
        "metrics": {part: asdict(found) for part, found in detector.metrics_.items()},
        "leakage_gap": detector.leakage_gap_ and asdict(detector.leakage_gap_),
        "data": detector.data_,
        "declaration": detector.declaration_,
    }
    own = {
        "validation_y": detector.validation_y_,
        "validation_score": detector.validation_score_,
        **nest("trained_on", detector.trained_on_.hashes),
        **nest("classifier", arrays),
        **nest("reference", samples),
    }
    if calibrator is not None:
        own["calibration"] = calibrator.points
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in own.items()}
    with whole_folder(folder) as draft:
        save_tensors(draft / MODEL, content, tensors)
        (draft / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (draft / CARD_TEXT).write_text(card_in_markdown(card), "utf-8")
    return folder


def check_folder(folder: Path, overwrite: bool) -> None:
    """Sees to it that a detector can be written without losing anything.

    Raises:
        InputError: there is a file of that name, a folder that holds other things, or, unless it
            may be replaced, a detector.
    """
    if is_detector(folder) and not overwrite:
        raise InputError(
            f"{folder}: there is a model already; name another folder, or overwrite it "
            "(--overwrite; in Python overwrite=True)"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: there is a file of that name; a model is a folder")
    others = sorted({f.name for f in folder.iterdir()} - FILES) if folder.is_dir() else []
    if others:
        raise InputError(f"{folder}: holds {others[0]}, which is no part of a model; name another")


def load_detector(kind: type[D], folder: Path) -> D:
    """Reads a fitted detector.

    Raises:
        InputError: it is none, or damaged.
    """
    if not is_detector(folder):
        raise InputError(f"{folder}: no fitted model, which is a folder that holds {MODEL}")
    path = folder / MODEL
    content, tensors = load_tensors(path)
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: no detector, or one of another version; fit it anew")
    with refused(path):
        return _rebuild(kind, content, {name: tensor.numpy() for name, tensor in tensors.items()})


def _rebuild(kind: type[D], content: dict[str, Any], arrays: dict[str, Any]) -> D:
    parameters = dict(content["parameters"])
    if parameters["declaration"] is not None:
        parameters["declaration"] = Declaration(**parameters["declaration"])
    detector = kind(**parameters)
    made = look_up(detector.model, CLASSIFIERS, "model")
    read: Any = made
    detector.classifier_ = read.from_state(content["classifier"], unnest("classifier", arrays))
    detector.classes_ = np.array([0, 1])
    columns = content["columns"]
    detector.columns_ = None if columns is None else tuple(Column.of(part) for part in columns)
    detector.n_features_in_ = len(content["names"])
    detector.feature_names_in_ = np.array(content["names"], dtype=object)
    detector.split_, detector.nodes_ = content["split"], int(content["nodes"])
    detector.seed_, detector.has_directions_ = int(content["seed"]), content["has_directions"]
    detector.validation_y_ = arrays["validation_y"]
    detector.validation_score_ = arrays["validation_score"]
    detector.threshold_ = _threshold(content["threshold"])
    if content["calibrator"] is not None:
        parts = {**content["calibrator"], "points": arrays["calibration"]}
        detector.calibrator_ = Calibrator(**parts)
    detector.reference_ = Reference.from_state(content["reference"], unnest("reference", arrays))
    detector.trained_on_ = TrainedOn(unnest("trained_on", arrays), content["trained_on"])
    detector.metrics_ = {part: _evaluation(found) for part, found in content["metrics"].items()}
    gap = content["leakage_gap"]
    detector.leakage_gap_ = gap and LeakageGap(
        gap["as_of"], _evaluation(gap["whole"]), _evaluation(gap["past"])
    )
    detector.data_ = content["data"]
    detector.declaration_ = content["declaration"]
    return detector


def _threshold(content: dict[str, Any]) -> Threshold:
    estimates = ("precision", "recall", "flagged")
    parts = {k: Estimate(**v) if k in estimates else v for k, v in content.items()}
    return Threshold(**{**parts, "cut": Cut(**content["cut"])})


def _evaluation(content: dict[str, Any]) -> Evaluation:
    parts: dict[str, Any] = {
        name: Estimate(**value) if isinstance(value, dict) else value
        for name, value in content.items()
    }
    return Evaluation(**parts)
