"""What every model can do, networks and trees alike: fit, score, save and load."""

from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.data import Graph, Preprocessor, Split

Arrays = dict[str, NDArray[Any]]
State = tuple[dict[str, Any], Arrays]
"""Plain values that JSON can hold, and arrays; together all that a fitted classifier is."""


class NodeClassifier(Protocol):
    """A model that ranks the nodes of a graph by how anomalous they are."""

    def fit(self, graph: Graph, split: Split) -> Self:
        """Fits on the training nodes; the validation nodes may decide when to stop.

        Test labels are not read, so `split.test_mask` may be empty.

        Args:
            graph: the graph; all of its edges and features are used.
            split: masks over its nodes; train and val must hold both classes.

        Raises:
            InputError: the split or a setting cannot be used.
        """
        ...

    def decision_function(self, graph: Graph) -> NDArray[np.float64]:
        """Scores all nodes of a graph, the fitted one or another with the same columns.

        Returns:
            A margin for each node [N], higher where more anomalous; its logistic function is a
            probability, though not a calibrated one.

        Raises:
            InputError: the graph has other columns.
        """
        ...

    def to_state(self) -> State:
        """All that was fitted, without a pickle: what `from_state` takes."""
        ...

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: Arrays) -> Self:
        """The inverse of `to_state`; scores are the same, bit for bit.

        Raises:
            InputError: the state asks for a type that no classifier holds, or is damaged.
        """
        ...


def held_out_scores(classifier: NodeClassifier, score: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores by which thresholds are set, probabilities calibrated and metrics computed.

    A classifier that was fitted on validation nodes too, by cross-validation or again after the
    choice of models, keeps for each of these nodes the score of models that had not seen it
    (`held_out_` [N], NaN elsewhere).

    Args:
        classifier: fitted.
        score: what its `decision_function` gave for the graph that it was fitted on [N].

    Returns:
        The same scores, the kept ones in their place [N].
    """
    kept = getattr(classifier, "held_out_", None)
    return score if kept is None else np.where(np.isnan(kept), score, kept)


def nest(prefix: str, arrays: Arrays) -> Arrays:
    """The arrays of a part under names that begin with the part's."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def unnest(prefix: str, arrays: Arrays) -> Arrays:
    """The inverse of `nest`: the arrays of one part."""
    start = f"{prefix}/"
    return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}


def preprocessor_to_state(preprocessor: Preprocessor) -> State:
    """What `preprocessor_from_state` makes a preprocessor of again."""
    meta = preprocessor.state()
    packed = meta.pop("pipeline")
    return meta, {} if packed is None else {"pipeline": packed.numpy()}


def preprocessor_from_state(meta: dict[str, Any], arrays: Arrays) -> Preprocessor:
    """The inverse of `preprocessor_to_state`.

    Raises:
        InputError: it holds something that no preprocessor does; nothing of it is run.
    """
    packed = arrays.get("pipeline")
    pipeline = None if packed is None else torch.from_numpy(packed)
    return Preprocessor.from_state({**meta, "pipeline": pipeline})
