"""Splits by the GADBench protocol, fully and semi-supervised, and whether they can be used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from aiec_graph.errors import InputError, look_up
from aiec_graph.graph.graph import UNKNOWN, Graph, Split

SPLITS = ("supervised", "semi")
SEMI_ANOMALOUS, SEMI_NORMAL = 20, 80
NO_LABELS = (
    "In a graph of your own, labels stand in the column label of nodes.csv or, of transactions, of "
    "accounts.csv; graph.yaml can name others: see docs/guides/own-graphs.md"
)


def make_split(
    graph: Graph, kind: str, seed: int, fractions: tuple[float, float], trial: int = 0
) -> Split:
    """Makes the split of one trial.

    Args:
        graph: the data set.
        kind: "supervised": the split that the data set comes with, else a stratified one over the
            labelled nodes; "semi": likewise, else 20 anomalous and 80 normal nodes to train on and
            as many to validate on, the rest to test on (within the given supervised split, where
            there is one).
        seed: of the random draw; a given split does not depend on it.
        fractions: shares of the training and validation nodes in a stratified split.
        trial: which of the given splits to take, where the data set comes with several; after the
            last, the first again.

    Raises:
        InputError: a part would be without an anomalous or without a normal node.
    """
    look_up(kind, dict.fromkeys(SPLITS), "split")
    given = {k: Split.from_parts(parts[trial % len(parts)]) for k, parts in graph.given.items()}
    if kind in given:
        split = given[kind]
    elif kind == "supervised":
        split = _stratified(graph, seed, fractions)
    else:
        split = _semi_supervised(graph, seed, given.get("supervised"))
    for part, mask in split.masks().items():
        for value, word in ((1, "anomalous"), (0, "normal")):
            if not (graph.y[mask] == value).any():
                raise InputError(
                    f"{graph.label}: no {word} node among the {int(mask.sum())} of the {part} "
                    f"split; each of train, val and test needs both classes"
                )
    return split


def _stratified(graph: Graph, seed: int, fractions: tuple[float, float]) -> Split:
    labelled = np.flatnonzero(graph.y != UNKNOWN)
    for value, word in ((1, "anomalous"), (0, "normal")):
        count = int((graph.y == value).sum())
        if count < 3:
            are = "node is" if count == 1 else "nodes are"
            raise InputError(
                f"{graph.label}: {count} {word} {are} labelled; a split into train, val and "
                "test needs at least 3" + ("" if count else f". {NO_LABELS}")
            )
    train_share, val_share = fractions
    try:
        train, rest = train_test_split(
            labelled, train_size=train_share, stratify=graph.y[labelled], random_state=seed
        )
        of_rest = val_share / (1 - train_share)
        val, test = train_test_split(
            rest, train_size=of_rest, stratify=graph.y[rest], random_state=seed
        )
    except ValueError as error:
        raise InputError(f"{graph.label}: too few labelled nodes to split ({error})") from None
    return Split(*(_mask(len(graph.y), part) for part in (train, val, test)))


def _semi_supervised(graph: Graph, seed: int, given: Split | None) -> Split:
    rng = np.random.default_rng(seed)
    labelled = graph.y != UNKNOWN
    train_pool = labelled if given is None else given.train_mask
    train = _draw(graph, train_pool, rng)
    val = _draw(graph, (labelled if given is None else given.val_mask) & ~train, rng)
    test = labelled & ~train & ~val if given is None else given.test_mask
    return Split(train, val, test)


def _draw(graph: Graph, pool: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    drawn = []
    for value, wanted, word in ((1, SEMI_ANOMALOUS, "anomalous"), (0, SEMI_NORMAL, "normal")):
        candidates = np.flatnonzero(pool & (graph.y == value))
        if len(candidates) < wanted:
            raise InputError(
                f"{graph.label}: a semi-supervised split needs {wanted} {word} nodes in its pool, "
                f"there are {len(candidates)}"
            )
        drawn.append(rng.choice(candidates, wanted, replace=False))
    return _mask(len(graph.y), np.concatenate(drawn))


def _mask(nodes: int, index: Any) -> NDArray[np.bool_]:
    mask = np.zeros(nodes, dtype=bool)
    mask[index] = True
    return mask
