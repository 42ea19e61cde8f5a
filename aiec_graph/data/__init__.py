"""Data sets: loading, checking, splits, preprocessing and simulators."""

from aiec_graph.data.cards import read_card
from aiec_graph.data.conditions import Conditions
from aiec_graph.data.edges import Edges
from aiec_graph.data.graph import UNKNOWN, Column, Graph, Split
from aiec_graph.data.preprocess import FEATURES, Preprocessor
from aiec_graph.data.registry import (
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
from aiec_graph.data.splits import SPLITS, make_split
from aiec_graph.data.text_graph import TextGraph

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
