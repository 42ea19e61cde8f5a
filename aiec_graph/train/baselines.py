"""Classifiers on tables of columns: logistic regression, forests and boosting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.data.transforms.neighbourhood import Neighbourhood, Table
from aiec_graph.errors import InputError, look_up
from aiec_graph.graph.storage.estimators import pack_estimator, unpack_estimator
from aiec_graph.train.classifier import (
    Arrays,
    State,
    nest,
    preprocessor_from_state,
    preprocessor_to_state,
    unnest,
)

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]

TRUSTED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""What a saved estimator may hold beyond the types that skops itself trusts."""

COLUMNS: dict[str, Neighbourhood | None] = {
    "own": None,
    "means": Neighbourhood(2, ("mean",), structure=False, with_self=True),
    "rich": Neighbourhood(),
}
"""Columns by name: a node's own; with the neighbours' mean and the mean of that, as RFGraph and
XGBGraph take them (Tang et al., 2023); with every statistic and the structural columns."""


class Recipe(NamedTuple):
    """What a table classifier is made of."""

    estimator: str
    """A name in `ESTIMATORS`."""
    columns: str
    """A name in `COLUMNS`."""


TABULAR = {
    name + suffix: Recipe(name, columns)
    for name in ("logistic", "rf", "xgb", "hgb")
    for suffix, columns in (("", "own"), ("_graph", "means"), ("_rich", "rich"))
}
"""Table classifiers by name."""


class Columns:
    """The columns of one graph that recipes ask for, each table made once.

    Args:
        graph: the graph.
        preprocessor: fitted on it, or on one with the same columns.

    Raises:
        InputError: the graph has other columns than the preprocessor was fitted on.
    """

    def __init__(self, graph: Graph, preprocessor: Preprocessor) -> None:
        self.graph, self.preprocessor = graph, preprocessor
        own = Table(preprocessor.transform(graph).numpy(), preprocessor.feature_names)
        self._tables = {"own": own}

    def table(self, columns: str) -> Table:
        """The table of a name in `COLUMNS`.

        Raises:
            InputError: the name is unknown, or an edge has a negative weight.
        """
        neighbourhood = look_up(columns, COLUMNS, "kind of columns")
        if columns not in self._tables and neighbourhood is not None:
            own = self._tables["own"]
            self._tables[columns] = neighbourhood.table(self.graph.edges, *own)
        return self._tables[columns]


