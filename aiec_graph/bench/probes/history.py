"""A training run watched epoch by epoch: what each channel does for each class."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as torch_functional
from numpy.typing import NDArray
from torch import Tensor, nn

from aiec_graph.artifacts.channels import measure_channels
from aiec_graph.artifacts.specs import RunSpec, split_of
from aiec_graph.core import AIEC, Losses
from aiec_graph.core import functional as F
from aiec_graph.core.units import DecisionUnit
from aiec_graph.data import Graph, Split
from aiec_graph.metrics import average_precision
from aiec_graph.nn.networks import GNN
from aiec_graph.train import FullBatch, Prepared, build_trainer

CLASSES = ("normal", "anomalous")


@dataclass(frozen=True)
class History:
    """A run of T epochs in a network of L layers with C channels each, for K classes.

    Everything is of the labelled training nodes, after the step of each epoch; of a network
    without decision units the gates are empty (T = 0).
    """

    fired: NDArray[np.float32]
    """Share of a class's nodes that a channel fires for [T, L, K, C]."""
    mean: NDArray[np.float32]
    """Mean response of a channel to a class's nodes [T, L, K, C]."""
    alive: NDArray[np.bool_]
    """Whether a channel fires for any node that the network sees, labelled or not [T, L, C]."""
    intrinsic: NDArray[np.bool_]
    """G_intr [T, L, K, C]."""
    extrinsic: NDArray[np.bool_]
    """G_extr [T, L, K, C]."""
    gates: NDArray[np.bool_]
    """G of the layer's mode [T, L, K, C]: what the next step suppresses."""
    counted: NDArray[np.float32]
    """Share of a class's nodes that the decision unit classifies correctly [T, L, K]."""
    agreement: NDArray[np.float32]
    """Cosine between the gradients of L_gate and of L_aux by what enters the activation, over a
    class's nodes [T, L, K]; NaN where one of them is 0."""
    losses: NDArray[np.float32]
    """Task, auxiliary and gate loss before their weights [T, 3], of each step."""
    val_ap: NDArray[np.float32]
    """In percent [T]."""
    fitted: NDArray[np.bool_]
    """After the last epoch, by one instrument for all activations: channels that fire for at most
    half of a class's nodes and that a fitted linear classifier weighs against it [L, K, C]."""
    importance: NDArray[np.float32]
    """After the last epoch, by how many points the validation AP falls where a channel is silenced
    [L, C]."""

    @property
    def epochs(self) -> int:
        return len(self.val_ap)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For `numpy.savez`; `History(**numpy.load(…))` is the inverse."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Followed(NamedTuple):
    """A run that was watched to its end."""

    history: History
    network: GNN
    """In eval mode, as it was after the epoch with the best validation AP."""
    best: int
    """The position of that epoch in the history."""
    graph: Graph
    split: Split
    x: Tensor
    """The network's inputs, of all nodes."""


def follow(spec: RunSpec, seed: int, prepared: Prepared) -> Followed:
    """Trains a spec's network through all of its epochs, without early stopping, and watches.

    Raises:
        InputError: the data set cannot be split, or the training diverged.
    """
    graph = spec.perturbations.add_noise(prepared.graph, seed)
    split = split_of(spec, seed, graph)
    settings = replace(spec.settings, device="cpu")  # what is noted is read by NumPy
    parts = (prepared.with_graph(graph), split, spec.model, spec.act, settings, seed)
    run, preprocessor = build_trainer(*parts)
    network = run.network
    watch = _Watch(run)
    name = f"{graph.label}, {spec.model}-{spec.act}, seed {seed}"
    learned = run.fit(name, settings, watch.note)
    history = watch.history()
    run.objective.clear()
    network.load_state_dict(learned.weights)
    best, x = learned.best_epoch - 1, preprocessor.transform(graph)
    return Followed(history, network.eval(), best, graph, split, x)


