"""The graphs that are measured on, each with one split."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aiec_graph.data import Graph, Split, load_dataset, make_split
from aiec_graph.graph.edges import Edges
from aiec_graph.train import Prepared, prepare_graph


@dataclass
class Case:
    """A graph made ready, and its split."""

    name: str
    prepared: Prepared
    split: Split

    @property
    def graph(self) -> Graph:
        return self.prepared.graph

    @cached_property
    def edges(self) -> Tensor:
        """The protocol's edges [2, E] for the peers: duplicates merged, a self-loop at each."""
        coo = self.prepared.adjacency.csr.tocoo()
        return torch.from_numpy(np.stack([coo.col, coo.row]).astype(np.int64))

    @cached_property
    def class_weight(self) -> Tensor:
        y = self.graph.y[self.split.train_mask]
        return torch.tensor([1.0, float((y == 0).sum() / (y == 1).sum())])


def reddit(data_root: Path | None) -> Case:
    """The real reddit graph: 10,984 nodes, 64 features."""
    return _case("reddit", load_dataset("reddit", data_root))


def tfinance(scale: float) -> Case:
    """Simulated T-Finance; at scale 1 as large as the real one, 42 million directed entries."""
    graph = load_dataset("tfinance", simulate=scale)
    return _case(f"T-Finance (simulated, scale {scale:g})", graph)


def random_graph(nodes: int, entries: int, features: int = 64, seed: int = 0) -> Case:
    """An undirected graph of about `entries` directed entries, 5 % of its nodes anomalous."""
    rng = np.random.default_rng(seed)
    half = rng.integers(0, nodes, (2, entries // 2))
    y = (rng.random(nodes) < 0.05).astype(np.int64)
    x = torch.from_numpy(rng.standard_normal((nodes, features), dtype=np.float32))
    x[:, 0] += torch.from_numpy(y)
    source, target = np.concatenate([half, half[::-1]], 1)
    edges = Edges.from_pairs(source, target, nodes)
    graph = Graph("random", x, edges, y, np.arange(nodes), simulated=1.0)
    return _case(f"random, {nodes:,} nodes, {entries:,} entries", graph)


def _case(name: str, graph: Graph) -> Case:
    split = make_split(graph, "supervised", 3407, (0.4, 0.2))
    return Case(name, prepare_graph(graph), split)
