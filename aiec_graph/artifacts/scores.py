"""Scores of nodes as a table."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data import Graph, Split

SCORE_COLUMNS = ("node", "simulated", "label", "split", "score")


def score_frame(graph: Graph, split: Split | None, score: NDArray[np.float32]) -> pd.DataFrame:
    """Each node's id, label, part of the split if there is one, and score, one row a node."""
    part = np.full(len(score), "", dtype=object)
    for name, mask in split.masks().items() if split is not None else ():
        part[mask] = name
    label = pd.Series(graph.y).map({0: "normal", 1: "anomalous", -1: "unknown"})
    values = (graph.node_ids, graph.simulated is not None, label, part, score)
    return pd.DataFrame(dict(zip(SCORE_COLUMNS, values, strict=True)))
