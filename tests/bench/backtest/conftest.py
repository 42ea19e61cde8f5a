"""Graphs over time for backtests."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Graph


def make_graph(seed: int, nodes: int = 60, steps: int = 8, crossing: bool = True) -> Graph:
    """A random graph with time steps, shuffled, whose labels and features are random too."""
    rng = np.random.default_rng(seed)
    step = rng.integers(1, steps + 1, nodes)
    pairs = rng.integers(0, nodes, (2, 4 * nodes))
    if not crossing:
        pairs = pairs[:, step[pairs[0]] == step[pairs[1]]]
    y = rng.choice([-1, 0, 0, 1], nodes)
    return Graph(
        name="random",
        x=torch.from_numpy(rng.standard_normal((nodes, 3)).astype(np.float32)),
        edges=Edges.from_pairs(pairs[0], pairs[1], nodes),
        y=y,
        node_ids=np.arange(100, 100 + nodes),
        time_step=step,
    )


def change_after(graph: Graph, moment: int, seed: int) -> Graph:
    """The same graph with another future: features, labels and edges of later nodes are others."""
    rng = np.random.default_rng(seed)
    step = graph.time_step
    assert step is not None
    later = step > moment
    x = graph.x.clone()
    x[torch.from_numpy(later)] = 1e6  # a column that tells the future
    source, target = graph.edge_index.numpy()
    known = ~(later[source] | later[target])
    ends = rng.integers(0, len(step), (2, 4 * len(step)))
    planted = ends[:, later[ends[0]] | later[ends[1]]]
    source = np.concatenate([source[known], planted[0]])
    target = np.concatenate([target[known], planted[1]])
    y = np.where(later, rng.choice([0, 1], len(step)), graph.y)
    return replace(graph, x=x, y=y, edges=Edges.from_pairs(source, target, len(step)))


@pytest.fixture
def drifting():
    """A graph with two classes in every step, whose first column tells them apart."""
    rng = np.random.default_rng(0)
    steps, each = 12, 40
    step = np.repeat(np.arange(1, steps + 1), each)
    y = (rng.random(steps * each) < 0.25).astype(np.int64)
    y[::10] = -1
    x = rng.standard_normal((steps * each, 3)).astype(np.float32)
    x[:, 0] += 2 * (y == 1)
    source = np.arange(steps * each)
    target = np.minimum(source + rng.integers(1, 5, steps * each), steps * each - 1)
    edges = Edges.from_pairs(source, target, steps * each)
    return Graph("drifting", torch.from_numpy(x), edges, y, source, time_step=step)
