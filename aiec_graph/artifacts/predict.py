"""Scoring nodes with a trained network."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aiec_graph.artifacts.checkpoint import load_checkpoint
from aiec_graph.artifacts.scores import SCORE_COLUMNS, score_frame
from aiec_graph.artifacts.specs import RunSpec, find_again, split_of
from aiec_graph.data import Graph, Split, TextGraph, default_data_root, is_own, load_dataset
from aiec_graph.errors import InputError, named
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.nn.networks import GNN
from aiec_graph.tables import write_csv
from aiec_graph.train import prepare_graph


class Reopened(NamedTuple):
    """A trained network and a data set for it."""

    network: GNN
    """In eval mode."""
    spec: RunSpec
    graph: Graph
    adjacency: Adjacency
    split: Split | None
    """That of its training; None where the data are others."""
    x: Tensor
    """Input features, preprocessed as in training."""


class Scored(NamedTuple):
    """What `score` did."""

    label: str
    """Of the data set."""
    test: Metrics | None
    """On the test nodes; None where the data are not those that the network was trained on."""


def reopen(checkpoint: Path, data_root: Path | None, dataset: str | None = None) -> Reopened:
    """Loads a checkpoint of a graph network, and its data set or another one.

    Raises:
        InputError: the checkpoint or the data cannot be used.
    """
    network, preprocessor, spec, seed, checksum = load_checkpoint(checkpoint)
    simulate = spec.simulate if dataset is None else None
    source = dataset or find_again(spec.dataset, data_root or default_data_root())
    if dataset is None and is_own(source) and not Path(source).exists():
        raise InputError(
            f"{checkpoint}: trained on {source}, which is not here; name the data by --dataset, or "
            "the folder above it by --data-root"
        )
    graph = load_dataset(source, data_root, simulate, spec.text or TextGraph())
    graph, adjacency = prepare_graph(graph)
    split = None
    if checksum == graph.checksum:
        split = split_of(spec, seed, graph)
    with named(checkpoint):
        x = preprocessor.network_inputs(graph)
    return Reopened(network, spec, graph, adjacency, split, x)


def score(
    checkpoint: Path, out: Path, data_root: Path | None, dataset: str | None = None
) -> Scored:
    """Scores a data set with the network of a checkpoint, and writes the scores as CSV.

    Args:
        checkpoint: the network.
        out: the file to write; only scores are overwritten.
        data_root: where data sets are looked for.
        dataset: the data set; by default that which the network was trained on.

    Raises:
        InputError: the checkpoint or the data cannot be used, or `out` cannot be written.
    """
    _check_out(out)
    network, _, graph, adjacency, split, x = reopen(checkpoint, data_root, dataset)
    with torch.no_grad():
        scores = network(x, adjacency).softmax(1)[:, 1].numpy().astype(np.float32)
    if not np.isfinite(scores).all():
        raise InputError(f"{checkpoint}: the network in it gives no finite scores")
    frame = score_frame(graph, split, scores)
    write_csv(frame, out)
    if split is None:
        return Scored(graph.label, None)
    return Scored(graph.label, evaluate(graph.y[split.test_mask], scores[split.test_mask]))


def _check_out(out: Path) -> None:
    """Refuses to write over what is not scores, such as a table of the graph itself."""
    if not out.is_file():
        return
    try:
        with out.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline().strip()
    except OSError as error:
        raise InputError(f"{out}: {error.strerror}") from None
    if first != ",".join(SCORE_COLUMNS):
        raise InputError(f"{out} is there already and holds no scores; name another --out")
