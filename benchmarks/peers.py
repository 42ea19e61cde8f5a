"""The peers' networks, built from their stock layers in the protocol's shape."""

import os

os.environ.setdefault("DGLBACKEND", "pytorch")

import dgl
import torch
import torch.nn.functional as F
import torch_geometric.nn as pyg
from dgl.nn.pytorch import GraphConv
from dgl.nn.pytorch import SAGEConv as DGLSAGEConv
from torch import Tensor, nn

HIDDEN = 32


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


def pyg_stack(model: str, in_channels: int) -> Stack:
    widths = [(in_channels, HIDDEN), (HIDDEN, HIDDEN)]
    if model == "gcn":
        # The graph has its self-loops already.
        return Stack([pyg.GCNConv(i, o, add_self_loops=False) for i, o in widths], False)
    layers = [pyg.SAGEConv(i, o, aggr="max", project=True) for i, o in widths]
    return Stack([*layers], False)


def dgl_stack(model: str, in_channels: int) -> Stack:
    widths = [(in_channels, HIDDEN), (HIDDEN, HIDDEN)]
    if model == "gcn":
        return Stack([GraphConv(i, o) for i, o in widths], True)
    return Stack([DGLSAGEConv(i, o, "pool") for i, o in widths], True)


def merged_edges(edge_index: Tensor, num_nodes: int) -> Tensor:
    """The protocol's edges: duplicates merged, a self-loop at each node."""
    loops = torch.arange(num_nodes).repeat(2, 1)
    return torch.cat([edge_index[:, edge_index[0] != edge_index[1]], loops], 1).unique(dim=1)


def dgl_graph(edges: Tensor, num_nodes: int) -> "dgl.DGLGraph":
    graph = dgl.graph((edges[0], edges[1]), num_nodes=num_nodes)
    graph.create_formats_()
    return graph
