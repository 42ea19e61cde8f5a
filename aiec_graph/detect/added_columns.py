"""Columns that a detector makes of the graph, behind the nodes' own or in their place."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.data import Column, Graph
from aiec_graph.data.transforms.label_columns import label_columns
from aiec_graph.data.transforms.position import position_columns
from aiec_graph.data.transforms.preprocess import FEATURES
from aiec_graph.data.transforms.structural import spectral_columns
from aiec_graph.errors import InputError, did_you_mean, named

OWN, STRUCTURAL, LABELS, SPECTRAL = PARTS = ("own", "structural", "labels", "spectral")
"""The nodes' own columns; degrees, walks, core number, triangles and component; what the labels of
the training nodes around a node say; and its place in the spectrum of the graph."""
DIMENSIONS = 16
"""Of the spectrum."""
LOG = "log1p"
"""The notation of a column that holds log(1 + count)."""


def parse_features(text: str) -> tuple[str, tuple[str, ...]]:
    """The scaling of a network's inputs, and the parts that the columns are made of.

    Args:
        text: a name in `FEATURES`, which leaves a node's own columns; or names in `PARTS` with a
            plus between them, such as own+structural, which are standardised for networks.

    Raises:
        InputError: a name is unknown or there twice.
    """
    if text in FEATURES:
        return text, (OWN,)
    parts = tuple(text.split("+"))
    known = (*FEATURES, *PARTS)
    for part in parts:
        if part not in PARTS:
            raise InputError(
                f"unknown kind of features {part!r}.{did_you_mean(part, known)} Known: "
                f"{', '.join(FEATURES)}; or of {', '.join(PARTS)} one, or several with a plus "
                "between them, such as own+structural"
            )
    if len(set(parts)) < len(parts):
        raise InputError(f"features {text!r}: a part is there twice")
    return "standard", parts


def add_columns(
    graph: Graph,
    parts: tuple[str, ...],
    known: NDArray[np.bool_],
    has_directions: bool,
    seed: int,
) -> Graph:
    """The graph with columns made of its edges, and of labels, in the order of the parts.

    Args:
        graph: not changed.
        parts: names in `PARTS`.
        known: the training nodes, whose labels may be used [N]; see `label_columns`.
        has_directions: see `position_columns`.
        seed: of the folds of the labels, and of the algorithm of the spectrum.

    Raises:
        InputError: too few labels of a class are known.
    """
    values: list[torch.Tensor] = []
    columns: list[Column] = []
    for part in parts:
        if part == OWN:
            values.append(graph.x)
            own = graph.columns or tuple(Column(f"feature {i}") for i in range(graph.x.shape[1]))
            columns += own
            continue
        if part == STRUCTURAL:
            made, names = position_columns(graph.edges, has_directions)
        elif part == LABELS:
            with named(graph.label):
                made, names = label_columns(graph.edges, graph.y, known, seed)
        else:
            dimensions = min(DIMENSIONS, len(graph.y) - 1)
            made = spectral_columns(graph.edges, dimensions, seed)
            names = [f"spectrum {i + 1}" for i in range(dimensions)]
        values.append(torch.from_numpy(made))
        columns += [Column(name, notation=LOG * name.startswith("log ")) for name in names]
    return replace(graph, x=torch.cat(values, 1), columns=tuple(columns))
