"""Scoring a data set with a trained network."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aiec_graph.bench.checkpoint import load_checkpoint
from aiec_graph.bench.config import Cell, trial_of
from aiec_graph.bench.runner import score_frame
from aiec_graph.data import Graph, Split, TextGraph, fractions, load_dataset, make_split
from aiec_graph.errors import InputError, named
from aiec_graph.files import write_whole
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.nn.networks import GNN
from aiec_graph.train import prepare_graph


class Reopened(NamedTuple):
    """A trained network and what it was trained on."""

    network: GNN
    """In eval mode."""
    cell: Cell
    graph: Graph
    adjacency: Adjacency
    split: Split
    x: Tensor
    """Input features, preprocessed as in training."""


def reopen(checkpoint: Path, data_root: Path | None) -> Reopened:
    """Loads a checkpoint of a graph network, and its data set.

    Raises:
        InputError: the checkpoint or the data cannot be used.
    """
    network, preprocessor, cell, seed = load_checkpoint(checkpoint)
    text = cell.text or TextGraph()
    graph = load_dataset(cell.dataset, data_root, cell.simulate, text)
    graph, adjacency = prepare_graph(graph)
    split = make_split(graph, cell.split, seed, fractions(cell.dataset), trial_of(seed))
    with named(checkpoint):
        x = preprocessor.transform(graph)
    return Reopened(network, cell, graph, adjacency, split, x)


def score(checkpoint: Path, out: Path, data_root: Path | None) -> Metrics:
    """Scores the data set that a checkpoint was trained on, and writes the scores as CSV.

    Returns:
        The metrics on its test nodes.

    Raises:
        InputError: the checkpoint or the data cannot be used, or `out` cannot be written.
    """
    network, _, graph, adjacency, split, x = reopen(checkpoint, data_root)
    with torch.no_grad():
        scores = network(x, adjacency).softmax(1)[:, 1].numpy().astype(np.float32)
    if not np.isfinite(scores).all():
        raise InputError(f"{checkpoint}: the network in it gives no finite scores")
    frame = score_frame(graph, split, scores)
    write_whole(out, lambda path: frame.to_csv(path, index=False))
    return evaluate(graph.y[split.test_mask], scores[split.test_mask])
