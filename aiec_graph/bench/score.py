"""Scoring a data set with a trained network."""

from pathlib import Path

import numpy as np
import torch

from aiec_graph.bench.checkpoint import load_checkpoint
from aiec_graph.bench.config import trial_of
from aiec_graph.bench.runner import score_frame
from aiec_graph.data import TextGraph, fractions, load_dataset, make_split
from aiec_graph.errors import InputError, named
from aiec_graph.files import write_whole
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.train import prepare_graph


def score(checkpoint: Path, out: Path, data_root: Path | None) -> Metrics:
    """Scores the data set that a checkpoint was trained on, and writes the scores as CSV.

    Returns:
        The metrics on its test nodes.

    Raises:
        InputError: the checkpoint or the data cannot be used, or `out` cannot be written.
    """
    network, preprocessor, cell, seed = load_checkpoint(checkpoint)
    text = cell.text or TextGraph()
    graph = load_dataset(cell.dataset, data_root, cell.simulate, text)
    graph, adjacency = prepare_graph(graph)
    split = make_split(graph, cell.split, seed, fractions(cell.dataset), trial_of(seed))
    with named(checkpoint):
        x = preprocessor.transform(graph)
    with torch.no_grad():
        scores = network(x, adjacency).softmax(1)[:, 1].numpy().astype(np.float32)
    if not np.isfinite(scores).all():
        raise InputError(f"{checkpoint}: the network in it gives no finite scores")
    frame = score_frame(graph, split, scores)
    write_whole(out, lambda path: frame.to_csv(path, index=False))
    return evaluate(graph.y[split.test_mask], scores[split.test_mask])
