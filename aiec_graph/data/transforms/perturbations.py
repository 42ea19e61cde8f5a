"""Perturbations of a data set: noise among its features, fewer labels, fewer anomalies."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiec_graph.errors import InputError

if TYPE_CHECKING:  # a configuration holds the perturbations, and is read without these libraries
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from aiec_graph.graph.graph import Graph, Split

FEWEST = 5  # training nodes of a class that are always kept


@dataclass(frozen=True)
class Perturbations:
    """What a run changes about its data; the defaults change nothing.

    Everything is drawn anew under the seed of each run.
    """

    noise: float = 0.0
    """Columns of Gaussian noise added to the features, as a multiple of the given columns."""
    corruption: float = 0.0
    """Gaussian noise added to the network's inputs once it is trained, in standard deviations of
    each input."""
    labels: float = 1.0
    """Share of the training nodes of each class that keep their labels."""
    anomalies: float = 1.0
    """Share of the anomalous training nodes that keep their labels: the imbalance."""

    def check(self) -> None:
        """Checks the ranges.

        Raises:
            InputError: a value is out of its range.
        """
        for name in ("noise", "corruption"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("labels", "anomalies"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}")

    def add_noise(self, graph: "Graph", seed: int) -> "Graph":
        """The graph with its noise columns, each as wide as a given column is on average.

        Raises:
            InputError: the graph has columns that are not plain numbers.
        """
        import torch

        count = round(self.noise * graph.x.shape[1])
        if not count:
            return graph
        if graph.columns is not None:
            raise InputError(f"{graph.label}: noise columns need features that are plain numbers")
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(graph.x), count, generator=generator) * graph.x.std(0).mean()
        return replace(graph, x=torch.cat([graph.x, noise], 1), trusted=True)

    def subsample(self, split: "Split", y: "NDArray[np.int64]", seed: int) -> "Split":
        """The split with the training labels that are left."""
        import numpy as np

        shares = {0: self.labels, 1: self.labels * self.anomalies}
        if min(shares.values()) == 1:
            return split
        rng = np.random.default_rng(seed)
        train_mask = np.zeros_like(split.train_mask)
        for value, share in shares.items():
            members = np.flatnonzero(split.train_mask & (y == value))
            kept = min(max(round(share * len(members)), FEWEST), len(members))
            train_mask[rng.choice(members, kept, replace=False)] = True
        return replace(split, train_mask=train_mask)

    def corrupt(self, x: "Tensor", seed: int) -> "Tensor":
        """The inputs [N, F] that the trained network is shown."""
        import torch

        if not self.corruption:
            return x
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(x.shape, generator=generator)
        return x + self.corruption * x.std(0) * noise
