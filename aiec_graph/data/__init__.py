"""Data sets: loading, checking, splits, preprocessing and simulators."""

from aiec_graph.data.datasets.cards import read_card
from aiec_graph.data.datasets.registry import (
    DATASETS,
    Loaded,
    Source,
    check_dataset,
    default_data_root,
    find_source,
    fractions,
    is_own,
    is_text,
    load_and_compare,
    load_dataset,
    short_name,
)
from aiec_graph.data.datasets.text_graph import TextGraph
from aiec_graph.data.edges import Edges
from aiec_graph.data.graph import UNKNOWN, Column, Graph, Split
from aiec_graph.data.transforms.perturbations import Conditions
from aiec_graph.data.transforms.preprocess import FEATURES, Preprocessor
from aiec_graph.data.transforms.splits import SPLITS, make_split

__all__ = [
    "DATASETS",
    "FEATURES",
    "SPLITS",
    "UNKNOWN",
    "Column",
    "Conditions",
    "Edges",
    "Graph",
    "Loaded",
    "Preprocessor",
    "Source",
    "Split",
    "TextGraph",
    "check_dataset",
    "default_data_root",
    "find_source",
    "fractions",
    "is_own",
    "is_text",
    "load_and_compare",
    "load_dataset",
    "make_split",
    "read_card",
    "short_name",
]
