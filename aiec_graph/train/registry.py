"""Every classifier by name."""

from collections.abc import Callable, Mapping
from typing import Any

from aiec_graph.errors import look_up
from aiec_graph.train.baselines import TABULAR, TableClassifier
from aiec_graph.train.classifier import NodeClassifier
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.models import MODELS
from aiec_graph.train.network_classifier import STANDARD, NetworkClassifier
from aiec_graph.train.portfolio import ABLATIONS
from aiec_graph.train.settings import TrainSettings

CLASSIFIERS: dict[str, Callable[..., NodeClassifier]] = {
    **dict.fromkeys(TABULAR, TableClassifier),
    **dict.fromkeys(MODELS, NetworkClassifier),
    **dict.fromkeys(ABLATIONS, AutoClassifier),
}
"""By name, the class of a classifier, which reads what it saved (`from_state`)."""


def make_classifier(
    model: str,
    act: str = "relu",
    settings: TrainSettings | None = None,
    *,
    seed: int = 0,
    n_jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> NodeClassifier:
    """Makes a classifier that is to be fitted.

    Args:
        model: a name in `CLASSIFIERS`.
        act: the activation of a network; others have none.
        settings: of a network's training; by default those of the protocol on standardised
            features. Others have none.
        seed: of everything drawn.
        n_jobs: threads of a forest or of boosting; None for all cores.
        options: further arguments of a forest, of boosting or logistic regression (those of the
            estimator), or of `AutoClassifier`.

    Raises:
        InputError: the name is unknown.
    """
    look_up(model, CLASSIFIERS, "model")
    if model in TABULAR:
        return TableClassifier(TABULAR[model], dict(options or {}), seed, n_jobs)
    if model in ABLATIONS:
        return AutoClassifier(portfolio=model, seed=seed, n_jobs=n_jobs, **(options or {}))
    return NetworkClassifier(model, act, settings or STANDARD, seed)
