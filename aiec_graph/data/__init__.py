"""Data sets: loading, checking, splits, preprocessing and simulators.

Names are imported when they are first asked for, so that tables can be checked without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiec_graph.data.datasets.cards import DATASETS, default_data_root, read_card
    from aiec_graph.data.datasets.registry import (
        Loaded,
        Source,
        check_dataset,
        find_source,
        fractions,
        is_own,
        is_text,
        load_and_compare,
        load_dataset,
        short_name,
    )
    from aiec_graph.data.datasets.text_options import TextGraph
    from aiec_graph.data.edges import Edges
    from aiec_graph.data.graph import UNKNOWN, Column, Graph, Split
    from aiec_graph.data.transforms.perturbations import Perturbations
    from aiec_graph.data.transforms.preprocess import FEATURES, Preprocessor
    from aiec_graph.data.transforms.splits import SPLITS, make_split

__all__ = [
    "DATASETS",
    "FEATURES",
    "SPLITS",
    "UNKNOWN",
    "Column",
    "Edges",
    "Graph",
    "Loaded",
    "Perturbations",
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

_MODULES = {
    "read_card": "aiec_graph.data.datasets.cards",
    "DATASETS": "aiec_graph.data.datasets.cards",
    "Loaded": "aiec_graph.data.datasets.registry",
    "Source": "aiec_graph.data.datasets.registry",
    "check_dataset": "aiec_graph.data.datasets.registry",
    "default_data_root": "aiec_graph.data.datasets.cards",
    "find_source": "aiec_graph.data.datasets.registry",
    "fractions": "aiec_graph.data.datasets.registry",
    "is_own": "aiec_graph.data.datasets.registry",
    "is_text": "aiec_graph.data.datasets.registry",
    "load_and_compare": "aiec_graph.data.datasets.registry",
    "load_dataset": "aiec_graph.data.datasets.registry",
    "short_name": "aiec_graph.data.datasets.registry",
    "TextGraph": "aiec_graph.data.datasets.text_options",
    "Edges": "aiec_graph.data.edges",
    "UNKNOWN": "aiec_graph.data.graph",
    "Column": "aiec_graph.data.graph",
    "Graph": "aiec_graph.data.graph",
    "Split": "aiec_graph.data.graph",
    "Perturbations": "aiec_graph.data.transforms.perturbations",
    "FEATURES": "aiec_graph.data.transforms.preprocess",
    "Preprocessor": "aiec_graph.data.transforms.preprocess",
    "SPLITS": "aiec_graph.data.transforms.splits",
    "make_split": "aiec_graph.data.transforms.splits",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
