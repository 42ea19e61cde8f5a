"""The graph convolution of Kipf and Welling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.nn.adjacency import Neighbourhoods, prepare
from aiec_graph.nn.dense import linear


class GCNConv(nn.Module):
    """x' = D^-½ (A + I) D^-½ x W + b (Kipf and Welling, 2017, eq. 2).

    Computes what `torch_geometric.nn.GCNConv` computes and has parameters of the same names, so
    state dicts carry over.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        bias: add b.
        add_self_loops: add a self-loop where a node has none.
        constant_input: the layer gets the same input tensor in every call, so it aggregates it
            once and keeps the result while the tensor is unchanged. For the first layer.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`),
        edge_weight [E] or None; the output is [N, out_channels], through ReLU where `relu` asks
        for it, which is cheaper than ReLU afterwards.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        add_self_loops: bool = True,
        constant_input: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.add_self_loops = add_self_loops
        self.constant_input = constant_input
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.lin.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighbourhoods,
        edge_weight: Tensor | None = None,
        *,
        relu: bool = False,
    ) -> Tensor:
        adjacency = prepare(edge_index, x.shape[0], edge_weight)
        form = "gcn" if self.add_self_loops else "gcn_no_loops"
        if self.constant_input or self.in_channels <= self.out_channels:
            out = adjacency.aggregate(x, form, constant=self.constant_input)
            return linear(out, self.lin.weight, self.bias, relu=relu)
        # The narrower side is the cheaper one to aggregate.
        out = adjacency.aggregate(linear(x, self.lin.weight, None), form)
        out = out if self.bias is None else out + self.bias
        return F.relu(out) if relu else out

    def __repr__(self) -> str:
        return f"GCNConv({self.in_channels}, {self.out_channels})"