@dataclass
class TableClassifier:
    """An estimator of scikit-learn or XGBoost on columns of a node and its neighbours.

    Attributes that end in an underscore are there once it is fitted.
    """

    recipe: Recipe
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the estimator."""
    seed: int = 0
    n_jobs: int | None = None
    """Threads; None for all cores."""

    def fit(self, graph: Graph, split: Split) -> Self:
        """Fits on the training nodes; see `NodeClassifier`.

        Raises:
            InputError: the training nodes lack a class.
        """
        preprocessor = Preprocessor.fit(graph, split.train_mask, "raw", fill=False)
        return self.fit_columns(Columns(graph, preprocessor), split.train_mask)

    def fit_columns(self, columns: Columns, train_mask: NDArray[np.bool_]) -> Self:
        """Fits on some nodes of a graph whose columns others share.

        Raises:
            InputError: these nodes lack a class.
        """
        table, labels = columns.table(self.recipe.columns), columns.graph.y[train_mask]
        if not {0, 1} <= set(labels.tolist()):
            raise InputError("the training nodes must hold anomalous and normal ones")
        make = look_up(self.recipe.estimator, ESTIMATORS, "estimator")
        estimator = make(self.seed, self.n_jobs, **self.options)
        self.estimator_ = estimator.fit(table.values[train_mask], labels)
        self.names_, self.preprocessor_ = table.names, columns.preprocessor
        return self

    def decision_function(self, graph: Graph) -> NDArray[np.float64]:
        """A margin for each node [N]; see `NodeClassifier`.

        Raises:
            InputError: the graph has other columns.
        """
        return self.score_columns(Columns(graph, self.preprocessor_))

    def score_columns(self, columns: Columns) -> NDArray[np.float64]:
        """`decision_function` on a graph whose columns others share.

        Raises:
            InputError: the graph's columns are other ones, such as of edges with directions where
                those of the fitted graph had none.
        """
        table = columns.table(self.recipe.columns)
        if table.names != self.names_:
            here, there = set(table.names), set(self.names_)
            example = next(iter(sorted(here ^ there)), "another order")
            raise InputError(
                f"{columns.graph.label}: its edges give other columns than those of the fitted "
                f"graph (such as {example!r}): both need directions, or weights, or neither"
            )
        return self.score_table(table.values)

    def score_table(self, values: Rows) -> NDArray[np.float64]:
        """A margin for each row of a table of the recipe's columns [M]."""
        if self.recipe.estimator == "xgb":
            margin = self.estimator_.predict(values, output_margin=True)
            return margin.astype(np.float64)
        if self.recipe.estimator == "rf":
            # Threads would add up the trees in an order of their own, and the last bit with it.
            self.estimator_.set_params(n_jobs=1)
        return logit(self.estimator_.predict_proba(values)[:, 1])

    def to_state(self) -> State:
        """See `NodeClassifier`."""
        meta, arrays = preprocessor_to_state(self.preprocessor_)
        arrays = nest("preprocessor", arrays)
        if self.recipe.estimator == "xgb":
            content = self.estimator_.get_booster().save_raw("ubj")
            arrays["estimator"] = np.frombuffer(content, np.uint8)
        else:
            arrays["estimator"] = pack_estimator(self.estimator_)
        own = {"recipe": list(self.recipe), "options": self.options, "seed": self.seed}
        return {**own, "preprocessor": meta, "names": self.names_}, arrays

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: Arrays) -> Self:
        """See `NodeClassifier`.

        Raises:
            InputError: the state is damaged or asks for a type that no classifier holds.
        """
        found = cls(Recipe(*meta["recipe"]), meta["options"], meta["seed"])
        look_up(found.recipe.columns, COLUMNS, "kind of columns")
        found.preprocessor_ = preprocessor_from_state(
            meta["preprocessor"], unnest("preprocessor", arrays)
        )
        found.names_ = [str(name) for name in meta["names"]]
        if found.recipe.estimator == "xgb":
            found.estimator_ = _load_xgboost(arrays["estimator"])
        else:
            found.estimator_ = unpack_estimator(arrays["estimator"], TRUSTED)
            known = look_up(found.recipe.estimator, ESTIMATORS, "estimator")(0, None)
            if type(found.estimator_) is not type(known):
                name = type(found.estimator_).__name__
                raise InputError(f"the state of {found.recipe.estimator!r} holds a {name}")
        return found


def logit(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """The margin whose logistic function is `p`, kept finite at 0 and 1."""
    p = np.clip(p.astype(np.float64), TINY, 1 - TINY)
    return np.log(p) - np.log1p(-p)


TINY = 1e-12


def _logistic(seed: int, n_jobs: int | None, **options: Any) -> Any:
    model = LogisticRegression(
        **{"class_weight": "balanced", "max_iter": 1000, "random_state": seed, **options}
    )
    return make_pipeline(_fill(), StandardScaler(), model)


def _rf(seed: int, n_jobs: int | None, **options: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    settings = {"n_estimators": 100, "class_weight": "balanced_subsample", **options}
    return RandomForestClassifier(random_state=seed, n_jobs=n_jobs or -1, **settings)


def _hgb(seed: int, n_jobs: int | None, **options: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**{"random_state": seed, **options})


def _xgb(seed: int, n_jobs: int | None, **options: Any) -> Any:
    return _xgboost().XGBClassifier(random_state=seed, n_jobs=n_jobs, **options)


def _fill() -> SimpleImputer:
    return SimpleImputer(strategy="median", keep_empty_features=True)


ESTIMATORS: dict[str, Callable[..., Any]] = {
    "logistic": _logistic,
    "rf": _rf,
    "xgb": _xgb,
    "hgb": _hgb,
}
"""By name, what makes an estimator from a seed, a number of threads and further options."""


def _load_xgboost(content: NDArray[np.uint8]) -> Any:
    xgboost = _xgboost()
    model = xgboost.XGBClassifier()
    try:
        model.load_model(bytearray(content.tobytes()))
    except xgboost.core.XGBoostError:
        raise InputError("damaged estimator (not a model of XGBoost)") from None
    return model


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError:
        raise InputError(
            "XGBoost is not installed: pip install 'aiec-graph[boosting]', or take hgb in its place"
        ) from None
    return xgboost
