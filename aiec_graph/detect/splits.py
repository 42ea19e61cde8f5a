"""Splits of a graph's labelled nodes: for one fit, and for cross-validation."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import (
    GroupShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from aiec_graph.data import UNKNOWN, Graph, Split
from aiec_graph.detect.alarms import SplitWarning
from aiec_graph.detect.nodes import Nodes
from aiec_graph.errors import InputError, look_up

Index = NDArray[np.int64]
SPLITS = ("auto", "given", "stratified", "time", "group")
WAYS = ("stratified", "time", "group")
INNER_SHARE = 0.25
MOST_IN_ONE = 0.5
"""Share of the labelled nodes that one group may hold."""


def split_nodes(
    graph: Graph, how: str, validation: float, test: float, seed: int
) -> tuple[Split, str]:
    """Splits the labelled nodes for one fit.

    Args:
        graph: with labels.
        how: "given": the split that came with the data; "stratified": at random; "time": train ≤
            t1 < validation ≤ t2 < test, where t1 and t2 come as near to the shares as whole time
            steps allow; "time=T1:T2": these; "group": accounts that are connected stay together;
            "auto": given if there is one, else time if there is one, else stratified.
        validation: share of the validation nodes.
        test: share of the test nodes; 0 for none.
        seed: of what is drawn.

    Returns:
        The split, and how it was made: one of the words above, with its time steps.

    Raises:
        InputError: it cannot be made, or train or validation would be without one of the classes.
    """
    kind, _, steps = how.partition("=")
    look_up(kind, dict.fromkeys(SPLITS), "split")
    if kind == "auto":
        timed = "time" if graph.time_step is not None else "stratified"
        kind = "given" if "supervised" in graph.given else timed
    if kind == "given":
        split = _given(graph)
    elif kind == "time":
        split, how = _by_time(graph, steps, validation, test)
    else:
        split = _at_random(graph, kind, (validation, test), seed)
        if graph.time_step is not None:
            warnings.warn(
                f"{graph.label}: the nodes have time steps and are split otherwise, so the model "
                "is trained on what came after its validation and test nodes, and the metrics are "
                "too good; split='time' keeps the order",
                SplitWarning,
                stacklevel=2,
            )
    _check(graph, split, bool(test) and kind != "given")
    return split, how if kind == "time" else kind


def split_again(graph: Graph, split: Split, how: str, seed: int) -> Split:
    """Splits the training nodes once more, for a model that chooses among models.

    The nodes of `split.val_mask` are left out, so that a threshold and probabilities can be made on
    nodes that took no part in the choice.

    Args:
        graph: with labels.
        split: of its nodes.
        how: as `split_nodes` returned it; by time, the last time steps validate.
        seed: of what is drawn.

    Raises:
        InputError: a part would be without one of the classes.
    """
    known = replace(graph, y=np.where(split.train_mask, graph.y, UNKNOWN), given={})
    if how.startswith("time"):
        return split_nodes(known, "time", INNER_SHARE, 0, seed)[0]
    inner = _at_random(known, "stratified", (INNER_SHARE, 0), seed)
    _check(known, inner, has_test=False)
    return inner


def _given(graph: Graph) -> Split:
    if "supervised" not in graph.given:
        raise InputError(f"{graph.label}: it comes without a split, so split='given' has none")
    return Split.from_parts(graph.given["supervised"][0])


def _at_random(graph: Graph, kind: str, shares: tuple[float, float], seed: int) -> Split:
    parts = np.zeros(len(graph.y), np.int8)
    rest = _labelled(graph)
    groups = _groups(graph)[1] if kind == "group" else None
    left = 1.0
    for number, share in ((2, shares[0]), (3, shares[1])):
        if share > 0:
            if groups is None:
                rest, taken = _draw(graph, rest, share / left, seed)
            else:
                draw = GroupShuffleSplit(1, test_size=share / left, random_state=seed)
                keep, take = next(draw.split(rest, groups=groups[rest]))
                rest, taken = rest[keep], rest[take]
            parts[taken] = number
            left -= share
    parts[rest] = 1
    return Split.from_parts(parts)


def _draw(graph: Graph, nodes: Index, share: float, seed: int) -> tuple[Index, Index]:
    try:
        parts = train_test_split(nodes, test_size=share, stratify=graph.y[nodes], random_state=seed)
    except ValueError as error:
        raise InputError(f"{graph.label}: too few labelled nodes to split ({error})") from None
    keep, take = (np.asarray(part) for part in parts)
    return keep, take


def _by_time(graph: Graph, steps: str, validation: float, test: float) -> tuple[Split, str]:
    if graph.time_step is None:
        raise InputError(
            f"{graph.label}: its nodes have no time step (the column time_step), so they cannot "
            "be split by time"
        )
    time, labelled = graph.time_step, graph.y != UNKNOWN
    if steps:
        try:
            first, last = (int(part) for part in steps.split(":"))
        except ValueError:
            raise InputError(
                f"split 'time={steps}': write time=T1:T2, such as time=25:34"
            ) from None
        if first >= last:
            raise InputError(f"split 'time={steps}': T1 must come before T2")
    else:
        known = np.sort(time[labelled])
        if len(known) == 0:
            raise InputError(f"{graph.label}: no node is labelled")
        shares = (1 - validation - test, 1 - test)
        first, last = (_step_at(known, share) for share in shares)
    train, val = labelled & (time <= first), labelled & (time > first) & (time <= last)
    return Split(train, val, labelled & (time > last)), f"time={first}:{last}"


def _step_at(steps: Index, share: float) -> int:
    """The last step of the first `share` of the nodes, given the sorted steps of all."""
    distinct, counts = np.unique(steps, return_counts=True)
    return int(distinct[np.abs(np.cumsum(counts) / len(steps) - share).argmin()])


def _check(graph: Graph, split: Split, has_test: bool) -> None:
    for part, mask in split.masks().items():
        if part == "test" and not has_test:
            continue
        for value, word in ((1, "anomalous"), (0, "normal")):
            if not (graph.y[mask] == value).any():
                raise InputError(
                    f"{graph.label}: no {word} node among the {int(mask.sum())} of the {part} "
                    "split, which needs both classes; give more labels or another split"
                )


def _labelled(graph: Graph) -> Index:
    nodes = np.flatnonzero(graph.y != UNKNOWN)
    if len(nodes) == 0:
        raise InputError(f"{graph.label}: no node is labelled, so there is nothing to learn from")
    return nodes


def _groups(graph: Graph) -> tuple[int, Index]:
    """The number of weakly connected components, and each node's [N]."""
    count, component = connected_components(graph.edges.to_scipy(), directed=False)
    largest = np.bincount(component[_labelled(graph)]).max() / len(_labelled(graph))
    if largest > MOST_IN_ONE:
        raise InputError(
            f"{graph.label}: {largest:.0%} of the labelled nodes are connected to each other, so "
            "no split by group keeps them apart; take split='stratified' or 'time'"
        )
    return int(count), component


