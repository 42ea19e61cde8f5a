"""The one training loop for full-batch graphs."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph import ops
from aiec_graph.core import AIECLoss
from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import AveragePrecision, Metrics, evaluate
from aiec_graph.nn import Adjacency, Neighbourhoods
from aiec_graph.nn.networks import GNN
from aiec_graph.train.models import build_model
from aiec_graph.train.settings import TrainSettings

M = TypeVar("M", Tensor, NDArray[np.float32])
ADVICE = "try a smaller --lr or --features standard"


class DivergedError(InputError):
    """The loss or the outputs of a network became NaN or infinite under its settings."""


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
    prepared: Prepared,
    split: Split,
    model: str,
    act: str,
    settings: TrainSettings,
    seed: int,
    corrupt: Callable[[Tensor], Tensor] | None = None,
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
        corrupt: what happens to the inputs before the trained network scores them.

    Raises:
        DivergedError: the loss or the outputs became NaN or infinite.
    """
    graph, adjacency = prepared
    run, preprocessor = set_up(prepared, split, model, act, settings, seed)
    network = run.network
    started = time.perf_counter()
    learned = learn(run, f"{graph.label}, {model}-{act}, seed {seed}", settings)
    seconds = (time.perf_counter() - started) / learned.epochs
    run.objective.clear()
    del run

    network.load_state_dict(learned.weights)
    x = preprocessor.transform(graph)
    score = _score(_predict(network, x if corrupt is None else corrupt(x), adjacency))
    val, test = (evaluate(graph.y[m], score[m]) for m in (split.val_mask, split.test_mask))
    counts = (learned.best_epoch, learned.epochs, seconds)
    return TrainResult(network, preprocessor, score, val, test, *counts)


class Learned(NamedTuple):
    """What a run came to."""

    best_epoch: int
    """The epoch with the best validation AP, from 1."""
    weights: dict[str, Tensor]
    """The network's state after it."""
    epochs: int
    """Epochs that were made."""


def learn(
    run: "FullBatch",
    name: str,
    settings: TrainSettings,
    note: Callable[[float], None] | None = None,
) -> Learned:
    """Makes the epochs of a run; the network is left as it is after the last.

    Args:
        run: before its first epoch.
        name: of the run, for an error.
        settings: number of epochs and patience.
        note: is called after each epoch with its validation AP; then no run is stopped early.

    Raises:
        DivergedError: the loss or the outputs became NaN or infinite.
    """
    best_ap, best_epoch, weights, epoch = -1.0, 0, {}, 0
    for epoch in range(1, settings.epochs + 1):
        try:
            ap = run.epoch()
        except FloatingPointError as error:
            raise DivergedError(f"{name}: {error} in epoch {epoch}; {ADVICE}") from None
        if note is not None:
            note(ap)
        if ap > best_ap:
            best_ap, best_epoch = ap, epoch
            weights = {k: v.detach().clone() for k, v in run.network.state_dict().items()}
        elif note is None and epoch - best_epoch >= settings.patience:
            break
    return Learned(best_epoch, weights, epoch)


def set_up(
    prepared: Prepared, split: Split, model: str, act: str, settings: TrainSettings, seed: int
) -> tuple["FullBatch", Preprocessor]:
    """Readies a run before its first epoch; the arguments are those of `train`.

    Returns:
        The run, and what makes the inputs of its network, of which the run holds only the part
        that it trains on.
    """
    graph = prepared.graph
    torch.manual_seed(seed)
    preprocessor = Preprocessor.fit(graph, split.train_mask, settings.features)
    x = preprocessor.transform(graph)
    network = build_model(model, act, x.shape[1], settings)
    torch.manual_seed(seed)  # the same dropout for every activation
    return FullBatch(prepared, split, network, x, settings), preprocessor


