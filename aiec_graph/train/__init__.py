"""Training: settings, networks by name, and the loop, in full batch and in mini-batches.

Names are imported when they are first asked for, so that help and slips are answered without
PyTorch.
"""

from typing import TYPE_CHECKING

from aiec_graph.lazy import import_on_demand

if TYPE_CHECKING:
    from aiec_graph.train.classifier import NodeClassifier, held_out_scores
    from aiec_graph.train.minibatch import MiniBatch
    from aiec_graph.train.models import MODELS, build_model, check_settings, count_parameters
    from aiec_graph.train.prepared import Prepared, prepare_graph
    from aiec_graph.train.registry import CLASSIFIERS, make_classifier
    from aiec_graph.train.run import (
        RunContext,
        TrainResult,
        build_mini_batch,
        build_trainer,
        train,
    )
    from aiec_graph.train.settings import ClassifierSettings, TrainSettings
    from aiec_graph.train.trainer import DivergedError, FullBatch, Trainer

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "ClassifierSettings",
    "DivergedError",
    "FullBatch",
    "MiniBatch",
    "NodeClassifier",
    "Prepared",
    "RunContext",
    "TrainResult",
    "TrainSettings",
    "Trainer",
    "build_mini_batch",
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
    "MiniBatch": "minibatch",
    "Prepared": "prepared",
    "RunContext": "run",
    "TrainResult": "run",
    "Trainer": "trainer",
    "build_mini_batch": "run",
    "build_trainer": "run",
    "prepare_graph": "prepared",
    "train": "run",
}

__getattr__ = import_on_demand(__name__, _MODULES)
