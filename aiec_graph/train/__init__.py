"""Training: settings, networks by name, and the loop for full-batch graphs."""

from aiec_graph.train.classifier import NodeClassifier, held_out_scores
from aiec_graph.train.forests import TREES, TreeResult, TreeSettings, train_trees, with_neighbours
from aiec_graph.train.models import MODELS, build_model, check_settings, count_parameters
from aiec_graph.train.registry import CLASSIFIERS, make_classifier
from aiec_graph.train.settings import TrainSettings
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
    "TREES",
    "DivergedError",
    "FullBatch",
    "NodeClassifier",
    "Prepared",
    "TrainResult",
    "TrainSettings",
    "Trainer",
    "TreeResult",
    "TreeSettings",
    "build_model",
    "build_trainer",
    "check_settings",
    "count_parameters",
    "held_out_scores",
    "make_classifier",
    "prepare_graph",
    "train",
    "train_trees",
    "with_neighbours",
]
