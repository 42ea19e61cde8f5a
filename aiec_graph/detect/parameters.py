"""The parameters of a detector, and what they make."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, check_random_state

from aiec_graph.core import ACTIVATIONS
from aiec_graph.data.user import Declaration
from aiec_graph.detect.added_columns import parse_features
from aiec_graph.detect.progress import Candidates
from aiec_graph.detect.rules import Rule
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import MODELS
from aiec_graph.train import TrainSettings
from aiec_graph.train.budget import parse_seconds
from aiec_graph.train.classifier import NodeClassifier
from aiec_graph.train.device import resolve_device
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.models import check_settings
from aiec_graph.train.network_classifier import STANDARD
from aiec_graph.train.registry import make_classifier

SETTINGS = ("hidden", "layers", "dropout", "lr", "epochs", "patience", "lambda_gate")


WHOLE, REAL, TEXT = (Integral, "a whole number"), (Real, "a number"), (str, "a text")
TYPES: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("model", "act", "threshold", "device", "split", "features"), TEXT),
    **dict.fromkeys(("hidden", "layers", "epochs", "patience", "n_jobs"), WHOLE),
    **dict.fromkeys(("base_rate", "validation_size", "test_size"), REAL),
    **dict.fromkeys(("dropout", "lr", "lambda_gate"), REAL),
}
MAY_BE_NONE = (*SETTINGS, "base_rate", "n_jobs")


class DetectorParameters(BaseEstimator):
    """What is stated before a fit, validated in `fit` as scikit-learn asks.

    Args:
        model: a name in `aiec_graph.train.registry.CLASSIFIERS`: a network, a baseline, or "auto",
            which chooses and mixes them within `budget`, on a part of the training nodes.
        act: the activation of a network.
        threshold: rule of the cut on validation nodes: f1, precision=0.9, recall=0.8, top=200,
            cost=1:50 (false alarm : miss) or score=1.5; see `set_threshold`.
        calibrate: whether scores are calibrated to probabilities on the validation nodes.
        device: of networks: auto, cpu, cuda or mps.
        random_state: seed of everything drawn.
        base_rate: the share of anomalies among the nodes that are to be scored, where the labelled
            ones are enriched; None where they are as the others.
        split: how labelled nodes are split, see `split_nodes`.
        validation_size: share of the validation nodes, where the data bring no split.
        test_size: share of the test nodes, which nothing but the model card looks at; 0 for none.
        hidden, layers, dropout, lr, epochs, patience, lambda_gate: of a network's training, see
            `TrainSettings`; None for their default there.
        batch_size: training nodes of a step of a network; "full" for the whole graph at once, or
            "auto": full where its forecast fits in memory, else 1024. Scores are exact either way.
        fanout: in batches, neighbours that are sampled of a node at each layer, the last layer's
            first; None for 10 at each, -1 for all.
        features: a network's inputs of a node's own columns: standard (mean 0, variance 1), raw,
            row or robust. Or what the columns of any model are made of: own, structural, labels
            and spectral, or several of them with a plus between, such as own+structural; see
            `added_columns`. Without own, nodes need no columns.
        as_of: a day or a number: what came later is left out of `fit`, see `as_nodes`.
        declaration: names of columns, where the data are frames.
        budget: time that "auto" may take, in seconds or as "90s", "10m", "1h".
        n_jobs: threads of forests and boosting; None for all cores.
    """

    def __init__(
        self,
        model: str = "auto",
        act: str = "aiec",
        threshold: str = "f1",
        calibrate: bool = True,
        device: str = "auto",
        random_state: int | None = 0,
        *,
        base_rate: float | None = None,
        split: str = "auto",
        validation_size: float = 0.2,
        test_size: float = 0.2,
        hidden: int | None = None,
        layers: int | None = None,
        dropout: float | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        patience: int | None = None,
        lambda_gate: float | None = None,
        batch_size: int | str = "auto",
        fanout: Sequence[int] | None = None,
        features: str = "standard",
        as_of: int | str | None = None,
        declaration: Declaration | None = None,
        budget: float | str = 60.0,
        n_jobs: int | None = None,
    ) -> None:
        self.model = model
        self.act = act
        self.threshold = threshold
        self.calibrate = calibrate
        self.device = device
        self.random_state = random_state
        self.base_rate = base_rate
        self.split = split
        self.validation_size = validation_size
        self.test_size = test_size
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.lr = lr
        self.epochs = epochs
        self.patience = patience
        self.lambda_gate = lambda_gate
        self.batch_size = batch_size
        self.fanout = fanout
        self.features = features
        self.as_of = as_of
        self.declaration = declaration
        self.budget = budget
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a graph is no matrix of independent rows
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags(multi_class=False)
        tags.no_validation = True
        return tags

    def _check(self) -> Rule:
        """Validates the parameters, and returns the rule of the threshold."""
        for name, (kinds, words) in TYPES.items():
            value = getattr(self, name)
            is_wrong = not isinstance(value, kinds) or isinstance(value, bool)
            if is_wrong and not (value is None and name in MAY_BE_NONE):
                raise InputError(f"{name} must be {words}, not {value!r}")
        resolve_device(self.device)
        check_settings(self._settings())
        parse_seconds(self.budget)
        self._make_classifier(0)
        look_up(self.act, ACTIVATIONS, "activation")
        if self.base_rate is not None and not 0 < self.base_rate < 1:
            raise InputError(f"base_rate must be between 0 and 1, not {self.base_rate}")
        sizes = {"validation_size": self.validation_size, "test_size": self.test_size}
        for name, size in sizes.items():
            if not 0 <= size < 1 or (size == 0 and name == "validation_size"):
                raise InputError(f"{name} must be between 0 and 1, not {size}")
        if self.validation_size + self.test_size >= 1:
            raise InputError("validation_size and test_size leave nothing to train on")
        return Rule.parse(self.threshold)

    def _list_unused(self) -> list[str]:
        """Parameters of networks that were given though the model is none and mixes none."""
        if self.model in MODELS or self.model.startswith("auto"):
            return []
        return [name for name in (*SETTINGS, "fanout") if getattr(self, name) not in (None, [], ())]

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer) and 0 <= self.random_state < 2**32:
            return int(self.random_state)
        try:
            return int(check_random_state(self.random_state).randint(2**31 - 1))
        except ValueError as error:
            raise InputError(f"random_state: {error}") from None

    def _settings(self) -> TrainSettings:
        given = {name: getattr(self, name) for name in SETTINGS}
        given = {name: value for name, value in given.items() if value is not None}
        given["batch_size"] = str(self.batch_size)
        given["fanout"] = list(self.fanout or ())
        scaling, _ = parse_features(self.features)
        return replace(STANDARD, features=scaling, device=self.device, **given)

    @property
    def _parts(self) -> tuple[str, ...]:
        """What the columns are made of."""
        return parse_features(self.features)[1]

    def _make_classifier(self, seed: int) -> NodeClassifier:
        classifier = make_classifier(
            self.model, self.act, self._settings(), seed=seed, n_jobs=self.n_jobs
        )
        if isinstance(classifier, AutoClassifier):
            classifier.budget = parse_seconds(self.budget)
            told = Candidates()
            classifier.on_step, classifier.on_trial = told.begin, told.end
        return classifier
