"""A graph network as a classifier: trained by `train`, over several seeds where asked for."""

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.nn.layerwise import layerwise_logits
from aiec_graph.nn.networks import GNN
from aiec_graph.train.classifier import (
    Arrays,
    State,
    nest,
    preprocessor_from_state,
    preprocessor_to_state,
    unnest,
)
from aiec_graph.train.memory import FULL, choose_batches
from aiec_graph.train.models import build_model, check_settings
from aiec_graph.train.prepared import Prepared, prepare_graph
from aiec_graph.train.run import sizes_of, train
from aiec_graph.train.settings import TrainSettings
from aiec_graph.train.trainer import margin_of, predict

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
        graph = prepared.graph
        choice = choose_batches(self.settings, self.model, sizes_of(graph))
        if choice.settings.batch_size == FULL:
            x = self.preprocessor_.transform(graph)
            logits = [predict(network, x, prepared.adjacency) for network in self.networks_]
        else:  # exact as well, a layer after the other
            read = partial(self.preprocessor_.transform, graph)
            logits = [layerwise_logits(network, prepared.rows, read) for network in self.networks_]
        return np.mean([margin_of(each) for each in logits], axis=0)

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
