"""Which nodes of some data a model has been trained on, without keeping their names."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xxhash
from numpy.typing import NDArray

from aiec_graph.data import Graph, Split

PARTS = ("train", "val")


@dataclass(frozen=True)
class TrainedOn:
    """Hashes of the ids of training and validation nodes, and of the graph."""

    hashes: dict[str, NDArray[np.int64]]
    """By part, sorted."""
    content: str
    """Of the features and edges."""

    @classmethod
    def of(cls, graph: Graph, split: Split) -> "TrainedOn":
        """Of a graph and the split of its nodes."""
        names = _hash(graph)
        masks = split.masks()
        return cls({part: np.sort(names[masks[part]]) for part in PARTS}, _content(graph))

    def parts(self, graph: Graph) -> NDArray[np.str_]:
        """train, val or "" for each node [N], by its id.

        Where ids are mere row numbers, they name the same nodes in the same graph alone.
        """
        found = np.full(len(graph.y), "", dtype="<U5")
        if _has_row_numbers(graph) and not self.is_graph(graph):
            return found
        names = _hash(graph)
        for part, hashes in self.hashes.items():
            found[np.isin(names, hashes)] = part
        return found

    def is_graph(self, graph: Graph) -> bool:
        """Whether features and edges of a graph are those of the training."""
        return _content(graph) == self.content


def _hash(graph: Graph) -> NDArray[np.int64]:
    names = np.asarray(graph.node_ids).astype(str).astype(object)
    return pd.util.hash_array(names, categorize=False).view(np.int64)


def _has_row_numbers(graph: Graph) -> bool:
    ids = np.asarray(graph.node_ids)
    return ids.dtype.kind in "iu" and bool((ids == np.arange(len(ids))).all())


def _content(graph: Graph) -> str:
    content = xxhash.xxh3_128()
    for array in (graph.x.numpy(), graph.edges.indptr, graph.edges.indices):
        whole: Any = np.ascontiguousarray(array)  # a buffer, though its stubs do not say so
        content.update(whole)
    return content.hexdigest()
