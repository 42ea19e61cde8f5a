"""The peers: stock layers of PyG and DGL in the protocol's shape, in a plain training loop.

The loop is what a careful user writes: labelled rows by index, class-weighted loss, torch's Adam,
and validation AP by scikit-learn from the training forward, which spares it a second one.
"""

import os

os.environ.setdefault("DGLBACKEND", "pytorch")

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torch_geometric.nn as pyg
from graphs import Case
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch_geometric import EdgeIndex

from aiec_graph.metrics import AveragePrecision, average_precision
from aiec_graph.train import FullBatch, TrainSettings, build_model

HIDDEN = 32
MODELS = ("gcn", "sage-mean", "sage-pool")
HAS_DGL = importlib.util.find_spec("dgl") is not None


class Stack(nn.Module):
    """Two layers with ReLU and a linear head; `graph` is whatever the layers take."""

    def __init__(self, layers: list[nn.Module], graph_first: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.lin = nn.Linear(HIDDEN, 2)
        self.graph_first = graph_first

    def forward(self, x: Tensor, graph: object) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(graph, x) if self.graph_first else layer(x, graph))
        return self.lin(x)


def pyg_stack(model: str, in_channels: int, cached: bool = False) -> Stack:
    widths = [(in_channels, HIDDEN), (HIDDEN, HIDDEN)]
    if model == "gcn":
        # The graph has its self-loops already.
        layers = [pyg.GCNConv(i, o, add_self_loops=False, cached=cached) for i, o in widths]
    elif model == "sage-mean":
        layers = [pyg.SAGEConv(i, o) for i, o in widths]
    else:
        layers = [pyg.SAGEConv(i, o, aggr="max", project=True) for i, o in widths]
    return Stack([*layers], False)


def dgl_stack(model: str, in_channels: int) -> Stack:
    from dgl.nn.pytorch import GraphConv, SAGEConv

    widths = [(in_channels, HIDDEN), (HIDDEN, HIDDEN)]
    if model == "gcn":
        return Stack([GraphConv(i, o) for i, o in widths], True)
    return Stack([SAGEConv(i, o, model.removeprefix("sage-")) for i, o in widths], True)


def dgl_graph(case: Case) -> Any:
    import dgl

    source, target = case.edges
    graph = dgl.graph((source, target), num_nodes=len(case.graph.y))
    graph.create_formats_()
    return graph


def adj_t(case: Case) -> Tensor:
    """PyG's sparse adjacency: a torch CSR matrix with the targets as rows."""
    csr = case.prepared.adjacency.csr
    parts = csr.indptr.astype(np.int64), csr.indices.astype(np.int64), csr.data.astype(np.float32)
    crow, column, values = map(torch.from_numpy, parts)
    return torch.sparse_csr_tensor(crow, column, values, csr.shape)


def edge_index_class(case: Case) -> EdgeIndex:
    nodes = len(case.graph.y)
    edges = EdgeIndex(case.edges, sparse_size=(nodes, nodes))  # pyright: ignore
    return edges.sort_by("col").values.fill_cache_()


class PeerLoop:
    """A peer's network in the plain loop; `structure` is the graph, on any device."""

    def __init__(
        self, network: nn.Module, structure: Any, case: Case, device: str, tuned: bool = False
    ) -> None:
        self.network, self.structure = network.to(device), structure.to(device)
        self.x, self.weight = case.graph.x.to(device), case.class_weight.to(device)
        split = case.split
        self.train, self.val = (
            torch.from_numpy(np.flatnonzero(m)).to(device)
            for m in (split.train_mask, split.val_mask)
        )
        self.y = torch.from_numpy(case.graph.y).to(device)[self.train]
        self.y_val = case.graph.y[split.val_mask]
        self.ap = average_precision if tuned else average_precision_score
        self.optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=tuned or None)

    def forward(self) -> Tensor:
        return self.network(self.x, self.structure)

    def step(self) -> Tensor:
        logits = self.forward()
        loss = F.cross_entropy(logits[self.train], self.y, self.weight)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return logits.detach()

    def epoch(self) -> None:
        logits = self.step()
        self.ap(self.y_val, logits[self.val].softmax(1)[:, 1].cpu().numpy())


class OwnLoop:
    """The project's own training loop."""

    def __init__(self, model: str, act: str, case: Case, device: str) -> None:
        name, _, aggr = model.partition("-")
        settings = TrainSettings(hidden=HIDDEN, aggr=aggr or "pool", device=device)
        x = case.graph.x
        network = build_model(name, act, x.shape[1], settings)
        self.run = FullBatch(case.prepared, case.split, network, x, settings)
        self.run.shares_passes = True
        self.ap = AveragePrecision(self.run.y_val)

    def step(self) -> None:
        """As training makes it: backward and Adam first, then the forward pass of the next."""
        self.run.train_epoch()
        self.run.validate()

    def epoch(self) -> None:
        self.run.train_epoch()
        self.ap(self.run.validate())


Loop = PeerLoop | OwnLoop

OWN, AIEC = "aiec_graph, ReLU", "aiec_graph, AIEC"
DGL, DGL_TUNED = "DGL", "DGL, our Adam and AP"
EDGE_INDEX, CSR, CACHED, CLASS = (
    "PyG, edge_index",
    "PyG, torch CSR",
    "PyG, torch CSR, cached norm",
    "PyG, EdgeIndex",
)


def contestants(model: str, case: Case, device: str) -> dict[str, Callable[[], Loop]]:
    """What makes each contestant's loop; nothing is built before it is called.

    DGL is among them where it is installed, and on a GPU where it was built for one.
    """
    features = case.graph.x.shape[1]

    def dgl_loop(tuned: bool) -> Loop:
        return PeerLoop(dgl_stack(model, features), dgl_graph(case), case, device, tuned)

    def pyg_loop(structure: Callable[[Case], object], cached: bool = False) -> Loop:
        return PeerLoop(pyg_stack(model, features, cached), structure(case), case, device)

    found: dict[str, Callable[[], Loop]] = {
        OWN: lambda: OwnLoop(model, "relu", case, device),
        AIEC: lambda: OwnLoop(model, "aiec", case, device),
        DGL: lambda: dgl_loop(False),
        DGL_TUNED: lambda: dgl_loop(True),
        CSR: lambda: pyg_loop(adj_t),
        CLASS: lambda: pyg_loop(edge_index_class),
        EDGE_INDEX: lambda: pyg_loop(lambda case: case.edges),
    }
    if model == "gcn":
        found[CACHED] = lambda: pyg_loop(adj_t, True)
    if not HAS_DGL:
        del found[DGL], found[DGL_TUNED]
    return found
