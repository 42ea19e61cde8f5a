"""GraphSAGE's convolution with its aggregators."""

import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.errors import look_up
from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.propagate import Neighbourhoods, num_rows

# The adjacency's normalisation behind each aggregator.
AGGREGATORS = {"mean": "mean", "max": "max", "pool": "max", "gcn": "mean_with_self"}


class SAGEConv(nn.Module):
    """x'_i = W_1 · aggregate of x_j over in-neighbours j + b + W_2 x_i (Hamilton et al., 2017).

    Computes what `torch_geometric.nn.SAGEConv` computes (its `aggr="max", project=True` for
    "pool") and has parameters of the same names, so state dicts carry over. Edge weights, which
    PyG's layer does not take, enter only through an `Adjacency` that has them, and only the means.
    Of equal maxima the first neighbour's gets the whole gradient.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        aggr: "mean"; "max", the channel-wise maximum; "pool", a linear layer and ReLU before the
            maximum; "gcn", the mean over neighbours and the node itself, without W_2.
        bias: add b.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`); the
        output is [N, out_channels]. A node without in-neighbours has an aggregate of 0.

    Raises:
        InputError: the aggregator is unknown.
    """

    def __init__(
        self, in_channels: int, out_channels: int, aggr: str = "mean", bias: bool = True
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.aggr = aggr
        self.normalisation = look_up(aggr, AGGREGATORS, "aggregator")
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

    @property
    def aggregates_input(self) -> bool:
        """Whether the input is aggregated before anything is learned."""
        return self.lin is None

    def aggregate(self, x: Tensor, neighbourhoods: Neighbourhoods) -> Tensor | None:
        """Aggregates x, which `forward` then need not do; for an input that stays the same.

        Returns:
            [num_targets, in_channels]; None for "pool", which learns before it aggregates.
        """
        if not self.aggregates_input:
            return None
        return neighbourhoods.aggregate(x, self.normalisation, keep=False)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighbourhoods,
        *,
        aggregated: Tensor | None = None,
    ) -> Tensor:
        """Computes the layer; `aggregated` is what `aggregate` gave for the same x and graph."""
        neighbourhoods = prepare(edge_index, num_rows(x))
        if aggregated is None:
            projected = x if self.lin is None else F.relu(self.lin(x))
            aggregated = neighbourhoods.aggregate(projected, self.normalisation)
        out = self.lin_l(aggregated)
        return out if self.lin_r is None else out + self.lin_r(neighbourhoods.of_targets(x))

    def __repr__(self) -> str:
        return f"SAGEConv({self.in_channels}, {self.out_channels}, aggr={self.aggr!r})"
