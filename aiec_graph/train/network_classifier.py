"""A graph network as a classifier: trained by `train`, over several seeds where asked for."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.nn.networks import GNN
from aiec_graph.train.classifier import (
    Arrays,
    State,
    nest,
    preprocessor_from_state,
    preprocessor_to_state,
    unnest,
)
from aiec_graph.train.memory import is_full_batch
from aiec_graph.train.models import build_model, check_settings
from aiec_graph.train.prepared import Prepared, prepare_graph
from aiec_graph.train.run import logits_of, sizes_of, train
from aiec_graph.train.settings import TrainSettings
from aiec_graph.train.trainer import margin_of

STANDARD = replace(TrainSettings(), features="standard")
"""Settings of a network on a user's data, whose columns have scales of their own."""


@dataclass
class NetworkClassifier:
    """One network, or the mean margin of several that differ in their seed alone.

    Attributes that end in an underscore are there once it is fitted.
    """

    model: str
    """A name in `MODELS`."""
    act: str = "relu"
    """A name in `ACTIVATIONS`."""
    settings: TrainSettings = field(default_factory=lambda: STANDARD)
    seed: int = 0
    repeats: int = 1
    """Networks to train: under `seed`, `seed` + 1, ….."""

    def fit(self, graph: Graph, split: Split) -> Self:
        """Trains on the training nodes until the validation AP stays; see `NodeClassifier`.

        Raises:
            InputError: a setting is out of its range.
            DivergedError: the loss or the outputs became NaN or infinite.
        """
        return self.fit_prepared(prepare_graph(graph), split)

    def fit_prepared(self, prepared: Prepared, split: Split) -> Self:
        """`fit` on a graph that is prepared already."""
        check_settings(self.settings)
        # The loop reports on a test part as well, which there need not be here.
        split = replace(split, test_mask=split.val_mask)
        runs = [
            train(prepared, split, self.model, self.act, self.settings, self.seed + i)
            for i in range(self.repeats)
        ]
        self.preprocessor_: Preprocessor = runs[0].preprocessor
        self.networks_: list[GNN] = [run.model for run in runs]
        return self

    def decision_function(self, graph: Graph) -> NDArray[np.float64]:
        """The log-odds of being anomalous [N]; see `NodeClassifier`.

        Raises:
            InputError: the graph has other columns.
        """
        return self.score_prepared(prepare_graph(graph))

    def score_prepared(self, prepared: Prepared) -> NDArray[np.float64]:
        """`decision_function` on a graph that is prepared already."""
        return np.mean([margin_of(each) for each in self.logits(prepared, self.networks_)], axis=0)

    def logits(self, prepared: Prepared, networks: list[GNN]) -> list[Tensor]:
        """The logits [N, 2] of some of the networks; see `aiec_graph.train.run.logits_of`."""
        return logits_of(networks, self.preprocessor_, prepared, self.settings, self.model)

    def prepare_edges(self, prepared: Prepared) -> None:
        """Makes of a graph's edges what training and scoring take, so that neither waits for it."""
        is_full = is_full_batch(self.settings, self.model, sizes_of(prepared.graph))
        _ = prepared.adjacency if is_full else prepared.rows

    def to_state(self) -> State:
        """See `NodeClassifier`."""
        preprocessor, arrays = preprocessor_to_state(self.preprocessor_)
        arrays = nest("preprocessor", arrays)
        for i, network in enumerate(self.networks_):
            state = {name: value.numpy() for name, value in network.state_dict().items()}
            arrays.update(nest(f"network{i}", state))
        own = {"model": self.model, "act": self.act, "settings": asdict(self.settings)}
        counts = {"seed": self.seed, "repeats": self.repeats}
        width = self.networks_[0].convs[0].in_channels
        return {**own, **counts, "preprocessor": preprocessor, "in_channels": width}, arrays

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: Arrays) -> Self:
        """See `NodeClassifier`.

        Raises:
            InputError: the state is damaged or asks for a type that no classifier holds.
        """
        settings = TrainSettings(**meta["settings"])
        check_settings(settings)
        found = cls(meta["model"], meta["act"], settings, meta["seed"], meta["repeats"])
        found.preprocessor_ = preprocessor_from_state(
            meta["preprocessor"], unnest("preprocessor", arrays)
        )
        found.networks_ = []
        for i in range(found.repeats):
            network = build_model(found.model, found.act, meta["in_channels"], settings)
            state = unnest(f"network{i}", arrays)
            try:
                network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
            except RuntimeError as error:
                raise InputError(f"damaged network ({str(error).splitlines()[0]})") from None
            found.networks_.append(network.eval())
        return found
