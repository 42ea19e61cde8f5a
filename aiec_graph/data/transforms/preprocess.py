"""Input features made ready for a network, by what was seen on the training nodes alone."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from torch import Tensor

from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.graph.graph import Column, Graph
from aiec_graph.graph.storage.estimators import pack_estimator, unpack_estimator

FEATURES: dict[str, Callable[[int], Any]] = {
    "raw": lambda nodes: FunctionTransformer(),
    "standard": lambda nodes: StandardScaler(),
    "row": lambda nodes: Normalizer(norm="l1"),
    "robust": lambda nodes: make_pipeline(
        QuantileTransformer(n_quantiles=min(nodes, MOST_QUANTILES), subsample=cast(Any, None)),
        StandardScaler(),
    ),
}
"""Kinds of features, each with what makes its scikit-learn transformer for a number of nodes."""
MOST_QUANTILES = 1000
MOST_CATEGORIES = 50
"""Categories of one column that get an input of their own; the rarest beyond share one."""
FILLS = {"zero": {"strategy": "constant", "fill_value": 0.0}}
LARGEST_INPUT = 1e18
"""Beyond it the square of a network's input is no 32-bit float any more."""
TRUSTED = frozenset({"numpy.dtype"})
"""What a saved pipeline may hold beyond scikit-learn's own types."""


@dataclass(frozen=True)
class Preprocessor:
    """A scikit-learn pipeline from a graph's columns to a network's inputs.

    Missing numbers are filled as their column declares, and an input tells where they were;
    categories become one input each, and so does a missing one; then everything is scaled.
    """

    kind: str
    """A name in `FEATURES`."""
    width: int
    """Columns that it takes."""
    columns: tuple[Column, ...] | None
    """Of the graph that it was fitted on."""
    pipeline: Pipeline | None
    """None where the features are used as they are given."""

    @classmethod
    def fit(
        cls, graph: Graph, train_mask: NDArray[np.bool_], kind: str, fill: bool = True
    ) -> "Preprocessor":
        """Fits on the training nodes of a graph.

        Args:
            graph: not changed.
            train_mask: [N].
            kind: "raw" leaves the features as they are, the protocol's default; "standard" gives
                each mean 0 and variance 1 over the training nodes; "row" divides each node's
                features by the sum of their magnitudes; "robust" gives each the rank, between 0 and
                1, that it has among the training nodes, and then mean 0 and variance 1.
            fill: whether missing numbers are filled; otherwise they stay missing (NaN), for models
                that know what to do with them.

        Raises:
            InputError: the kind is unknown.
        """
        make = look_up(kind, FEATURES, "kind of features")
        steps: list[tuple[str, Any]] = []
        if graph.columns is not None:
            steps.append(("columns", _encode(graph.columns, fill)))
        if kind != "raw":
            steps.append(("scale", make(int(train_mask.sum()))))
        pipeline = Pipeline(steps).fit(graph.x.numpy()[train_mask]) if steps else None
        return cls(kind, graph.x.shape[1], graph.columns, pipeline)

    def transform(self, graph: Graph, nodes: NDArray[np.integer] | None = None) -> Tensor:
        """The inputs for the nodes of a graph with the same columns: [N, F'], float32.

        A category that the training nodes did not have counts as a rare one.

        Args:
            graph: the graph.
            nodes: those whose inputs are wanted [M], in this order; None for all. Of features in
                a mapped file no others are read.

        Raises:
            InputError: the graph has other columns.
        """
        self._check(graph)
        if self.pipeline is None:
            return graph.x if nodes is None else graph.x.index_select(0, torch.from_numpy(nodes))
        x = graph.x.numpy() if nodes is None else graph.x.numpy()[nodes]
        if graph.columns is not None and self.columns is not None and graph.columns != self.columns:
            x = _with_codes_of(x, graph.columns, self.columns)
        values = cast(NDArray[np.float32], self.pipeline.transform(x))
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

    def _check(self, graph: Graph) -> None:
        mine, found = self.columns or (), graph.columns or ()
        kinds = [(c.name, c.categories is None) for c in mine]
        if graph.x.shape[1] == self.width and kinds == [
            (c.name, c.categories is None) for c in found
        ]:
            return
        names = [c.name for c in found]
        for column in mine if found else ():
            if column.name not in names:
                hint = did_you_mean(column.name, names)
                raise InputError(
                    f"{graph.label}: no column {column.name!r}, which the training data had.{hint}"
                )
        expected = ", ".join(c.name for c in mine)[:300] or f"{self.width} unnamed ones"
        raise InputError(
            f"{graph.label}: the network was trained on other features ({expected}, in this order "
            f"and of the same kinds) than these {graph.x.shape[1]}"
        )

    @property
    def feature_names(self) -> list[str]:
        """Names of the network's inputs [F']."""
        if self.columns is None or self.pipeline is None:
            return [f"feature {i}" for i in range(self.width)]
        transformer: ColumnTransformer = self.pipeline.named_steps["columns"]
        names: list[str] = []
        for _, fitted, indices in transformer.transformers_:
            own = [self.columns[i].name for i in indices]
            if isinstance(fitted, SimpleImputer):
                names += own
                if fitted.indicator_ is not None:
                    names += [f"{own[i]} is missing" for i in fitted.indicator_.features_]
            elif isinstance(fitted, OneHotEncoder):
                categories = self.columns[indices[0]].categories or ()
                for full in fitted.get_feature_names_out(own):
                    code = full.removeprefix(f"{own[0]}_")
                    known = {"nan": "missing", "infrequent_sklearn": "another"}.get(code)
                    names.append(f"{own[0]} is {known or categories[int(float(code))]}")
            else:
                names += own
        return names

    def network_inputs(self, graph: Graph, nodes: NDArray[np.integer] | None = None) -> Tensor:
        """The inputs of a network, which computes with their squares: as `transform`.

        Raises:
            InputError: as `transform`, or an input is too large for 32-bit floats.
        """
        x = self.transform(graph, nodes)
        values = x.numpy()
        if not values.size or values.max() <= LARGEST_INPUT >= -values.min():
            return x
        row, column = np.argwhere(~(np.abs(values) <= LARGEST_INPUT))[0]
        node = row if nodes is None else nodes[row]
        name = self.feature_names[column]
        remedy = (
            "correct it" if self.kind == "standard" else "correct it, or use --features standard"
        )
        raise InputError(
            f"{graph.label}: {name} of node {graph.node_ids[node]} is {values[row, column]:g}, "
            f"too large for a network, which computes in 32-bit floats; {remedy}"
        )

    def state(self) -> dict[str, Any]:
        """Everything in it as tensors and plain values, to be saved with a network."""
        packed = None
        if self.pipeline is not None:
            packed = torch.from_numpy(pack_estimator(self.pipeline))
        columns = None if self.columns is None else [asdict(c) for c in self.columns]
        return {"kind": self.kind, "width": self.width, "columns": columns, "pipeline": packed}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Preprocessor":
        """The inverse of `state`.

        Raises:
            InputError: it holds something that no preprocessor does; nothing of it is run.
        """
        pipeline = None if state["pipeline"] is None else _unpack(state["pipeline"])
        columns = None
        if state["columns"] is not None:
            columns = tuple(Column.of(part) for part in state["columns"])
        look_up(str(state["kind"]), FEATURES, "kind of features")
        return cls(state["kind"], int(state["width"]), columns, pipeline)


