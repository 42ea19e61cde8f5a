"""The graphs that PyGOD publishes as a PyG `Data` in a .pt file: reddit and weibo."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aiec_graph.data.cards import find_file, read_card
from aiec_graph.data.graph import Graph
from aiec_graph.data.safe_load import read_torch
from aiec_graph.errors import InputError


def load(name: str, folder: Path) -> Graph:
    """Loads `<name>.pt`, or the zip that it is published in.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    path = find_file(read_card(name), folder, f"{name}.pt", f"{name}.pt.zip", f"{name}.zip")
    data = read_torch(path)
    x, edge_index, labels = (_tensor(path, data, key) for key in ("x", "edge_index", "y"))
    if labels.shape not in ((len(x),), (len(x), 1)):
        raise InputError(f"{path}: y must hold a label a node, not {list(labels.shape)}")
    y = labels.double().flatten().numpy()
    if not np.isin(y, (0, 1)).all():
        raise InputError(f"{path}: y must hold 0 (normal) and 1 (anomalous) only")
    if edge_index.is_floating_point() or edge_index.dtype == torch.bool:
        raise InputError(f"{path}: edge_index must hold integers")
    return Graph(
        name=name,
        x=x.to(torch.float32).contiguous(),
        edge_index=edge_index.to(torch.int64),
        y=y.astype(np.int64),
        node_ids=np.arange(len(y)),
    )


def _tensor(path: Path, data: object, key: str) -> Tensor:
    value = getattr(data, key, None)
    if not isinstance(value, Tensor):
        raise InputError(f"{path}: must hold a PyG Data with x, edge_index and y; no {key} in it")
    plain = value.layout == torch.strided and value.device.type == "cpu" and value.dim() > 0
    if not plain or value.is_complex() or value.is_quantized:
        raise InputError(f"{path}: {key} must be a dense tensor of real numbers")
    return value.detach()
