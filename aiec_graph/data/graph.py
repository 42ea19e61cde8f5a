"""A loaded data set: features, edges and labels of one graph, checked."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.errors import InputError

UNKNOWN = -1
"""Label of a node of unknown class: part of the graph, of no mask, and never a negative."""


@dataclass(frozen=True)
class Split:
    """Three disjoint boolean masks [N] over labelled nodes."""

    train_mask: NDArray[np.bool_]
    val_mask: NDArray[np.bool_]
    test_mask: NDArray[np.bool_]

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        return {"train": self.train_mask, "val": self.val_mask, "test": self.test_mask}


@dataclass(frozen=True)
class Graph:
    """One attributed graph.

    Raises:
        InputError: a shape, dtype or value is not as described below.
    """

    name: str
    x: Tensor
    """Node features [N, F], float32, finite."""
    edge_index: Tensor
    """Directed edges [2, E], int64, sources first."""
    y: NDArray[np.int64]
    """Labels [N]: 1 anomalous, 0 normal, -1 unknown."""
    node_ids: NDArray[np.generic]
    """What the source calls each node [N]."""
    simulated: float | None = None
    """The scale, if the project's own simulator made the data; None for real data."""
    given_split: Split | None = None
    """The split that the data set comes with."""

    def __post_init__(self) -> None:
        nodes = self.x.shape[0]
        if self.x.dim() != 2 or self.x.dtype != torch.float32 or 0 in self.x.shape:
            raise InputError(f"{self.name}: features must be float32 [N, F] with N and F above 0")
        if self.y.shape != (nodes,) or len(self.node_ids) != nodes:
            raise InputError(
                f"{self.name}: {nodes} feature rows, {len(self.y)} labels and "
                f"{len(self.node_ids)} node ids do not belong together"
            )
        finite = torch.isfinite(self.x)
        if not finite.all():
            row, column = (int(i) for i in (~finite).nonzero()[0])
            raise InputError(
                f"{self.name}: feature {column} of node {self.node_ids[row]} is not a finite number"
            )
        if not np.isin(self.y, (UNKNOWN, 0, 1)).all():
            raise InputError(f"{self.name}: labels must be 0 (normal), 1 (anomalous) or unknown")
        if self.edge_index.dim() != 2 or self.edge_index.shape[0] != 2:
            raise InputError(f"{self.name}: edge_index must have the shape [2, E]")
        if self.edge_index.numel():
            low, high = int(self.edge_index.min()), int(self.edge_index.max())
            if low < 0 or high >= nodes:
                raise InputError(
                    f"{self.name}: an edge names node {low if low < 0 else high}, but there are "
                    f"{nodes} nodes"
                )

    @property
    def label(self) -> str:
        """The name to print: it says so where the data are simulated."""
        if self.simulated is None:
            return self.name
        return f"{self.name} (simulated, scale {self.simulated:g})"

    @property
    def slug(self) -> str:
        """`label` for file names."""
        return self.name if self.simulated is None else f"{self.name}-simulated-{self.simulated:g}"
