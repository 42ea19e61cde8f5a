"""Training: the loop over epochs, and what an epoch of it is in full batch."""

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core import AIECLoss
from aiec_graph.core.processes import num_processes, sum_over_processes
from aiec_graph.data import Graph, Split
from aiec_graph.errors import DivergedError
from aiec_graph.metrics import AveragePrecision
from aiec_graph.nn import Neighbourhoods
from aiec_graph.nn.networks import GNN
from aiec_graph.train.adam import Adam
from aiec_graph.train.device import resolve_device
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.resume import Progress, StateFile
from aiec_graph.train.settings import TrainSettings

LOG = logging.getLogger("aiec_graph.train")
ADVICE = "try a smaller --lr or --features standard"


class Fitted(NamedTuple):
    """What `Trainer.fit` came to."""

    best_epoch: int
    """The epoch with the best validation AP, from 1."""
    weights: dict[str, Tensor]
    """The network's state after it."""
    epochs: int
    """Epochs that were made."""
    seconds: float
    """Wall time of these, with their validation."""


class Trainer(ABC):
    """A network in training: the loop over epochs. A subclass says what an epoch is.

    Args:
        graph: the data set.
        split: its masks.
        network: to train, in place.
        settings: device, learning rate and weights of the losses.

    Attributes:
        network: what is trained, on `device`.
        objective: the losses.
        y_val: the labels that epochs are compared by [V].

    Raises:
        InputError: this machine does not have the device.
    """

    def __init__(self, graph: Graph, split: Split, network: GNN, settings: TrainSettings) -> None:
        self.device = resolve_device(settings.device)
        self.network = network.to(self.device)
        self.y_val: NDArray[np.integer] = graph.y[split.val_mask]
        y_train = graph.y[split.train_mask]
        anomalous = int(y_train.sum())
        class_weight = torch.tensor([1.0, (len(y_train) - anomalous) / anomalous])
        weights = (settings.lambda_aux, settings.lambda_gate, class_weight.to(self.device))
        self.objective = AIECLoss(network, *weights)
        self.optimizer = Adam(network.parameters(), settings.lr, settings.weight_decay)

    @abstractmethod
    def train_epoch(self, number: int) -> None:
        """Makes the steps of an epoch.

        Args:
            number: the epoch's, from 1.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """

    @abstractmethod
    def validate(self) -> NDArray[np.float64]:
        """Returns the margins of the validation nodes [V], as eval mode gives them."""

    def fit(
        self,
        name: str,
        settings: TrainSettings,
        callback: Callable[[float], None] | None = None,
        state: StateFile | None = None,
    ) -> Fitted:
        """Makes the epochs of a run; the network is left as it is after the last.

        Args:
            name: of the run, for an error.
            settings: number of epochs and patience.
            callback: is called after each epoch with its validation AP; then no run is stopped
                early.
            state: where an interrupted run is continued from, and what is kept after each epoch.

        Raises:
            DivergedError: the loss or the outputs became NaN or infinite.
        """
        average_precision = AveragePrecision(self.y_val)
        found = None if state is None else state.load(self.network, self.optimizer)
        progress = found or Progress()
        while progress.epoch < settings.epochs:
            if callback is None and progress.epoch - progress.best_epoch >= settings.patience:
                break
            started, epoch = time.perf_counter(), progress.epoch + 1
            try:
                self.train_epoch(epoch)
                margin = self.validate()
                if not np.isfinite(margin).all():
                    raise FloatingPointError("the network gives no numbers any more")
            except FloatingPointError as error:
                raise DivergedError(f"{name}: {error} in epoch {epoch}; {ADVICE}") from None
            ap = average_precision(margin)
            LOG.debug("epoch", extra={"done": epoch, "total": settings.epochs})
            if callback is not None:
                callback(ap)
            if ap > progress.best_ap:
                progress.best_ap, progress.best_epoch = ap, epoch
                weights = self.network.state_dict()
                progress.weights = {k: v.detach().clone() for k, v in weights.items()}
            progress.epoch, progress.seconds = epoch, progress.seconds + _since(started)
            if state is not None:
                state.save(self.network, self.optimizer, progress)
        return Fitted(progress.best_epoch, progress.weights, progress.epoch, progress.seconds)

    def descend(self, loss: Tensor) -> None:
        """Makes a step of Adam, by the mean over the processes where there are several.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        (total,) = sum_over_processes(loss)
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the loss is {total.item()}")
        self.optimizer.zero_grad()
        loss.backward()
        average_gradients(self.network)
        self.optimizer.step()


class FullBatch(Trainer):
    """A network in training on a whole graph: an epoch is one step.

    It computes the part of the graph that training and validation labels depend on, and no more;
    the training nodes come first, so that their rows are a slice of each layer's. The first
    layer's aggregate of the inputs is computed once, here.

    Args:
        prepared: the data set.
        split: its masks.
        network: to train, in place.
        x: its inputs [N, in_channels], which must stay as they are; copied where only some of the
            nodes are needed. Assign to `x` to train on others.
        settings: device, learning rate and weights of the losses.

    Attributes:
        blocks: the parts of the graph that the layers compute.
        train_rows: the training nodes among the rows of the logits.
        val_rows: the validation nodes.
        shares_passes: whether the pass that validates an epoch also begins the next step, which
            spares one: for a network that trains as it predicts, while nobody changes anything
            between epochs. `fit` turns it on where it has no callback.

    Raises:
        InputError: this machine does not have the device.
    """

    def __init__(
        self,
        prepared: Prepared,
        split: Split,
        network: GNN,
        x: Tensor,
        settings: TrainSettings,
    ) -> None:
        super().__init__(prepared.graph, split, network, settings)
        train, val = (np.flatnonzero(mask) for mask in (split.train_mask, split.val_mask))
        needed = [train, val]
        if network.mixes_nodes:
            needed.append(np.flatnonzero(~(split.train_mask | split.val_mask)))
        nodes = np.concatenate(needed)
        inputs, self.blocks = prepared.adjacency.blocks(nodes, len(network.convs))
        self.x = (x if inputs is None else x[inputs]).to(self.device)
        self.train_rows = slice(0, len(train))
        self.val_rows = slice(len(train), len(train) + len(val))
        self.y_train = torch.from_numpy(prepared.graph.y[train]).to(self.device)
        self.shares_passes = False
        self._logits: Tensor | None = None

    @property
    def x(self) -> Tensor:
        """The inputs of the nodes that are computed."""
        return self._x

    @x.setter
    def x(self, x: Tensor) -> None:
        self._x, self._logits = x, None
        self._aggregated = self.network.aggregate_input(x, self.blocks)

    def fit(
        self,
        name: str,
        settings: TrainSettings,
        callback: Callable[[float], None] | None = None,
        state: StateFile | None = None,
    ) -> Fitted:
        self.shares_passes = callback is None and self.network.trains_as_it_predicts
        return super().fit(name, settings, callback, state)

    def train_epoch(self, number: int = 1) -> None:
        logits, self._logits = self._logits, None
        self.step(self.forward() if logits is None else logits)

    def validate(self) -> NDArray[np.float64]:
        if self.shares_passes:
            self._logits = self.forward()
            return margin_of(self._logits.detach()[self.val_rows])
        logits = predict(self.network, self.x, self.blocks, self._aggregated)
        return margin_of(logits[self.val_rows])

    def forward(self) -> Tensor:
        """The logits of the training and validation nodes, in training mode."""
        self.objective.clear()
        return self.network.train()(self.x, self.blocks, self._aggregated)

    def step(self, logits: Tensor) -> None:
        """Makes one step by the losses of the last forward pass.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        self.objective.start_epoch()
        self.descend(self.objective(logits[self.train_rows], self.y_train, self.train_rows).total)


def average_gradients(network: GNN) -> None:
    """Replaces each gradient by its mean over the processes."""
    count = num_processes()
    if count == 1:
        return
    parameters = list(network.parameters())
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    for parameter, total in zip(parameters, sum_over_processes(*gradients), strict=True):
        parameter.grad = total / count


def _since(started: float) -> float:
    return time.perf_counter() - started


def predict(
    network: GNN,
    x: Tensor,
    graph: Neighbourhoods | Sequence[Neighbourhoods],
    aggregated: Tensor | None = None,
) -> Tensor:
    """The logits [N, K] in eval mode, without gradient; the arguments are the network's."""
    network.eval()
    with torch.no_grad():
        return network(x, graph, aggregated)


def margin_of(logits: Tensor) -> NDArray[np.float64]:
    """How far the anomalous class is ahead [N], in double precision: none tie by rounding."""
    wide = logits.cpu().double()
    return (wide[:, 1] - wide[:, 0]).numpy()
