"""Training: settings, networks by name, and the loop for full-batch graphs.

Names are imported when they are first asked for, so that help and slips are answered without
PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiec_graph.train.classifier import NodeClassifier, held_out_scores
    from aiec_graph.train.models import MODELS, build_model, check_settings, count_parameters
    from aiec_graph.train.registry import CLASSIFIERS, make_classifier
    from aiec_graph.train.settings import ClassifierSettings, TrainSettings
    from aiec_graph.train.trainer import (
        DivergedError,
        FullBatch,
        Prepared,
        Trainer,
        TrainResult,
        build_trainer,
        prepare_graph,
        train,
    )

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "ClassifierSettings",
    "DivergedError",
    "FullBatch",
    "NodeClassifier",
    "Prepared",
    "TrainResult",
    "TrainSettings",
    "Trainer",
    "build_model",
    "build_trainer",
    "check_settings",
    "count_parameters",
    "held_out_scores",
    "make_classifier",
    "prepare_graph",
    "train",
]

_MODULES = {
    "NodeClassifier": "aiec_graph.train.classifier",
    "held_out_scores": "aiec_graph.train.classifier",
    "MODELS": "aiec_graph.train.models",
    "build_model": "aiec_graph.train.models",
    "check_settings": "aiec_graph.train.models",
    "count_parameters": "aiec_graph.train.models",
    "CLASSIFIERS": "aiec_graph.train.registry",
    "make_classifier": "aiec_graph.train.registry",
    "ClassifierSettings": "aiec_graph.train.settings",
    "TrainSettings": "aiec_graph.train.settings",
    "DivergedError": "aiec_graph.train.trainer",
    "FullBatch": "aiec_graph.train.trainer",
    "Prepared": "aiec_graph.train.trainer",
    "Trainer": "aiec_graph.train.trainer",
    "TrainResult": "aiec_graph.train.trainer",
    "build_trainer": "aiec_graph.train.trainer",
    "prepare_graph": "aiec_graph.train.trainer",
    "train": "aiec_graph.train.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