class _Watch:
    """Takes notes on a run after each of its epochs."""

    def __init__(self, run: FullBatch) -> None:
        self.run = run
        self.aps: list[float] = []
        self._one_hot = torch_functional.one_hot(run.y_train, len(CLASSES)).float()
        self._size = self._one_hot.sum(0)
        self._acts: list[nn.Module] = list(run.network.acts)
        self._features: list[Tensor] = [torch.empty(0)] * len(self._acts)
        self._losses: list[list[float]] = []
        self._notes: dict[str, list[list[Tensor]]] = {}
        self._handles = [
            act.register_forward_hook(self._keep(i)) for i, act in enumerate(self._acts)
        ]
        self._handles.append(run.objective.register_forward_hook(self._keep_losses))

    def _keep(self, i: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(_: nn.Module, __: Any, output: Tensor) -> None:
            self._features[i] = output.detach()

        return keep

    def _keep_losses(self, _: nn.Module, __: Any, losses: Losses) -> None:
        parts = (losses.task, losses.aux, losses.gate)
        self._losses.append([part.item() for part in parts])

    def note(self, ap: float) -> None:
        """After an epoch: the last forward pass was the one that validated it."""
        self.aps.append(ap)
        notes = [self._layer(act, a) for act, a in zip(self._acts, self._features, strict=True)]
        for name in notes[0]:
            self._notes.setdefault(name, []).append([note[name] for note in notes])

    def _layer(self, act: nn.Module, features: Tensor) -> dict[str, Tensor]:
        a = features[self.run.train_rows]
        with torch.no_grad():
            size = self._size[:, None]
            found = {
                "fired": self._one_hot.T @ (a > 0).float() / size,
                "mean": self._one_hot.T @ a / size,
                "alive": (features > 0).any(0),
            }
            if isinstance(act, AIEC) and act.decision is not None:
                counted = self._one_hot
                right = counted.gather(1, act.decision(a).argmax(1, keepdim=True))
                if act.count == "correct":
                    counted = counted * right
                theta, phi = F.count_activations(a, counted)
                parts = (theta, phi, act.decision.weight)
                found |= {
                    "intrinsic": F.gate(*parts, "intrinsic"),
                    "extrinsic": F.gate(*parts, "extrinsic"),
                    "gates": F.gate(*parts, act.gate.mode),
                    "counted": (self._one_hot * right).sum(0) / self._size,
                }
                found["agreement"] = self._agreement(a, act.decision, found["gates"])
        return found

    def _agreement(self, a: Tensor, decision: DecisionUnit, gates: Tensor) -> Tensor:
        """`History.agreement` of one layer [K]; a class's weights in the losses cancel out."""
        fires = a > 0
        of_aux = (decision(a).softmax(1) - self._one_hot) @ decision.weight * fires
        of_gate = (self._one_hot @ gates.float()) * fires
        products = (of_aux * of_gate, of_aux.square(), of_gate.square())
        inner, aux, gate = ((self._one_hot.T @ each).sum(1) for each in products)
        return inner / (aux * gate).sqrt()

    def history(self) -> History:
        """What was noted, and what is measured once, after the last epoch."""
        for handle in self._handles:
            handle.remove()
        fitted = [self._fit(a[self.run.train_rows]) for a in self._features]
        importance = [self._silence(act) for act in self._acts]
        names = {
            "fired",
            "mean",
            "alive",
            "intrinsic",
            "extrinsic",
            "gates",
            "counted",
            "agreement",
        }
        empty = torch.empty(0)
        noted = {
            name: torch.stack([torch.stack(layers) for layers in self._notes[name]])
            if name in self._notes
            else empty
            for name in names
        }
        return History(
            **{name: tensor.numpy() for name, tensor in noted.items()},
            losses=np.array(self._losses, dtype=np.float32),
            val_ap=np.array(self.aps, dtype=np.float32) * 100,
            fitted=np.stack(fitted),
            importance=np.stack(importance).astype(np.float32),
        )

    def _fit(self, a: Tensor) -> NDArray[np.bool_]:
        # Counting takes responses that are not negative; GELU's dip below 0 counts as silence.
        channels = measure_channels(nn.Identity(), a.clamp(min=0), self.run.y_train, len(CLASSES))
        return (channels.activity <= 0) & (channels.weight <= 0)

    def _silence(self, act: nn.Module) -> NDArray[np.float64]:
        """How much the validation AP falls without each channel of a layer, in points."""
        silenced: list[int] = []

        def drop(_: nn.Module, __: Any, output: Tensor) -> Tensor:
            output = output.clone()
            output[:, silenced] = 0
            return output

        handle = act.register_forward_hook(drop)
        usual = self._validate()
        found = []
        for channel in range(self._features[0].shape[1]):
            silenced[:] = [channel]
            found.append(100 * (usual - self._validate()))
        handle.remove()
        return np.array(found)

    def _validate(self) -> float:
        network = self.run.network.eval()
        with torch.no_grad():
            logits = network(self.run.x, self.run.blocks)[self.run.val_rows]
        return average_precision(self.run.y_val, (logits[:, 1] - logits[:, 0]).numpy())
