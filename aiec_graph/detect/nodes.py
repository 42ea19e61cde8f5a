"""Some of a graph's nodes, in the form that scikit-learn's searches take."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data import UNKNOWN, Graph
from aiec_graph.data.user.inspection import NO_LABEL
from aiec_graph.errors import InputError


@dataclass(frozen=True)
class Nodes:
    """Nodes of a graph, which can be counted and selected as the rows of a matrix can.

    `GridSearchCV` and its like split rows. A detector needs the whole graph and only some labels:
    fitted on these nodes, it sees all edges and features and no label but theirs; asked for their
    scores, it returns one for each of them. Use with `aiec_graph.detect.GraphSplit`:

        nodes = as_nodes(data)
        GridSearchCV(detector, {"act": ["relu", "aiec"]}, cv=GraphSplit()).fit(nodes, nodes.y)
    """

    graph: Graph
    index: NDArray[np.int64]
    """Numbers of the nodes [M]."""
    as_of: str = ""
    """When they were known; empty where nothing was left out."""

    @classmethod
    def of(cls, graph: Graph) -> "Nodes":
        """All nodes of a graph."""
        return cls(graph, np.arange(len(graph.y)))

    @property
    def y(self) -> NDArray[np.int64]:
        """Labels of the nodes [M]."""
        return self.graph.y[self.index]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of nodes and of their features."""
        return len(self.index), self.graph.x.shape[1]

    @property
    def is_whole(self) -> bool:
        """Whether these are all nodes, in the graph's order."""
        return len(self.index) == len(self.graph.y) and bool(
            (self.index == np.arange(len(self.index))).all()
        )

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Any) -> "Nodes":
        """The nodes in some rows: an index, a mask or a slice, as scikit-learn gives them."""
        chosen = rows[0] if isinstance(rows, tuple) else rows
        return replace(self, index=np.atleast_1d(self.index[chosen]))

    def with_labels(self, y: Any) -> "Nodes":
        """The same nodes with other labels.

        Args:
            y: [M], 1 anomalous, 0 normal, -1 or NaN unknown, in the order of the nodes; or a
                mapping from node ids to labels, or a pandas Series with the ids as its index, in
                which a node that is missing is of unknown class.

        Raises:
            InputError: it holds something else, or an id that is not in the graph.
        """
        if isinstance(y, pd.Series) and not isinstance(y.index, pd.RangeIndex):
            if not y.index.is_unique:
                raise InputError("the index of y holds an id twice; give each node one label")
            y = y.to_dict()
        values = self._by_id(y) if isinstance(y, dict) else np.asarray(y, dtype=object)
        if values.shape != (len(self.index),):
            raise InputError(
                f"y must hold a label for each of the {len(self.index)} nodes, in their order; "
                f"its shape is {values.shape}"
            )
        labels = self.graph.y.copy()
        labels[self.index] = _labels(values)
        split = {k: np.where(labels == UNKNOWN, 0, v) for k, v in self.graph.given.items()}
        notes = self.graph.notes
        if (labels != UNKNOWN).any():
            notes = tuple(line for line in notes if NO_LABEL not in line)
        return replace(self, graph=replace(self.graph, y=labels, given=split, notes=notes))

    def alone_labelled(self) -> Graph:
        """The whole graph, in which no other node has a label, nor a part of a split."""
        if self.is_whole:
            return self.graph
        labels = np.full(len(self.graph.y), UNKNOWN)
        labels[self.index] = self.y
        return replace(self.graph, y=labels, given={})

    def _by_id(self, labels: dict[Any, Any]) -> NDArray[Any]:
        row = {str(name): i for i, name in enumerate(self.graph.node_ids[self.index])}
        values = np.full(len(self.index), UNKNOWN, dtype=object)
        for name, label in labels.items():
            if str(name) not in row:
                raise InputError(
                    f"y labels the node {name!r}, which is not in the data; of labels in the order "
                    "of the nodes give the values, as y.to_numpy()"
                )
            values[row[str(name)]] = label
        return values


def _labels(values: NDArray[Any]) -> NDArray[np.int64]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError("y must hold 1 (anomalous), 0 (normal) and -1 or NaN (unknown)") from None
    numbers = np.where(np.isnan(numbers), UNKNOWN, numbers)
    wrong = np.flatnonzero(~np.isin(numbers, (UNKNOWN, 0, 1)))
    if len(wrong):
        raise InputError(
            f"y[{wrong[0]}] is {values[wrong[0]]!r}; labels are 1 (anomalous), 0 (normal) and -1 "
            "or NaN (unknown)"
        )
    return numbers.astype(np.int64)
