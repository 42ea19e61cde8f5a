"""Data sets: loading, checking, splits, feature scaling and simulators."""

from aiec_graph.data.features import FEATURES, scale_features
from aiec_graph.data.graph import UNKNOWN, Graph, Split
from aiec_graph.data.registry import DATASETS, check_dataset, default_data_root, load_dataset
from aiec_graph.data.splits import SPLITS, make_split

__all__ = [
    "DATASETS",
    "FEATURES",
    "SPLITS",
    "UNKNOWN",
    "Graph",
    "Split",
    "check_dataset",
    "default_data_root",
    "load_dataset",
    "make_split",
    "scale_features",
]
