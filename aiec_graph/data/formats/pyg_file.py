"""A PyG `Data` in a .pt file, or in a zip that holds one, such as PyGOD publishes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.data.edges import Edges
from aiec_graph.data.formats.node_arrays import make_graph
from aiec_graph.data.graph import Graph
from aiec_graph.data.storage.safe_load import read_torch
from aiec_graph.errors import InputError, named

MASKS = ("train_mask", "val_mask", "test_mask")


def read(name: str, path: Path) -> Graph:
    """Reads `x`, `edge_index`, `y`, and `edge_weight` and the masks where there are any.

    Raises:
        InputError: the file is damaged or holds something else.
    """
    return from_data(name, read_torch(path), path)


def from_data(name: str, data: object, path: Path) -> Graph:
    """Makes a graph of a PyG `Data`.

    Args:
        name: of the graph.
        data: with `x` [N, F], `edge_index` [2, E] and `y` [N].
        path: where it is from, for messages.

    Raises:
        InputError: a part is missing or not as it should be.
    """
    x, pairs, labels = (_array(path, data, key) for key in ("x", "edge_index", "y"))
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or len(pairs) != 2:
        raise InputError(f"{path}: edge_index must hold integers in the shape [2, E]")
    weight = None
    if getattr(data, "edge_weight", None) is not None:
        weight = _array(path, data, "edge_weight").astype(np.float64)
        if weight.shape != pairs[0].shape or not (np.isfinite(weight) & (weight >= 0)).all():
            raise InputError(f"{path}: edge_weight must hold a number from 0 up for each edge")
    if x.ndim != 2:
        raise InputError(f"{path}: x must have the shape [N, F], not {list(x.shape)}")
    with named(path):
        edges = Edges.from_pairs(pairs[0], pairs[1], len(x), weight)
    masks = {k: _array(path, data, k) for k in MASKS if getattr(data, k, None) is not None}
    return make_graph(name, path, x, labels, edges, masks)


def _array(path: Path, data: object, key: str) -> NDArray[Any]:
    value = getattr(data, key, None)
    if not isinstance(value, Tensor):
        raise InputError(f"{path}: must hold a PyG Data with x, edge_index and y; no {key} in it")
    plain = value.layout == torch.strided and value.device.type == "cpu" and value.dim() > 0
    if not plain or value.is_complex() or value.is_quantized:
        raise InputError(f"{path}: {key} must be a dense tensor of real numbers")
    value = value.detach()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