class FullBatch:
    """A network in training on a graph, an epoch at a time.

    It computes the part of the graph that training and validation labels depend on, and no more;
    the training nodes come first, so that their rows are a slice of each layer's.

    Args:
        prepared: the data set.
        split: its masks.
        network: to train, in place.
        x: its inputs [N, in_channels], which stay as they are; copied where only some of the
            nodes are needed.
        settings: learning rate and weights of the losses.
    """

    def __init__(
        self,
        prepared: Prepared,
        split: Split,
        network: GNN,
        x: Tensor,
        settings: TrainSettings,
    ) -> None:
        graph, adjacency = prepared
        train, val = (np.flatnonzero(mask) for mask in (split.train_mask, split.val_mask))
        seen = [train, val]
        if network.mixes_nodes:
            seen.append(np.flatnonzero(~(split.train_mask | split.val_mask)))
        inputs, self.blocks = adjacency.blocks(np.concatenate(seen), len(network.convs))
        self.network = network
        self.x = x if inputs is None else x[inputs]
        self.train_rows = slice(0, len(train))
        self.val_rows = slice(len(train), len(train) + len(val))
        self.y_train, self.y_val = torch.from_numpy(graph.y[train]), graph.y[val]
        anomalous = int(self.y_train.sum())
        class_weight = torch.tensor([1.0, (len(train) - anomalous) / anomalous])
        self.objective = AIECLoss(network, settings.lambda_aux, settings.lambda_gate, class_weight)
        parameters = list(network.parameters())
        lr, decay = settings.lr, settings.weight_decay
        self.optimizer = (
            ops.Adam(parameters, lr, decay)
            if ops.usable(*parameters)
            else torch.optim.Adam(parameters, lr, weight_decay=decay, fused=True)
        )
        self._validation_ap = AveragePrecision(self.y_val)
        self._logits: Tensor | None = None
        self._repeated: ops.Repeated | None = None

    def epoch(self) -> float:
        """Makes one step and returns the validation AP after it, a fraction.

        Raises:
            FloatingPointError: the loss or the outputs are NaN or infinite.
        """
        # In NumPy, since each call of torch would cost as much as the metric's sorting.
        margin = _margin(self.advance().numpy()[self.val_rows])
        try:
            return self._validation_ap(margin)
        except ValueError:
            raise FloatingPointError("the network gives no numbers any more") from None

    def advance(self) -> Tensor:
        """Makes one step.

        Epochs are all alike: after the first ones, only the kernels are called that these called
        (`ops.replay`), if that is all that happens in them and nothing has changed since.

        Returns:
            The logits after it, as eval mode gives them, without gradient; valid until the next.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        if not self.network.trains_as_it_predicts:
            self.step(self.forward())
            return _predict(self.network, self.x, self.blocks)
        # The pass in training mode gives what eval mode would, so the one that follows a step
        # serves twice: it validates the step, and begins the next one.
        # A network that somebody has put in eval mode would not judge what it kept from before.
        kept = self._logits is not None and self.network.training
        if self._repeated is not None and (not kept or self._repeated.is_outdated()):
            self._repeated = self._logits = None
        if self._logits is None:
            self.objective.clear()
            self._logits = self.forward()
        # Given up first: what follows an epoch that did not end begins with a forward pass.
        logits, self._logits = self._logits, None
        if self._repeated is None:
            # One epoch as it is, in which everything is made that is made once.
            self.step(logits)
            self._repeated = ops.Repeated(self._surroundings())
        elif self._repeated.whole:
            self._step(logits, self._repeated)
        else:
            self.step(logits)  # which a subclass may have made its own
        self._logits = self._repeated("forward", self.forward)
        self._repeated.note()
        return self._logits.detach()

    def _surroundings(self) -> ops.Surroundings | None:
        """What an epoch depends on; None where it must not be replayed."""
        parameters = list(self.network.parameters())
        own = type(self) is FullBatch and type(self.optimizer) is ops.Adam
        if not own or not ops.usable(self.x, *parameters):
            return None
        tensors = [self.x, self.y_train, *self.objective.buffers(), *self.network.buffers()]
        tensors += parameters
        found = ops.Surroundings((self, self.network, self.objective, self.optimizer), tensors)
        return found if found.tells_all() else None

    def forward(self) -> Tensor:
        """The logits of the training and validation nodes, in training mode."""
        if not self.network.training:
            self.network.train()
        return self.network(self.x, self.blocks)

    def step(self, logits: Tensor) -> None:
        """Judges the last forward pass and makes one step.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        self._step(logits, lambda _, function: function())

    def _step(self, logits: Tensor, call: Callable[[str, Callable[[], Tensor]], Tensor]) -> None:
        loss = call("judge", lambda: self._judge(logits))
        # Not within the calls: the numbers are to be read anew each time.
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()}")
        call("learn", lambda: self._learn(loss))

    def _judge(self, logits: Tensor) -> Tensor:
        self.objective.start_epoch()
        return self.objective(logits[self.train_rows], self.y_train, self.train_rows).total

    def _learn(self, loss: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def _predict(network: GNN, x: Tensor, graph: Adjacency | Sequence[Neighbourhoods]) -> Tensor:
    network.eval()
    with torch.no_grad():
        return network(x, graph)


def _margin(logits: M) -> M:
    """How far the anomalous class is ahead [N]: ranks as the probability does."""
    return logits[:, 1] - logits[:, 0]


def _score(logits: Tensor) -> NDArray[np.float32]:
    """The probability of being anomalous [N]: the softmax over two classes."""
    return _margin(logits).sigmoid().numpy()
