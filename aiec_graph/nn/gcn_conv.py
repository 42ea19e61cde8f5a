"""The graph convolution of Kipf and Welling."""

import torch
from torch import Tensor, nn

from aiec_graph.errors import look_up
from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.propagate import Neighbourhoods, num_rows

DEGREES = {"in": "gcn", "out_in": "gcn_out_in"}
"""Which degrees GCN divides by, and the normalisation of the adjacency behind each."""


class GCNConv(nn.Module):
    """x' = D^-½ (A + I) D^-½ x W + b (Kipf and Welling, 2017, eq. 2).

    Computes what `torch_geometric.nn.GCNConv` computes for an edge list and has parameters of the
    same names, so state dicts carry over. Two things differ: a sparse `adj_t` means the same as
    its edge list, where PyG adds 1 to the self-loops that it has already; and a negative degree
    is refused, where PyG gives NaN.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        bias: add b.
        add_self_loops: add a self-loop of weight 1 where a node has none.
        normalise: "in" for the in-degrees on both sides, as PyG; "out_in" for the source's
            out-degree and the target's in-degree, as DGL's GraphConv, which GADBench runs on.
            The same where the graph is undirected.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`),
        edge_weight [E] or None; the output is [N, out_channels].

    Raises:
        InputError: `normalise` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        add_self_loops: bool = True,
        normalise: str = "in",
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.normalisation = look_up(normalise, DEGREES, "normalise")
        if not add_self_loops:
            self.normalisation += "_no_loops"
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.lin.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def aggregates_input(self) -> bool:
        """Whether the input may be aggregated before anything is learned."""
        return type(self.lin) is nn.Linear and self.lin.bias is None

    def aggregate(self, x: Tensor, neighbourhoods: Neighbourhoods) -> Tensor | None:
        """Aggregates x, which `forward` then need not do; for an input that stays the same.

        Returns:
            [num_targets, in_channels]; None where `lin` is no longer a plain linear map, which
            alone may follow the aggregation as well as precede it.
        """
        if not self.aggregates_input:
            return None
        return neighbourhoods.aggregate(x, self.normalisation, keep=False)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighbourhoods,
        edge_weight: Tensor | None = None,
        *,
        aggregated: Tensor | None = None,
    ) -> Tensor:
        """Computes the layer; `aggregated` is what `aggregate` gave for the same x and graph."""
        neighbourhoods = prepare(edge_index, num_rows(x), edge_weight)
        if aggregated is None:
            out = neighbourhoods.aggregate(self.lin(x), self.normalisation)
        else:
            out = self.lin(aggregated)
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        return f"GCNConv({self.in_channels}, {self.out_channels})"
