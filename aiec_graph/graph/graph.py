"""A loaded data set: features, edges and labels of one graph, checked."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.errors import InputError
from aiec_graph.graph.column import (
    NO_PART,
    PARTS,
    TEST,
    TRAIN,
    UNKNOWN,
    VAL,
    Column,
)
from aiec_graph.graph.edges import Edges

__all__ = [
    "NO_PART",
    "PARTS",
    "TEST",
    "TRAIN",
    "UNKNOWN",
    "VAL",
    "Column",
    "Graph",
    "Split",
    "to_parts",
]


@dataclass(frozen=True)
class Split:
    """Three disjoint boolean masks [N] over labelled nodes."""

    train_mask: NDArray[np.bool_]
    val_mask: NDArray[np.bool_]
    test_mask: NDArray[np.bool_]

    @classmethod
    def from_parts(cls, parts: NDArray[np.int8]) -> "Split":
        """From `NO_PART`, `TRAIN`, `VAL` or `TEST` for each node [N]."""
        return cls(parts == TRAIN, parts == VAL, parts == TEST)

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        return {"train": self.train_mask, "val": self.val_mask, "test": self.test_mask}


def to_parts(*masks: NDArray[Any]) -> NDArray[np.int8]:
    """Joins train, val and test masks [N] or [N, trials] into one array of `PARTS` [trials, N].

    Raises:
        InputError: the masks overlap or have different shapes.
    """
    if len({mask.shape for mask in masks}) != 1:
        raise InputError(f"the masks have different shapes: {[m.shape for m in masks]}")
    chosen = [np.atleast_2d(mask.astype(bool).T) for mask in masks]
    if (np.sum(chosen, axis=0, dtype=np.int8) > 1).any():
        raise InputError("a node is in two of train, val and test")
    parts = np.zeros(chosen[0].shape, np.int8)
    for number, mask in zip((TRAIN, VAL, TEST), chosen, strict=True):
        parts[mask] = number
    return parts


@dataclass(frozen=True)
class Graph:
    """One attributed graph.

    Raises:
        InputError: a shape, dtype or value is not as described below.
    """

    name: str
    x: Tensor
    """Node features [N, F], float32, contiguous; finite, save that a missing value is NaN where
    `columns` are given."""
    edges: Edges
    y: NDArray[np.int64]
    """Labels [N]: 1 anomalous, 0 normal, -1 unknown."""
    node_ids: NDArray[Any]
    """What the source calls each node [N]."""
    simulated: float | None = None
    """The scale, if the project's own simulator made the data; None for real data."""
    given: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    """Splits that the data set comes with, "supervised" or "semi": `PARTS` [trials, N]."""
    time_step: NDArray[np.int64] | None = None
    """The time step of each node [N], where the data set has any."""
    columns: tuple[Column, ...] | None = None
    """What the features are, where they need preprocessing: [F]."""
    notes: tuple[str, ...] = ()
    """What reading the files had to decide, one sentence each, for the user to see."""
    declaration: Mapping[str, Any] = field(default_factory=dict)
    """What was declared of the user's own tables, as `user.Declaration.to_dict` gives it."""
    checksum: str = ""
    """Of the files and options that it was made from; empty for a graph made in memory."""
    trusted: InitVar[bool] = False
    """Leaves out the checks that read every value, for what was checked before it was cached."""

    def __post_init__(self, trusted: bool) -> None:
        nodes = self.x.shape[0]
        if self.x.dim() != 2 or self.x.dtype != torch.float32 or 0 in self.x.shape:
            raise InputError(f"{self.name}: features must be float32 [N, F] with N and F above 0")
        if self.y.shape != (nodes,) or len(self.node_ids) != nodes:
            raise InputError(
                f"{self.name}: {nodes} feature rows, {len(self.y)} labels and "
                f"{len(self.node_ids)} node ids do not belong together"
            )
        if self.edges.num_nodes != nodes:
            raise InputError(
                f"{self.name}: edges over {self.edges.num_nodes} nodes for {nodes} feature rows"
            )
        for kind, parts in self.given.items():
            if parts.ndim != 2 or parts.shape[1] != nodes:
                raise InputError(f"{self.name}: the {kind} masks must be given for every node")
        if self.columns is not None and len(self.columns) != self.x.shape[1]:
            raise InputError(
                f"{self.name}: {len(self.columns)} columns, {self.x.shape[1]} features"
            )
        if not trusted:
            self._check_values()

    def _check_values(self) -> None:
        x = self.x.numpy()
        sound = np.isfinite(x) if self.columns is None else ~np.isinf(x)
        if not sound.all():
            row, column = (int(i) for i in np.argwhere(~sound)[0])
            name = column if self.columns is None else repr(self.columns[column].name)
            raise InputError(
                f"{self.name}: feature {name} of node {self.node_ids[row]} is not a finite number "
                "of 32 bits; tables alone may miss values"
            )
        if not np.isin(self.y, (UNKNOWN, 0, 1)).all():
            raise InputError(f"{self.name}: labels must be 0 (normal), 1 (anomalous) or unknown")
        for kind, parts in self.given.items():
            if ((parts != NO_PART) & (self.y == UNKNOWN)).any():
                raise InputError(f"{self.name}: a {kind} mask holds a node of unknown class")

    @property
    def edge_index(self) -> Tensor:
        """Directed edges in PyG's form [2, E], int64, sources first; made anew on every call."""
        return self.edges.edge_index

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
