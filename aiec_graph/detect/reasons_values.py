"""The values behind the names of reasons: a column over all nodes, and what is typical of it."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.detect.added_columns import LOG
from aiec_graph.detect.reasons_columns import Prepared, unscaled
from aiec_graph.detect.reasons_removal import members_of
from aiec_graph.train.baselines import TableClassifier
from aiec_graph.train.network_classifier import NetworkClassifier

Column = NDArray[np.floating]


class Values:
    """Columns by the names that `contributions` gives.

    Args:
        classifier: fitted.
        prepared: the graph.
    """

    def __init__(self, classifier: Any, prepared: Prepared) -> None:
        self.prepared = prepared
        self._made: dict[str, Column] = {}
        self._typical: dict[str, float] = {}
        self._models = [model for _, model, _ in members_of(classifier)]

    def column(self, name: str) -> Column:
        """The column of a name [N], NaN where a node has no value.

        Raises:
            KeyError: no model of the classifier has a column of this name.
        """
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def typical(self, name: str) -> float:
        """The median of a column over the nodes that are usual; NaN where none has a value."""
        if name not in self._typical:
            column, usual = self.column(name), self.prepared.usual
            known = column[usual & ~np.isnan(column)]
            self._typical[name] = float(np.median(known)) if len(known) else float("nan")
        return self._typical[name]

    def is_category(self, name: str) -> bool:
        """Whether a column tells whether a node is of some category, or lacks a value."""
        columns = self.prepared.graph.columns or ()
        starts = tuple(f"{c.name} is " for c in columns if c.categories is not None)
        ends = tuple(f"{c.name} is missing" for c in columns)
        return name in ends or (bool(starts) and name.startswith(starts))

    def notation(self, name: str) -> str:
        """How a column is written: "seconds" for spans of time, "log1p" for logs of counts."""
        columns = self.prepared.graph.columns or ()
        spans = [re.escape(c.name) for c in columns if c.notation == "seconds"]
        if any(re.search(rf"(?:^|\W){span}(?:$|\W)", name) for span in spans):
            return "seconds"
        return LOG if any(c.name == name and c.notation == LOG for c in columns) else ""

    def _make(self, name: str) -> Column:
        for model in self._models:
            if isinstance(model, TableClassifier):
                if name in model.names_:
                    table = self.prepared.columns(model.preprocessor_).table(model.recipe.columns)
                    return table.values[:, model.names_.index(name)]
            elif (found := self._of_network(model, name)) is not None:
                return found
        raise KeyError(name)

    def _of_network(self, model: NetworkClassifier, name: str) -> Column | None:
        names, who = model.preprocessor_.feature_names, self.prepared.senders
        if name in names:
            return unscaled(model.preprocessor_, self.prepared.graph)[:, names.index(name)]
        around = [f"mean of {own} over {who}" for own in names]
        if name not in around:
            return None
        own = unscaled(model.preprocessor_, self.prepared.graph)[:, around.index(name)]
        matrix: Any = self.prepared.graph.edges.to_scipy()
        matrix = matrix - sparse.diags_array(matrix.diagonal())
        total, weight = matrix @ np.nan_to_num(own), np.asarray(matrix.sum(1)).ravel()
        empty = np.full(len(own), np.nan)
        return np.divide(total, weight, out=empty, where=weight != 0)
