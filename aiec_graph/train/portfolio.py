"""The candidates that `auto` tries, in the order in which it tries them."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from aiec_graph.errors import look_up
from aiec_graph.train.baselines import Recipe, TableClassifier
from aiec_graph.train.network_classifier import NetworkClassifier
from aiec_graph.train.settings import TrainSettings


class Candidate(NamedTuple):
    """One model of the portfolio."""

    name: str
    make: Callable[[int, int | None], TableClassifier | NetworkClassifier]
    """From a seed and a number of threads."""
    cost: float
    """Roughly, how long it takes in comparison with the others."""
    uses_graph: bool
    """Whether it looks at anything but a node's own columns."""
    is_network: bool = False
    has_aiec: bool = False
    is_rich: bool = False


def _table(name: str, recipe: Recipe, cost: float, **options: Any) -> Candidate:
    def make(seed: int, n_jobs: int | None) -> TableClassifier:
        return TableClassifier(recipe, options, seed, n_jobs)

    return Candidate(name, make, cost, recipe.columns != "own", is_rich=recipe.columns == "rich")


def _network(model: str, act: str, cost: float, **settings: Any) -> Candidate:
    changed = TrainSettings(**{"features": "standard", **settings})

    def make(seed: int, n_jobs: int | None) -> NetworkClassifier:
        return NetworkClassifier(model, act, changed, seed)

    name = " ".join([model, act, *(str(value) for value in settings.values())])
    return Candidate(name, make, cost, model != "mlp", is_network=True, has_aiec=act == "aiec")


FOREST: dict[str, Any] = {"n_estimators": 150, "min_samples_leaf": 2, "max_features": "sqrt"}
SLOW_XGB: dict[str, Any] = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "max_depth": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 3,
}
SLOW_HGB: dict[str, Any] = {"max_iter": 200, "learning_rate": 0.05, "max_depth": 5}

BOOSTING = "xgb" if find_spec("xgboost") else "hgb"
SLOW = SLOW_XGB if BOOSTING == "xgb" else SLOW_HGB

# What often wins for little time comes first, so that a small budget still reaches it; among the
# first are a boosting and a forest that do not look at the graph, for where the edges mislead.
PORTFOLIO = (
    _table(BOOSTING, Recipe(BOOSTING, "own"), 1, **SLOW),
    _network("gcn", "relu", 1),
    _table(f"{BOOSTING}_graph", Recipe(BOOSTING, "means"), 2.5, **SLOW),
    _table("logistic_graph", Recipe("logistic", "means"), 0.5, C=0.1),
    _table(f"{BOOSTING}_rich", Recipe(BOOSTING, "rich"), 5, **SLOW),
    _network("sage", "aiec", 1.5, aggr="mean"),
    _table("rf", Recipe("rf", "own"), 5, **FOREST),
    _network("gcn", "relu", 1, features="robust"),
    _table("rf_graph", Recipe("rf", "means"), 10, **FOREST),
    _network("gcn", "aiec", 1.5),
    _network("bwgnn", "relu", 4, features="robust"),
    _table("rf_rich", Recipe("rf", "rich"), 14, **FOREST),
    _network("sage", "relu", 4),
    _network("mlp", "relu", 1),
)

ABLATIONS: dict[str, Callable[[Candidate], bool]] = {
    "auto": lambda candidate: True,
    "auto_no_trees": lambda candidate: candidate.is_network,
    "auto_no_networks": lambda candidate: not candidate.is_network,
    "auto_no_aiec": lambda candidate: not candidate.has_aiec,
    "auto_no_rich": lambda candidate: not candidate.is_rich,
}
"""By name, which candidates are left in the portfolio."""


def portfolio(name: str) -> list[Candidate]:
    """The candidates that are left under a name in `ABLATIONS`.

    Raises:
        InputError: the name is unknown.
    """
    kept = look_up(name, ABLATIONS, "portfolio")
    return [candidate for candidate in PORTFOLIO if kept(candidate)]
