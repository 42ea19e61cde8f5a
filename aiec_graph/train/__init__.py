"""Training: settings, networks by name, and the loop for full-batch graphs."""

from aiec_graph.train.graph import FullBatch, Prepared, TrainResult, prepare_graph, train
from aiec_graph.train.models import MODELS, build_model, check_settings, count_parameters
from aiec_graph.train.settings import TrainSettings

__all__ = [
    "MODELS",
    "FullBatch",
    "Prepared",
    "TrainResult",
    "TrainSettings",
    "build_model",
    "check_settings",
    "count_parameters",
    "prepare_graph",
    "train",
]
