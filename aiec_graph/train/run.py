"""A run: a network built, trained and evaluated at its best epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core.processes import num_processes
from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.nn.layerwise import layerwise_logits
from aiec_graph.nn.networks import GNN
from aiec_graph.train.inputs import NodeInputs
from aiec_graph.train.memory import AUTO, FULL, Sizes, choose_batches, is_full_batch
from aiec_graph.train.models import build_model
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.resume import StateFile
from aiec_graph.train.settings import TrainSettings
from aiec_graph.train.trainer import FullBatch, margin_of, predict

if TYPE_CHECKING:
    from aiec_graph.train.minibatch import MiniBatch


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


@dataclass(frozen=True)
class RunContext:
    """What a run meets beside its specification."""

    corrupt: Callable[[Tensor], Tensor] | None = None
    """What happens to the inputs before the trained network scores them."""
    state: Path | None = None
    """A file to continue an interrupted run from; None where it is to begin anew."""


ALONE = RunContext()
CPU = torch.device("cpu")


def train(
    prepared: Prepared,
    split: Split,
    model: str,
    act: str,
    settings: TrainSettings,
    seed: int,
    context: RunContext = ALONE,
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
        seed: of the weights, of dropout and of sampled neighbours.
        context: what else there is.

    Raises:
        DivergedError: the loss or the outputs became NaN or infinite.
        InputError: this machine does not have the device, or the network cannot be trained in
            mini-batches.
    """
    graph = prepared.graph
    settings = choose_batches(settings, model, sizes_of(graph), num_processes()).settings
    state = None
    if context.state is not None:
        identity = (graph.checksum, model, act, seed, settings, torch.__version__)
        state = StateFile(context.state, repr(identity))
    build = build_trainer if settings.batch_size == FULL else build_mini_batch
    trainer, preprocessor = build(prepared, split, model, act, settings, seed)
    network, device = trainer.network, trainer.device
    fitted = trainer.fit(f"{graph.label}, {model}-{act}, seed {seed}", settings, state=state)
    trainer.objective.clear()
    del trainer  # its parts of the graph, before the whole graph is scored

    network.load_state_dict(fitted.weights)
    inputs = NodeInputs(preprocessor, graph, context.corrupt)
    in_full_batch = settings.batch_size == FULL
    margin = margin_of(_exact_logits([network], prepared, inputs, in_full_batch, device)[0])
    val, test = (evaluate(graph.y[m], margin[m]) for m in (split.val_mask, split.test_mask))
    if state is not None:
        state.remove()
    counts = (fitted.best_epoch, fitted.epochs, fitted.seconds / fitted.epochs)
    return TrainResult(network.cpu(), preprocessor, margin, val, test, *counts, device.type)


def logits_of(
    networks: Sequence[GNN],
    preprocessor: Preprocessor,
    prepared: Prepared,
    settings: TrainSettings,
    model: str,
) -> list[Tensor]:
    """The exact logits of trained networks for all nodes of a graph, on the CPU.

    In full batch where its forecast fits in memory, or is asked for; else one layer after the
    other, with the features and edges of some nodes at a time.

    Args:
        networks: of one architecture.
        preprocessor: makes their inputs.
        prepared: the graph of N nodes.
        settings: of their training, whose batch size decides.
        model: their name in `MODELS`.

    Returns:
        [N, 2] of each network.

    Raises:
        InputError: the graph has other columns, or an input is too large for 32-bit floats.
    """
    graph = prepared.graph
    in_full_batch = is_full_batch(settings, model, sizes_of(graph))
    return _exact_logits(networks, prepared, NodeInputs(preprocessor, graph), in_full_batch, CPU)


def _exact_logits(
    networks: Sequence[GNN],
    prepared: Prepared,
    inputs: NodeInputs,
    in_full_batch: bool,
    device: torch.device,
) -> list[Tensor]:
    if not in_full_batch:
        rows = prepared.rows
        return [layerwise_logits(network, rows, inputs, device=device) for network in networks]
    x, graph = inputs.all().to(device), prepared.adjacency
    aggregated = networks[0].aggregate_input(x, graph)  # the same in each, for it learns nothing
    return [predict(network, x, graph, aggregated) for network in networks]


def sizes_of(graph: Graph) -> Sizes:
    """What a forecast of memory is made from."""
    return Sizes(graph.edges.num_nodes, graph.edges.num_edges, graph.x.shape[1])


def build_trainer(
    prepared: Prepared, split: Split, model: str, act: str, settings: TrainSettings, seed: int
) -> tuple[FullBatch, Preprocessor]:
    """Builds a run in full batch before its first epoch; the arguments are those of `train`.

    Returns:
        The run, and what makes the inputs of its network, of which the run holds only the part
        that it trains on.

    Raises:
        InputError: the settings ask for mini-batches.
    """
    if settings.batch_size not in (AUTO, FULL):
        raise InputError(
            f"this is trained in full batch: leave out batch_size {settings.batch_size}"
        )
    graph = prepared.graph
    torch.manual_seed(seed)
    preprocessor = Preprocessor.fit(graph, split.train_mask, settings.features)
    x = preprocessor.network_inputs(graph)
    network = build_model(model, act, x.shape[1], settings)
    torch.manual_seed(seed)  # the same dropout for every activation
    return FullBatch(prepared, split, network, x, settings), preprocessor


def build_mini_batch(
    prepared: Prepared, split: Split, model: str, act: str, settings: TrainSettings, seed: int
) -> "tuple[MiniBatch, Preprocessor]":
    """Builds a run in mini-batches before its first epoch; the arguments are those of `train`.

    Returns:
        The run, and what makes the inputs of its network, from the rows that it reads.

    Raises:
        InputError: the network computes with the whole graph.
    """
    from aiec_graph.train.minibatch import MiniBatch  # loads Numba, which full batch can do without

    graph = prepared.graph
    torch.manual_seed(seed)
    preprocessor = Preprocessor.fit(graph, split.train_mask, settings.features)
    inputs = NodeInputs(preprocessor, graph)
    network = build_model(model, act, inputs.width, settings)
    if network.needs_whole_graph:
        raise InputError(f"{model} computes with the whole graph: give --batch-size full")
    return MiniBatch(prepared, split, network, inputs, settings, seed), preprocessor
