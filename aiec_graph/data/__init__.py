"""Data sets: loading, checking, splits, preprocessing and simulators.

Names are imported when they are first asked for, so that tables can be checked without torch.
"""

from typing import TYPE_CHECKING

from aiec_graph.lazy import import_on_demand

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
    from aiec_graph.data.transforms.perturbations import Perturbations
    from aiec_graph.data.transforms.preprocess import FEATURES, Preprocessor
    from aiec_graph.data.transforms.splits import SPLITS, make_split
    from aiec_graph.graph.edges import Edges
    from aiec_graph.graph.graph import UNKNOWN, Column, Graph, Split

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
    "read_card": "datasets.cards",
    "DATASETS": "datasets.cards",
    "Loaded": "datasets.registry",
    "Source": "datasets.registry",
    "check_dataset": "datasets.registry",
    "default_data_root": "datasets.cards",
    "find_source": "datasets.registry",
    "fractions": "datasets.registry",
    "is_own": "datasets.registry",
    "is_text": "datasets.registry",
    "load_and_compare": "datasets.registry",
    "load_dataset": "datasets.registry",
    "short_name": "datasets.registry",
    "TextGraph": "datasets.text_options",
    "Edges": ".graph.edges",
    "UNKNOWN": ".graph.graph",
    "Column": ".graph.graph",
    "Graph": ".graph.graph",
    "Split": ".graph.graph",
    "Perturbations": "transforms.perturbations",
    "FEATURES": "transforms.preprocess",
    "Preprocessor": "transforms.preprocess",
    "SPLITS": "transforms.splits",
    "make_split": "transforms.splits",
}

__getattr__ = import_on_demand(__name__, _MODULES)
