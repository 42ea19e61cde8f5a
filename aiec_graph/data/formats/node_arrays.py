"""From the arrays that a graph file holds to a checked graph: features, labels and masks."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.data.edges import Edges
from aiec_graph.data.graph import NO_PART, UNKNOWN, Graph, to_parts
from aiec_graph.errors import InputError, named

FEATURE_NAMES = ("feature", "feat", "x", "node_features")
LABEL_NAMES = ("label", "y", "node_labels")
GADBENCH_TRIALS = 20
"""Number of masks in a GADBench file: 10 fully supervised, then 10 semi-supervised."""

Arrays = Mapping[str, NDArray[Any]]


def first_of(arrays: Arrays, names: Iterable[str], path: Path) -> NDArray[Any]:
    """The first of `names` in `arrays`.

    Raises:
        InputError: none of them is there.
    """
    for name in names:
        if name in arrays:
            return arrays[name]
    raise InputError(
        f"{path}: no {' or '.join(names)} in it; found {', '.join(sorted(arrays)) or 'nothing'}"
    )


def make_graph(
    name: str,
    path: Path,
    features: NDArray[Any],
    labels: NDArray[Any],
    edges: Edges,
    arrays: Arrays,
) -> Graph:
    """Checks what a file held and makes a graph of it.

    Args:
        name: of the graph.
        path: the file, for messages.
        features: [N, F], of any real type.
        labels: [N], [N, 1], or one-hot [N, 2]; -1 and NaN mean unknown.
        edges: over the N nodes.
        arrays: where `train_mask`, `val_mask` and `test_mask` [N], or their plurals [N, trials],
            may be.

    Raises:
        InputError: a shape, type or value is not as it should be; names the file.
    """
    nodes = len(features)
    if features.ndim != 2 or features.dtype.kind not in "fiub":
        raise InputError(
            f"{path}: features must be real numbers [N, F], not {features.dtype} in the shape "
            f"{list(features.shape)}"
        )
    given = _masks(path, arrays, nodes)
    y = _labels(path, labels, nodes)
    if given:
        unmasked = np.all([(parts == NO_PART).all(axis=0) for parts in given.values()], axis=0)
        y[unmasked] = UNKNOWN
    wrong = np.flatnonzero(~np.isin(y, (UNKNOWN, 0, 1)))
    if len(wrong):
        raise InputError(
            f"{path}: node {wrong[0]} has the label {y[wrong[0]]}; expected 0 (normal) or 1 "
            "(anomalous), and -1 or NaN for unknown"
        )
    with np.errstate(over="ignore"):  # too large for float32 is not finite, which is checked
        x = np.ascontiguousarray(features, dtype=np.float32)
    with named(path):
        return Graph(
            name=name,
            x=torch.from_numpy(x if x.flags.writeable else x.copy()),
            edges=edges,
            y=y,
            node_ids=np.arange(nodes),
            given=given,
        )


def _labels(path: Path, labels: NDArray[Any], nodes: int) -> NDArray[np.int64]:
    if labels.dtype.kind not in "fiub":
        raise InputError(f"{path}: labels must be numbers, not {labels.dtype}")
    values = labels.astype(np.float64)
    if values.shape == (nodes, 2):
        if not (np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()):
            raise InputError(f"{path}: labels [N, 2] must be one-hot: normal, anomalous")
        values = values[:, 1]
    if values.shape not in ((nodes,), (nodes, 1)):
        raise InputError(
            f"{path}: labels must hold a label a node or be one-hot [N, 2], not "
            f"{list(labels.shape)} for {nodes} nodes"
        )
    values = np.where(np.isnan(values), UNKNOWN, values).ravel()
    if not (values == np.rint(values)).all() or np.abs(values).max(initial=0) > 2**31:
        raise InputError(f"{path}: labels must be 0 (normal) and 1 (anomalous), found fractions")
    return values.astype(np.int64)


def _masks(path: Path, arrays: Arrays, nodes: int) -> dict[str, NDArray[np.int8]]:
    for ending in ("masks", "mask"):
        names = [f"{part}_{ending}" for part in ("train", "val", "test")]
        found = [name for name in names if name in arrays]
        if not found:
            continue
        if len(found) < len(names):
            raise InputError(f"{path}: {found[0]} is there, but not all of {', '.join(names)}")
        masks = [np.asarray(arrays[name]) for name in names]
        for name, mask in zip(names, masks, strict=True):
            if mask.ndim not in (1, 2) or len(mask) != nodes or not np.isin(mask, (0, 1)).all():
                raise InputError(f"{path}: {name} must hold 0 or 1 for each node and trial")
        with named(path):
            parts = to_parts(*masks)
        if len(parts) == GADBENCH_TRIALS:
            half = GADBENCH_TRIALS // 2
            return {"supervised": parts[:half], "semi": parts[half:]}
        return {"supervised": parts}
    return {}
