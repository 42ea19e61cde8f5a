"""Training in mini-batches: seed nodes and sampled neighbourhoods, in one process or several."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.core.processes import num_processes, process_rank, send_from
from aiec_graph.data import Split
from aiec_graph.nn.layerwise import layerwise_logits
from aiec_graph.nn.mlp import MLP
from aiec_graph.nn.networks import GNN
from aiec_graph.nn.sampled import SampledBlock
from aiec_graph.ops.sampling import stream_key
from aiec_graph.train.inputs import NodeInputs
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.settings import TrainSettings
from aiec_graph.train.trainer import Trainer, margin_of


class Batch(NamedTuple):
    """What a step computes."""

    x: Tensor
    """Inputs of the nodes that the first layer gets [M, in_channels], the seeds' first; where
    `aggregated` has all that it needs of the others, of its targets alone."""
    layers: list[SampledBlock]
    """A block for each layer."""
    aggregated: Tensor | None
    """As `GNN.aggregate_input` gives it."""
    y: Tensor
    """The seeds' labels [B]."""


class MiniBatch(Trainer):
    """A network in training on seed nodes and their sampled neighbourhoods, a batch a step.

    The training nodes are drawn in a new order in each epoch. AIEC counts the seeds of all batches
    of an epoch. Degrees are those of the whole graph, so one batch with all neighbours is a step
    of full batch. Validation computes exact outputs, layer by layer.

    In a process group the processes share out the seeds of each batch, and counts, losses and
    gradients are those of the whole batch. A node's sampled neighbours depend on seed, epoch, batch
    and node alone, so a fan-out that is the same in each layer gives one result whatever the
    number of processes, up to rounding (for networks without dropout and batch norm).

    Args:
        prepared: the data set, whose edges and features are read where they lie.
        split: its masks.
        network: to train, in place; the same in each process.
        inputs: of the nodes.
        settings: batch size, fan-out, device, learning rate and weights of the losses.
        seed: of the order, the sampled neighbours and dropout.

    Raises:
        InputError: this machine does not have the device.
    """

    def __init__(
        self,
        prepared: Prepared,
        split: Split,
        network: GNN,
        inputs: NodeInputs,
        settings: TrainSettings,
        seed: int,
    ) -> None:
        super().__init__(prepared.graph, split, network, settings)
        self._graph, self._y = prepared.rows, prepared.graph.y
        self._inputs, self._seed = inputs, seed
        self._train = np.flatnonzero(split.train_mask)
        self._val_mask = split.val_mask
        self.batch_size = int(settings.batch_size)
        # Where no neighbour is looked at, none is sampled.
        self.fanout = [0] * settings.layers if isinstance(network, MLP) else settings.fanouts

    def train_epoch(self, number: int) -> None:
        self.objective.start_epoch()
        self.network.train()
        # Dropout differs between processes, and a run that is continued draws what it would have.
        torch.manual_seed(stream_key(self._seed, number, process_rank()) % 2**63)
        for batch in self.batches(number):
            logits = self.network(batch.x, batch.layers, batch.aggregated)
            self.descend(self.objective(logits, batch.y, slice(0, len(batch.y))).total)
        for value in self.network.state_dict().values():
            # Equal already, but for a batch norm's statistics and other processors' rounding.
            value.copy_(send_from(0, value))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Makes the part of each batch that is this process's, the next one meanwhile."""
        order = np.random.default_rng((self._seed, epoch)).permutation(self._train)
        # Of like size: a last batch of a seed or two would be no batch for a batch norm.
        parts = np.array_split(order, ceil(len(order) / self.batch_size))
        mine = [part[process_rank() :: num_processes()] for part in parts]
        with ThreadPoolExecutor(1, "aiec_graph.batches") as pool:
            following = pool.submit(self._make, epoch, 0, mine[0])
            for i in range(len(mine)):
                batch = following.result()
                if i + 1 < len(mine):
                    following = pool.submit(self._make, epoch, i + 1, mine[i + 1])
                yield batch

    def _make(self, epoch: int, number: int, seeds: NDArray[np.int64]) -> Batch:
        key = stream_key(self._seed, epoch, number)
        whole = self._inputs.whole if self.network.aggregates_input else None
        sample = self._graph.sample if whole is None else self._graph.sample_aggregated
        nodes, layers = sample(seeds, self.fanout, key)
        x = self._inputs(nodes).to(self.device)
        aggregated = self.network.aggregate_input(x if whole is None else whole, layers)
        if aggregated is not None:
            aggregated = aggregated.to(self.device)
        return Batch(x, layers, aggregated, torch.from_numpy(self._y[seeds]).to(self.device))

    def validate(self) -> NDArray[np.float64]:
        parts = (self.network, self._graph, self._inputs, self._val_mask, self.device)
        return margin_of(layerwise_logits(*parts))