def _encode(columns: tuple[Column, ...], fill: bool) -> ColumnTransformer:
    """Makes categories one column each and, where asked for, fills missing numbers."""
    parts: list[tuple[str, Any, list[int]]] = []
    if not fill:
        numbers = [i for i, c in enumerate(columns) if c.categories is None]
        parts.append(("keep", "passthrough", numbers))
    for way in dict.fromkeys(c.missing for c in columns if fill and c.categories is None):
        own = [i for i, c in enumerate(columns) if c.categories is None and c.missing == way]
        options = FILLS.get(way, {"strategy": way})
        imputer = SimpleImputer(add_indicator=True, keep_empty_features=True, **options)
        parts.append((f"fill {way}", imputer, own))
    for i, column in enumerate(columns):
        if column.categories is not None:
            encoder = OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                max_categories=MOST_CATEGORIES,
                sparse_output=False,
                dtype=cast(Any, np.float32),  # its stubs know float64 alone
            )
            parts.append((f"encode {i}", encoder, [i]))
    return ColumnTransformer(parts, sparse_threshold=0)


def _with_codes_of(
    x: NDArray[np.float32], found: tuple[Column, ...], fitted: tuple[Column, ...]
) -> NDArray[np.float32]:
    """The features with the codes that the fitted columns give to the same categories."""
    x = x.copy()
    for i, (mine, theirs) in enumerate(zip(fitted, found, strict=True)):
        if mine.categories is not None and theirs.categories != mine.categories:
            codes = {name: code for code, name in enumerate(mine.categories)}
            table = np.array([codes.get(name, -1) for name in theirs.categories or ()] + [np.nan])
            known = ~np.isnan(x[:, i])
            x[:, i] = table[np.where(known, x[:, i], -1).astype(np.int64)]
    return x


def _unpack(packed: Tensor) -> Pipeline:
    pipeline = unpack_estimator(packed.numpy(), TRUSTED)
    if not isinstance(pipeline, Pipeline):
        raise InputError(f"its preprocessing is a {type(pipeline).__name__}, not a pipeline")
    return pipeline
