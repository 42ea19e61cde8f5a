"""Training: settings, networks by name, and the loop for full-batch graphs."""

from aiec_graph.train.classifier import NodeClassifier
from aiec_graph.train.forests import TREES, TreeResult, TreeSettings, train_trees, with_neighbours
from aiec_graph.train.models import MODELS, build_model, check_settings, count_parameters
from aiec_graph.train.registry import CLASSIFIERS, make_classifier
from aiec_graph.train.settings import TrainSettings
from aiec_graph.train.trainer import (
    DivergedError,
    FullBatch,
    Prepared,
    TrainResult,
    learn,
    prepare_graph,
    set_up,
    train,
)

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "TREES",
    "DivergedError",
    "FullBatch",
    "NodeClassifier",
    "Prepared",
    "TrainResult",
    "TrainSettings",
    "TreeResult",
    "TreeSettings",
    "build_model",
    "check_settings",
    "count_parameters",
    "learn",
    "make_classifier",
    "prepare_graph",
    "set_up",
    "train",
    "train_trees",
    "with_neighbours",
]
