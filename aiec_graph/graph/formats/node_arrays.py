"""From the arrays that a graph file holds to a checked graph: features, labels and masks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.errors import InputError, named
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.options import FileOptions
from aiec_graph.graph.graph import NO_PART, TRAIN, UNKNOWN, VAL, Graph, to_parts
from aiec_graph.wording import listed

FEATURE_NAMES = ("feature", "feat", "x", "node_features")
LABEL_NAMES = ("label", "y", "node_labels")
MASK_NAMES = {
    "train": ("train_mask", "train_masks", "train_idx"),
    "val": (
        *("val_mask", "val_masks", "valid_mask", "valid_masks", "validation_mask"),
        *("val_idx", "valid_idx"),
    ),
    "test": ("test_mask", "test_masks", "test_idx"),
}
GADBENCH_TRIALS = 20
"""Number of masks in a GADBench file: 10 fully supervised, then 10 semi-supervised."""
MOST_NAMED = 5
VALIDATION_SHARE = 1 / 3
"""Of the training nodes, where a file has no mask for validation."""

Arrays = Mapping[str, NDArray[Any]]
_WORDS = {"true": 1.0, "false": 0.0}


def first_of(arrays: Arrays, names: Iterable[str], path: Path) -> NDArray[Any]:
    """Returns the first of `names` in `arrays`.

    Raises:
        InputError: none of them is there.
    """
    for name in names:
        if name in arrays:
            return arrays[name]
    raise InputError(f"{path}: no {' or '.join(names)} in it; found {listed(arrays)}")


def tell_unused(graph: Graph, names: Iterable[str], hint: str) -> Graph:
    """Notes on a graph which arrays of its file play no part in it.

    Args:
        graph: is not changed.
        names: of the arrays.
        hint: what takes their place.
    """
    unused = set(names)
    if not unused:
        return graph
    line = f"not used: {listed(unused, MOST_NAMED)}; {hint}"
    return replace(graph, notes=(*graph.notes, line), trusted=True)


def make_graph(
    name: str,
    path: Path,
    features: NDArray[Any],
    labels: NDArray[Any],
    edges: Edges,
    arrays: Arrays,
    options: FileOptions,
) -> Graph:
    """Checks what a file held and makes a graph of it.

    Args:
        name: of the graph.
        path: the file, for messages.
        features: [N, F], of any real type.
        labels: [N], [N, 1], or one-hot [N, 2]; NaN means unknown, and all else what `options` say.
        edges: over the N nodes.
        arrays: where the masks [N] or [N, trials] of `MASK_NAMES` may be, as 0 and 1 for each node
            or as the numbers of the nodes. Where validation has none, a third of the training
            nodes is drawn for it. A node of no mask is of unknown class.
        options: what the labels mean.

    Raises:
        InputError: a shape, type or value is not as it should be; names the file.
    """
    nodes = len(features) if features.ndim else 0
    if features.ndim != 2 or features.dtype.kind not in "fiub":
        raise InputError(
            f"{path}: features must be real numbers [N, F], not {features.dtype} in the shape "
            f"{list(features.shape)}"
        )
    masks = _masks(path, arrays, nodes)
    y, dropped = _labels(path, labels, nodes, options, _unmasked(masks, nodes))
    with np.errstate(over="ignore"):  # too large for float32 is not finite, which is checked
        x = np.require(features, np.float32, ["C", "A", "W"])
    with named(path):
        given, notes = _split(masks, y)
        if dropped:
            notes += (f"labelled nodes that stand in no mask count as unknown: {dropped:,}",)
        return Graph(
            name=name,
            x=torch.from_numpy(x),
            edges=edges,
            y=y,
            node_ids=np.arange(nodes),
            given=given,
            notes=notes,
        )


def _labels(
    path: Path,
    labels: NDArray[Any],
    nodes: int,
    options: FileOptions,
    unmasked: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], int]:
    """The labels [N], and how many are left out because their node stands in no mask."""
    if labels.dtype.kind not in "fiub":
        raise InputError(f"{path}: labels must be numbers, not {labels.dtype}")
    values = labels.astype(np.float64)
    if values.shape == (nodes, 2):
        values = _from_one_hot(path, values)
    if values.shape not in ((nodes,), (nodes, 1)):
        raise InputError(
            f"{path}: labels must hold a label a node or be one-hot [N, 2], not "
            f"{list(labels.shape)} for {nodes} nodes"
        )
    values = values.ravel()
    y = np.full(nodes, UNKNOWN - 1)
    for words, meaning in (
        (options.unknown, UNKNOWN),
        (options.normal, 0),
        (options.anomalous, 1),
    ):
        y[np.isin(values, _numbers(words))] = meaning
    dropped = int((np.isin(y, (0, 1)) & unmasked).sum())
    y[np.isnan(values) | unmasked] = UNKNOWN
    wrong = np.flatnonzero(y < UNKNOWN)
    if len(wrong):
        found = ", ".join(f"{value:g}" for value in np.unique(values[wrong])[:5])
        known = _listed(options.anomalous)
        ways = "write these numbers instead"
        if options.yaml:
            ways = (
                f"say what others mean in {options.yaml}, such as 'anomalous: [{known}, {found}]', "
                "or normal: or unknown:, listing every number of that meaning"
            )
        raise InputError(
            f"{path}: node {wrong[0]} has the label {values[wrong[0]]:g}; expected "
            f"{_listed(options.normal)} (normal) or {known} (anomalous), and "
            f"{_listed(options.unknown)} or NaN for unknown; {ways}"
        )
    return y, dropped


def _listed(words: Iterable[str]) -> str:
    numbers = [word for word in words if word not in _WORDS and np.isfinite(_numbers([word])).any()]
    return ", ".join(numbers) or "none"


def _numbers(words: Iterable[str]) -> list[float]:
    numbers = []
    for word in words:
        try:
            numbers.append(_WORDS[word] if word in _WORDS else float(word))
        except ValueError:  # a word, which no number equals
            continue
    return numbers


def _from_one_hot(path: Path, values: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = np.isnan(values).any(axis=1)
    sound = np.isin(values, (0, 1)).all(axis=1) & (values.sum(axis=1) == 1)
    wrong = np.flatnonzero(~(sound | missing))
    if len(wrong):
        row = ", ".join(f"{value:g}" for value in values[wrong[0]])
        raise InputError(
            f"{path}: node {wrong[0]} has the label [{row}]; labels [N, 2] must be one-hot: "
            f"[1, 0] normal, [0, 1] anomalous ({len(wrong)} such in all)"
        )
    return np.where(missing, np.nan, values[:, 1])


def _unmasked(masks: dict[str, NDArray[np.bool_]], nodes: int) -> NDArray[np.bool_]:
    """Which nodes [N] stand in no mask of any trial, where there are masks."""
    if not masks:
        return np.zeros(nodes, bool)
    return ~np.any([mask.any(axis=1) for mask in masks.values()], axis=0)


def _masks(path: Path, arrays: Arrays, nodes: int) -> dict[str, NDArray[np.bool_]]:
    """The masks [N, trials] by train, val and test; empty where a file has none."""
    masks = {}
    for part, names in MASK_NAMES.items():
        found = [name for name in names if name in arrays]
        if len(found) > 1:
            raise InputError(f"{path}: both {found[0]} and {found[1]} are there; keep one")
        if found:
            masks[part] = _mask(path, found[0], np.asarray(arrays[found[0]]), nodes)
    if masks and not {"train", "test"} <= set(masks):
        raise InputError(
            f"{path}: a {next(iter(masks))}_mask is there, but not all of train_mask, val_mask, "
            "test_mask; only the one for validation may be missing"
        )
    return masks


def _mask(path: Path, name: str, mask: NDArray[Any], nodes: int) -> NDArray[np.bool_]:
    if mask.dtype.kind not in "biuf" or mask.ndim not in (1, 2):
        raise InputError(f"{path}: {name} must hold 0 or 1 for each node and trial")
    if len(mask) == nodes and np.isin(mask, (0, 1)).all():
        return mask.astype(bool).reshape(nodes, -1)
    is_list = mask.ndim == 1 and mask.dtype.kind in "iu" and len(mask) < nodes
    if is_list and len(np.unique(mask)) == len(mask) and ((mask >= 0) & (mask < nodes)).all():
        chosen = np.zeros((nodes, 1), bool)
        chosen[mask] = True
        return chosen
    raise InputError(
        f"{path}: {name} must hold 0 or 1 for each node and trial, or the numbers of its nodes"
    )


def _split(
    masks: dict[str, NDArray[np.bool_]], y: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.int8]], tuple[str, ...]]:
    """The predefined splits, without nodes of unknown class, and what is to be said of them."""
    if not masks:
        return {}, ()
    notes = ()
    empty = np.zeros_like(masks["train"])
    parts = to_parts(masks["train"], masks.get("val", empty), masks["test"])
    parts[:, y == UNKNOWN] = NO_PART
    if "val" not in masks:
        for trial in parts:
            _draw_validation(trial, y)
        notes = ("no mask for validation: a third of the training nodes was drawn for it",)
    if len(parts) == GADBENCH_TRIALS:
        half = GADBENCH_TRIALS // 2
        return {"supervised": parts[:half], "semi": parts[half:]}, notes
    return {"supervised": parts}, notes


def _draw_validation(parts: NDArray[np.int8], y: NDArray[np.int64]) -> None:
    """Makes a third of the training nodes of each class those of validation, always the same."""
    rng = np.random.default_rng(0)
    for value in (0, 1):
        members = np.flatnonzero((parts == TRAIN) & (y == value))
        count = round(VALIDATION_SHARE * len(members))
        parts[rng.choice(members, count, replace=False)] = VAL