@dataclass(frozen=True)
class GraphSplit:
    """Cross-validation over a graph's labelled nodes, with the interface of scikit-learn's.

    Nodes of unknown class are in no fold; they stay in the graph, which every fold sees whole.
    """

    by: str = "stratified"
    """stratified: at random, with the shares of the classes kept; time: each fold is tested on the
    time steps after those that it is trained on; group: connected accounts stay together."""
    n_splits: int = 5
    random_state: int | None = 0

    def split(
        self,
        X: Nodes,  # noqa: N803 (scikit-learn's name)
        y: Any = None,
        groups: Any = None,
    ) -> Iterator[tuple[Index, Index]]:
        """Yields rows of the training and of the test nodes of each fold.

        Args:
            X: nodes of a graph, see `as_nodes`.
            y: their labels [M]; by default the graph's.
            groups: with `by="group"`, a group of each node [M] in place of the connected ones.

        Raises:
            InputError: the nodes cannot be split in this way.
        """
        look_up(self.by, dict.fromkeys(WAYS), "split")
        if not isinstance(X, Nodes):
            raise InputError("a GraphSplit splits nodes of a graph: pass as_nodes(data)")
        labels = X.y if y is None else np.asarray(y)
        rows = np.flatnonzero(labels != UNKNOWN)
        if len(rows) == 0:
            raise InputError(f"{X.graph.label}: no node is labelled")
        try:
            for train, test in self._folds(X, rows, labels[rows], groups):
                yield rows[train], rows[test]
        except ValueError as error:
            raise InputError(f"{X.graph.label}: {error}") from None

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: N803
        """The number of folds; the arguments are not looked at."""
        return self.n_splits

    def _folds(
        self, nodes: Nodes, rows: Index, y: Index, groups: Any
    ) -> Iterator[tuple[Index, Index]]:
        shuffle: dict[str, Any] = {"shuffle": True, "random_state": self.random_state}
        if self.by == "stratified":
            yield from StratifiedKFold(self.n_splits, **shuffle).split(rows, y)
        elif self.by == "group":
            of = _groups(nodes.graph)[1][nodes.index] if groups is None else np.asarray(groups)
            folds = StratifiedGroupKFold(self.n_splits, **shuffle)
            yield from folds.split(rows, y, of[rows])
        else:
            if nodes.graph.time_step is None:
                raise InputError(f"{nodes.graph.label}: its nodes have no time step")
            time = nodes.graph.time_step[nodes.index][rows]
            steps = np.unique(time)
            for train, test in TimeSeriesSplit(self.n_splits).split(steps):
                yield (
                    np.flatnonzero(np.isin(time, steps[train])),
                    np.flatnonzero(np.isin(time, steps[test])),
                )
