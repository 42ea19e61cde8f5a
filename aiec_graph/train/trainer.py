"""Training: the loop, and what an epoch of it is in full batch."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core import AIECLoss
from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import AveragePrecision, Metrics, evaluate
from aiec_graph.nn import Adjacency, Neighbourhoods
from aiec_graph.nn.networks import GNN
from aiec_graph.train.device import resolve_device
from aiec_graph.train.models import build_model
from aiec_graph.train.settings import TrainSettings

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
    """In eval mode on the CPU, with the best epoch's weights."""
    preprocessor: Preprocessor
    """Makes its inputs."""
    margin: NDArray[np.float64]
    """How far the anomalous class's logit is above the normal one's [N], from eval mode: what the
    metrics rank by."""
    val: Metrics
    test: Metrics
    best_epoch: int
    """Counted from 1."""
    epochs: int
    """Epochs that were made."""
    seconds_per_epoch: float
    """Mean wall time of an epoch, with its validation."""
    device: str
    """What it was trained on: "cpu", "cuda" or "mps"."""

    @property
    def score(self) -> NDArray[np.float64]:
        """The softmax probability of being anomalous [N], for people: far margins tie at 1."""
        return torch.from_numpy(self.margin).sigmoid().numpy()


class Fitted(NamedTuple):
    """What `Trainer.fit` came to."""

    best_epoch: int
    """The epoch with the best validation AP, from 1."""
    weights: dict[str, Tensor]
    """The network's state after it."""
    epochs: int
    """Epochs that were made."""


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
        InputError: this machine does not have the device.
    """
    graph, adjacency = prepared
    trainer, preprocessor = build_trainer(prepared, split, model, act, settings, seed)
    network, device = trainer.network, trainer.device
    started = time.perf_counter()
    fitted = trainer.fit(f"{graph.label}, {model}-{act}, seed {seed}", settings)
    seconds = (time.perf_counter() - started) / fitted.epochs
    trainer.objective.clear()
    del trainer  # its parts of the graph, before the whole graph is scored

    network.load_state_dict(fitted.weights)
    x = preprocessor.network_inputs(graph)
    x = (x if corrupt is None else corrupt(x)).to(device)
    margin = margin_of(predict(network, x, adjacency, network.aggregate_input(x, adjacency)))
    val, test = (evaluate(graph.y[m], margin[m]) for m in (split.val_mask, split.test_mask))
    counts = (fitted.best_epoch, fitted.epochs, seconds)
    return TrainResult(network.cpu(), preprocessor, margin, val, test, *counts, device.type)


def build_trainer(
    prepared: Prepared, split: Split, model: str, act: str, settings: TrainSettings, seed: int
) -> tuple["FullBatch", Preprocessor]:
    """Builds a run before its first epoch; the arguments are those of `train`.

    Returns:
        The run, and what makes the inputs of its network, of which the run holds only the part
        that it trains on.
    """
    graph = prepared.graph
    torch.manual_seed(seed)
    preprocessor = Preprocessor.fit(graph, split.train_mask, settings.features)
    x = preprocessor.network_inputs(graph)
    network = build_model(model, act, x.shape[1], settings)
    torch.manual_seed(seed)  # the same dropout for every activation
    return FullBatch(prepared, split, network, x, settings), preprocessor


class Trainer(ABC):
    """A network in training: the loop over epochs. A subclass says what an epoch is.

    Attributes:
        network: what is trained, in place, on `device`.
        y_val: the labels that epochs are compared by [V].
    """

    network: GNN
    device: torch.device
    y_val: NDArray[np.integer]

    @abstractmethod
    def train_epoch(self) -> None:
        """Makes the steps of an epoch.

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
    ) -> Fitted:
        """Makes the epochs of a run; the network is left as it is after the last.

        Args:
            name: of the run, for an error.
            settings: number of epochs and patience.
            callback: is called after each epoch with its validation AP; then no run is stopped
                early.

        Raises:
            DivergedError: the loss or the outputs became NaN or infinite.
        """
        average_precision = AveragePrecision(self.y_val)
        best_ap, best_epoch, weights, epoch = -1.0, 0, {}, 0
        for epoch in range(1, settings.epochs + 1):
            try:
                self.train_epoch()
                margin = self.validate()
                if not np.isfinite(margin).all():
                    raise FloatingPointError("the network gives no numbers any more")
            except FloatingPointError as error:
                raise DivergedError(f"{name}: {error} in epoch {epoch}; {ADVICE}") from None
            ap = average_precision(margin)
            if callback is not None:
                callback(ap)
            if ap > best_ap:
                best_ap, best_epoch = ap, epoch
                weights = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
            elif callback is None and epoch - best_epoch >= settings.patience:
                break
        return Fitted(best_epoch, weights, epoch)


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
        objective: the losses.
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
        graph, adjacency = prepared
        self.device = resolve_device(settings.device)
        train, val = (np.flatnonzero(mask) for mask in (split.train_mask, split.val_mask))
        needed = [train, val]
        if network.mixes_nodes:
            needed.append(np.flatnonzero(~(split.train_mask | split.val_mask)))
        inputs, self.blocks = adjacency.blocks(np.concatenate(needed), len(network.convs))
        self.network = network.to(self.device)
        self.x = (x if inputs is None else x[inputs]).to(self.device)
        self.train_rows = slice(0, len(train))
        self.val_rows = slice(len(train), len(train) + len(val))
        self.y_train = torch.from_numpy(graph.y[train]).to(self.device)
        self.y_val = graph.y[val]
        anomalous = int(self.y_train.sum())
        class_weight = torch.tensor([1.0, (len(train) - anomalous) / anomalous])
        weights = (settings.lambda_aux, settings.lambda_gate, class_weight.to(self.device))
        self.objective = AIECLoss(network, *weights)
        self.optimizer = torch.optim.Adam(
            network.parameters(),
            settings.lr,
            weight_decay=settings.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
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
    ) -> Fitted:
        self.shares_passes = callback is None and self.network.trains_as_it_predicts
        return super().fit(name, settings, callback)

    def train_epoch(self) -> None:
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
        loss = self.objective(logits[self.train_rows], self.y_train, self.train_rows).total
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()}")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


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
