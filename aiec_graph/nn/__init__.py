"""Graph layers and networks on prepared adjacencies, with the names and arguments of PyG."""

from aiec_graph.nn.adjacency import Adjacency
from aiec_graph.nn.blocks import Block
from aiec_graph.nn.bwgnn import BWGNN, BetaWaveletConv
from aiec_graph.nn.convert import convert
from aiec_graph.nn.gat import GAT, GATConv
from aiec_graph.nn.gcn_conv import GCNConv
from aiec_graph.nn.gin import GIN, GINConv
from aiec_graph.nn.mlp import MLP
from aiec_graph.nn.networks import GCN, NORMS, GraphSAGE
from aiec_graph.nn.propagate import Neighbourhoods
from aiec_graph.nn.sage_conv import AGGREGATORS, SAGEConv

__all__ = [
    "AGGREGATORS",
    "BWGNN",
    "GAT",
    "GCN",
    "GIN",
    "MLP",
    "NORMS",
    "Adjacency",
    "BetaWaveletConv",
    "Block",
    "GATConv",
    "GCNConv",
    "GINConv",
    "GraphSAGE",
    "Neighbourhoods",
    "SAGEConv",
    "convert",
]
