"""What a network with AIEC does with its channels: for the classes, and for some nodes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aiec_graph.artifacts.channels import Channels, measure_channels
from aiec_graph.core import AIEC
from aiec_graph.data import UNKNOWN
from aiec_graph.detect.reasons_columns import Prepared
from aiec_graph.detect.reasons_removal import members_of
from aiec_graph.nn.networks import GNN
from aiec_graph.train.network_classifier import NetworkClassifier

ANOMALOUS = 1
SHOWN = 3


@dataclass(frozen=True)
class ChannelReason:
    """The channels of the last AIEC layer for one node."""

    kept: list[int]
    """Channels that no gate of AIEC is shut on for the anomalous class."""
    silenced: list[int]
    """Those that a gate is shut on: neither its firing rate nor its decision weight speaks for
    the class, and training pushed them towards 0 on anomalous nodes."""
    active: NDArray[np.float32]
    """The node's value of each channel [C]; above 0 the channel fires."""
    channels: Channels
    """Firing rates, decision weights and gates by class."""

    def __str__(self) -> str:
        fires = self.active > 0
        strength = self.active * self.channels.weight[ANOMALOUS]
        order = [k for k in np.argsort(-strength).tolist() if fires[k] and k in self.kept][:SHOWN]
        named = ", ".join(
            f"channel {k} (decision weight {self.channels.weight[ANOMALOUS, k]:.2f}, firing rate "
            f"{self.channels.activity[ANOMALOUS, k]:+.2f} for anomalous and "
            f"{self.channels.activity[0, k]:+.2f} for normal nodes)"
            for k in order
        )
        return (
            f"AIEC keeps {len(self.kept)} of {len(self.active)} channels for the anomalous class; "
            f"{int(fires[self.kept].sum())} of these fire on this node, and "
            f"{int(fires[self.silenced].sum())} of the {len(self.silenced)} silenced ones"
            + (f"; foremost {named}" if named else "")
        )


@dataclass(frozen=True)
class LayerChannels:
    """One AIEC layer over the nodes of some data."""

    layer: int
    """From 1."""
    channels: Channels
    features: NDArray[np.float32]
    """[N, C]."""


def aiec_network(classifier: Any) -> tuple[NetworkClassifier, GNN] | None:
    """The network with AIEC of a classifier, of a mixture the heaviest; None without one."""
    found = [
        (weight, model)
        for weight, model, _ in members_of(classifier)
        if isinstance(model, NetworkClassifier)
        and any(isinstance(act, AIEC) and act.is_built for act in model.networks_[0].acts)
    ]
    if not found:
        return None
    model = max(found, key=lambda part: part[0])[1]
    return model, model.networks_[0]


def measure_layers(
    classifier: Any, prepared: Prepared, flag: NDArray[np.bool_]
) -> list[LayerChannels]:
    """Firing rates, decision weights and gates of each AIEC layer; empty without one.

    Firing rates are over the labelled nodes where the data have both classes, otherwise over the
    flagged nodes and the others.

    Args:
        classifier: fitted.
        prepared: the graph.
        flag: whether each node is flagged [N].
    """
    found = aiec_network(classifier)
    if found is None:
        return []
    model, network = found
    y, known = _classes(prepared.graph.y, flag)
    rows, labels = torch.from_numpy(known), torch.from_numpy(y[known].astype(np.int64))
    return [
        LayerChannels(i + 1, measure_channels(network.acts[i], a[rows], labels, 2), a.numpy())
        for i, a in _activations(model, network, prepared).items()
    ]


def _activations(model: NetworkClassifier, network: GNN, prepared: Prepared) -> dict[int, Tensor]:
    """What the AIEC layers give for all nodes [N, C], by the number of the layer from 0."""
    pieces: dict[int, list[Tensor]] = {
        i: [] for i, act in enumerate(network.acts) if isinstance(act, AIEC)
    }

    def collect(i: int, _act: nn.Module, _inputs: Any, output: Tensor) -> None:
        # Layer by layer the nodes come in their order, some at a time.
        pieces[i].append(output.detach())

    handles = [network.acts[i].register_forward_hook(partial(collect, i)) for i in pieces]
    try:
        model.logits(prepared.whole, [network])
    finally:
        for handle in handles:
            handle.remove()
    return {i: torch.cat(parts) for i, parts in pieces.items()}


def channels_of_nodes(
    classifier: Any, prepared: Prepared, flag: NDArray[np.bool_], nodes: NDArray[np.int64]
) -> list[ChannelReason] | None:
    """The last AIEC layer's channels on some nodes; None without one."""
    layers = measure_layers(classifier, prepared, flag)
    if not layers:
        return None
    last = layers[-1]
    gated = last.channels.gated[ANOMALOUS]
    kept, silenced = np.flatnonzero(~gated).tolist(), np.flatnonzero(gated).tolist()
    return [ChannelReason(kept, silenced, last.features[i], last.channels) for i in nodes.tolist()]


def _classes(
    y: NDArray[np.int64], flag: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A class for each node [N], and which of the nodes count [N]."""
    known = y != UNKNOWN
    if {0, 1} <= set(y[known].tolist()):
        return y, known
    return flag.astype(np.int64), np.ones(len(y), bool)
