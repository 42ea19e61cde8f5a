"""GraphSAGE's convolution with its aggregators."""

import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.errors import look_up
from aiec_graph.nn.adjacency import Neighbourhoods, prepare
from aiec_graph.nn.dense import fork, linear

# The adjacency's form behind each aggregator.
AGGREGATORS = {"mean": "mean", "max": "max", "pool": "max", "gcn": "mean_with_self"}


class SAGEConv(nn.Module):
    """x'_i = W_1 · aggregate of x_j over in-neighbours j + b + W_2 x_i (Hamilton et al., 2017).

    Computes what `torch_geometric.nn.SAGEConv` computes (its `aggr="max", project=True` for
    "pool") and has parameters of the same names, so state dicts carry over. Edge weights, which
    PyG's layer does not take, enter only through an `Adjacency` that has them, and only the means.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        aggr: "mean"; "max", the channel-wise maximum; "pool", a linear layer and ReLU before the
            maximum; "gcn", the mean over neighbours and the node itself, without W_2.
        bias: add b.
        constant_input: the layer gets the same input tensor in every call, so it aggregates it
            once and keeps the result while the tensor is unchanged. For the first layer; "pool"
            learns before it aggregates and gains nothing.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`); the
        output is [N, out_channels], through ReLU where `relu` asks for it, which is cheaper than
        ReLU afterwards. A node without in-neighbours has an aggregate of 0.

    Raises:
        InputError: the aggregator is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        aggr: str = "mean",
        bias: bool = True,
        constant_input: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.aggr = aggr
        self.constant_input = constant_input and aggr != "pool"
        self._form = look_up(aggr, AGGREGATORS, "aggregator")
        self.lin = nn.Linear(in_channels, in_channels) if aggr == "pool" else None
        self.lin_l = nn.Linear(in_channels, out_channels, bias=bias)
        self.lin_r = None if aggr == "gcn" else nn.Linear(in_channels, out_channels, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for layer in (self.lin, self.lin_l, self.lin_r):
            if layer is not None:
                layer.reset_parameters()
                # As DGL's layer draws them, which the published benchmark runs on.
                nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("relu"))

    def forward(
        self, x: Tensor, edge_index: Tensor | Neighbourhoods, *, relu: bool = False
    ) -> Tensor:
        adjacency = prepare(edge_index, x.shape[0])
        # A mean commutes with the linear map: the narrower side is the cheaper one to aggregate.
        map_first = (
            self._form != "max" and not self.constant_input and self.in_channels > self.out_channels
        )
        weight, bias = self.lin_l.weight, self.lin_l.bias
        own, rows, of_own = None, adjacency.targets, None
        if self.lin_r is not None:
            of_own = self.lin_r.weight
            x, own = fork(x, adjacency.num_targets) if rows is None else (x, x)
        if not map_first:
            if self.lin is not None:
                out = adjacency.pool(x, self.lin.weight, self.lin.bias)
            else:
                out = adjacency.aggregate(x, self._form, constant=self.constant_input)
            return linear(out, weight, bias, own, rows, of_own, relu)
        out = adjacency.aggregate(linear(x, weight, None), self._form)
        if own is not None and of_own is not None:
            out = out + linear(own if rows is None else own[rows], of_own, bias)
        elif bias is not None:
            out = out + bias
        return F.relu(out) if relu else out

    def __repr__(self) -> str:
        return f"SAGEConv({self.in_channels}, {self.out_channels}, aggr={self.aggr!r})"
