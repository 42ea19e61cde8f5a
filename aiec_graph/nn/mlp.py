"""The network without a graph: what a node's own columns give by themselves."""

from torch import Tensor, nn

from aiec_graph.nn.adjacency import Neighbourhoods, prepare
from aiec_graph.nn.dense import linear
from aiec_graph.nn.networks import GNN


class OwnConv(nn.Module):
    """x' = x W + b: a layer with the arguments of a convolution that looks at no neighbour.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        constant_input: has no effect.

    Shape:
        x [N, in_channels], edge_index as for the other layers; the output is [N, out_channels],
        through ReLU where `relu` asks for it.
    """

    def __init__(self, in_channels: int, out_channels: int, constant_input: bool = False) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.lin = nn.Linear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        self.lin.reset_parameters()

    def forward(
        self, x: Tensor, edge_index: Tensor | Neighbourhoods, *, relu: bool = False
    ) -> Tensor:
        adjacency = prepare(edge_index, x.shape[0])
        rows = adjacency.targets
        x = x[: adjacency.num_targets] if rows is None else x[rows]
        return linear(x, self.lin.weight, self.lin.bias, relu=relu)

    def __repr__(self) -> str:
        return f"OwnConv({self.in_channels}, {self.out_channels})"


class MLP(GNN):
    """Multi-layer perceptron on each node's own columns; the arguments are `GNN`'s."""

    conv = OwnConv
