"""Scores of nodes as a table."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data import Graph, Split
from aiec_graph.files import write_whole

MOST_AT_ONE_VALUE = 0.5
FEWEST_NODES = 10
SCORE_COLUMNS = ("node", "simulated", "label", "split", "score")


def score_frame(graph: Graph, split: Split | None, score: NDArray[np.floating]) -> pd.DataFrame:
    """Each node's id, label, part of the split if there is one, and score, one row a node."""
    part = np.full(len(score), "", dtype=object)
    for name, mask in split.masks().items() if split is not None else ():
        part[mask] = name
    label = pd.Series(graph.y).map({0: "normal", 1: "anomalous", -1: "unknown"})
    values = (graph.node_ids, graph.simulated is not None, label, part, score)
    return pd.DataFrame(dict(zip(SCORE_COLUMNS, values, strict=True)))


def explain_not_finite(graph: Graph, score: NDArray[np.floating]) -> str:
    """Says for how many nodes a model gives no finite score [N], and names the largest input."""
    x = np.abs(graph.x.numpy())
    node, column = np.unravel_index(np.nanargmax(x), x.shape)
    name = f"feature {column}" if graph.columns is None else graph.columns[column].name
    return (
        f"{graph.label}: the model gives no finite score for {int((~np.isfinite(score)).sum()):,} "
        f"of {len(score):,} nodes; the largest value is {name} of node {graph.node_ids[node]}, "
        f"{graph.x[node, column]:g}"
    )


def describe_weights(graph: Graph, had_weights: bool) -> str | None:
    """A line where edges have weights that those of the training had not, or the reverse."""
    if (graph.edges.weight is not None) == had_weights:
        return None
    now, before = ("no weights", "some") if had_weights else ("weights", "none")
    return f"the edges have {now}, and had {before} in the training data"


def describe_ties(score: NDArray[np.floating]) -> str | None:
    """A line where at least half of the nodes have exactly the same score [N]."""
    if len(score) < FEWEST_NODES:
        return None
    values, counts = np.unique(score, return_counts=True)
    most = int(counts.argmax())
    share = float(counts[most] / len(score))
    if share < MOST_AT_ONE_VALUE:
        return None
    word = {0: "the lowest", len(values) - 1: "the highest"}.get(most, "the same")
    return (
        f"{share:.0%} of the {len(score):,} nodes have exactly {word} score, {values[most]:.6g}: "
        "among them the order means nothing; look at the features and the model"
    )


def notes_of(out: Path) -> Path:
    """The text file with what is to be told about a table of scores."""
    return out.with_name(f"{out.stem}.notes.txt")


def write_notes(out: Path, lines: Iterable[str]) -> None:
    """Writes what is to be told about a table of scores beside it, a line each.

    Raises:
        InputError: the file cannot be written.
    """
    text = "".join(f"{line}\n" for line in (f"Notes on {out.name}", *lines))
    write_whole(notes_of(out), lambda path: path.write_text(text, encoding="utf-8"))
