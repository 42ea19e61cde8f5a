"""The network without a graph: what a node's own columns give by themselves."""

from torch import Tensor, nn

from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.networks import GNN
from aiec_graph.nn.propagate import Neighbourhoods, num_rows


class OwnConv(nn.Module):
    """x' = x W + b: a layer with the arguments of a convolution that looks at no neighbour.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.

    Shape:
        x [N, in_channels], edge_index as for the other layers; the output is [N, out_channels].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.lin = nn.Linear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        self.lin.reset_parameters()

    def forward(self, x: Tensor, edge_index: Tensor | Neighbourhoods) -> Tensor:
        return self.lin(prepare(edge_index, num_rows(x)).of_targets(x))

    def __repr__(self) -> str:
        return f"OwnConv({self.in_channels}, {self.out_channels})"


class MLP(GNN):
    """Multi-layer perceptron on each node's own columns; the arguments are `GNN`'s."""

    conv = OwnConv
