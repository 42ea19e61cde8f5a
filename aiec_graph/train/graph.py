"""The one training loop for full-batch graphs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core import AIECLoss
from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import Metrics, average_precision, evaluate
from aiec_graph.nn import Adjacency, Neighbourhoods
from aiec_graph.nn.networks import GNN
from aiec_graph.train.models import build_model
from aiec_graph.train.settings import TrainSettings

ADVICE = "try a smaller --lr or --features standard"


class Prepared(NamedTuple):
    """A data set with its adjacency made ready: shared by all runs on it."""

    graph: Graph
    adjacency: Adjacency


@dataclass(frozen=True)
class TrainResult:
    """One trained network, at the epoch with the best validation AP."""

    model: GNN
    """In eval mode, with the best epoch's weights."""
    preprocessor: Preprocessor
    """Makes its inputs."""
    score: NDArray[np.float32]
    """Score of each node [N]: the probability of being anomalous, from eval mode."""
    val: Metrics
    test: Metrics
    best_epoch: int
    """Counted in optimiser steps, from 1."""
    epochs: int
    """Steps that were made."""
    seconds_per_epoch: float
    """Mean wall time of an epoch, with its validation."""


def prepare_graph(graph: Graph) -> Prepared:
    """Adds self-loops, as the protocol asks; duplicate edges are merged already."""
    return Prepared(graph, Adjacency(graph.edges.to_scipy()).with_self_loops())


def train(
    prepared: Prepared, split: Split, model: str, act: str, settings: TrainSettings, seed: int
) -> TrainResult:
    """Trains a network and evaluates it at its best epoch.

    Class-weighted cross-entropy over the training nodes, Adam, early stopping on validation AP.
    Test labels are read once, after the last epoch.

    Args:
        prepared: the data set.
        split: its masks.
        model: a name in `aiec_graph.train.models.MODELS`.
        act: a name in `aiec_graph.core.ACTIVATIONS`.
        settings: everything else; `check_settings` is the caller's.
        seed: of the weights and of dropout.

    Raises:
        InputError: the loss or the outputs became NaN or infinite.
    """
    graph, adjacency = prepared
    run = f"{graph.label}, {model}-{act}, seed {seed}"
    torch.manual_seed(seed)
    preprocessor = Preprocessor.fit(graph, split.train_mask, settings.features)
    network = build_model(model, act, graph.x.shape[1], settings)
    train_nodes, val_nodes = (np.flatnonzero(m) for m in (split.train_mask, split.val_mask))
    seen = np.concatenate([train_nodes, val_nodes])
    if network.mixes_nodes:
        seen = np.concatenate([seen, np.flatnonzero(~(split.train_mask | split.val_mask))])
    order, blocks = adjacency.blocks(seen, settings.layers)
    x = preprocessor.transform(graph)[order]
    train_rows = slice(0, len(train_nodes))
    val_rows = slice(len(train_nodes), len(train_nodes) + len(val_nodes))
    y_train = torch.from_numpy(graph.y[train_nodes])
    anomalous = int(y_train.sum())
    class_weight = torch.tensor([1.0, (len(y_train) - anomalous) / anomalous])
    objective = AIECLoss(network, settings.lambda_aux, settings.lambda_gate, class_weight)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, fused=True)
    y_val = graph.y[val_nodes]

    best_ap, best_epoch, best_state, epoch = -1.0, 0, {}, 0
    started = time.perf_counter()
    # Where the pass in training mode gives what eval mode would, the one that follows a step
    # serves twice: it validates the step, and begins the next one.
    for epoch in range(settings.epochs + 1):
        logits = None
        if epoch == 0 or network.trains_as_it_predicts:
            logits = network.train()(x, blocks)
        if epoch > 0:
            shown = (_predict(network, x, blocks) if logits is None else logits)[val_rows]
            if not torch.isfinite(shown).all():
                raise InputError(
                    f"{run}: the network gives no numbers any more after {epoch} epochs; {ADVICE}"
                )
            ap = average_precision(y_val, _score(shown))
            if ap > best_ap:
                best_ap, best_epoch = ap, epoch
                best_state = {k: v.detach().clone() for k, v in network.state_dict().items()}
            elif epoch - best_epoch >= settings.patience:
                break
        if epoch == settings.epochs:
            break
        if logits is None:
            logits = network.train()(x, blocks)
        objective.start_epoch()
        loss = objective(logits[train_rows], y_train, train_rows).total
        if not torch.isfinite(loss):
            raise InputError(f"{run}: the loss is {loss.item()} at epoch {epoch + 1}; {ADVICE}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - started
    objective.forget()

    network.load_state_dict(best_state)
    del x, blocks
    score = _score(_predict(network, preprocessor.transform(graph), adjacency))
    val, test = (evaluate(graph.y[m], score[m]) for m in (split.val_mask, split.test_mask))
    return TrainResult(network, preprocessor, score, val, test, best_epoch, epoch, seconds / epoch)


def _predict(network: GNN, x: Tensor, graph: Adjacency | Sequence[Neighbourhoods]) -> Tensor:
    network.eval()
    with torch.no_grad():
        return network(x, graph)


def _score(logits: Tensor) -> NDArray[np.float32]:
    return logits.detach().softmax(1)[:, 1].numpy()
