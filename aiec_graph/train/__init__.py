"""Training: settings, networks by name, and the loop for full-batch graphs.

Names are imported when they are first asked for, so that help and slips are answered without
PyTorch.
"""

from typing import TYPE_CHECKING

from aiec_graph.lazy import import_on_demand

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
    "NodeClassifier": "classifier",
    "held_out_scores": "classifier",
    "MODELS": "models",
    "build_model": "models",
    "check_settings": "models",
    "count_parameters": "models",
    "CLASSIFIERS": "registry",
    "make_classifier": "registry",
    "ClassifierSettings": "settings",
    "TrainSettings": "settings",
    "DivergedError": "trainer",
    "FullBatch": "trainer",
    "Prepared": "trainer",
    "Trainer": "trainer",
    "TrainResult": "trainer",
    "build_trainer": "trainer",
    "prepare_graph": "trainer",
    "train": "trainer",
}

__getattr__ = import_on_demand(__name__, _MODULES)
