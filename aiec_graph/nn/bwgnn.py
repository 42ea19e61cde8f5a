"""BWGNN: beta wavelet filters over a graph."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import Tensor, nn

from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.mlp import OwnConv
from aiec_graph.nn.networks import GNN
from aiec_graph.nn.propagate import Neighbourhoods, num_rows


class BetaWaveletConv(nn.Module):
    """x' = [W_0,C x ‖ W_1,C−1 x ‖ … ‖ W_C,0 x] Θ + b (Tang et al., 2022, eq. 5 and 7).

    With L = I − D^-½ A D^-½, W_p,q = (L/2)^p (I − L/2)^q / (2 B(p + 1, q + 1)), where B is the beta
    function and p + q = C.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row.
        order: C; there are C + 1 filters.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`); the
        output is [N, out_channels].
    """

    coefficients: Tensor

    def __init__(self, in_channels: int, out_channels: int, order: int = 2) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.lin = nn.Linear((order + 1) * in_channels, out_channels)
        # Of the filters as polynomials in S = D^-½ A D^-½: [C + 1, C + 1], the powers ascending.
        low, high = Polynomial([0.5, 0.5]), Polynomial([0.5, -0.5])  # I − L/2 and L/2
        rows = []
        for p in range(order + 1):
            q = order - p
            beta = math.factorial(p) * math.factorial(q) / math.factorial(order + 1)
            rows.append((high**p * low**q / (2 * beta)).coef)
        coefficients = torch.tensor(np.stack(rows), dtype=torch.get_default_dtype())
        self.register_buffer("coefficients", coefficients, persistent=False)

    def reset_parameters(self) -> None:
        self.lin.reset_parameters()

    def filters(self, x: Tensor, edge_index: Tensor | Neighbourhoods) -> list[Tensor]:
        """W_p,q x for p from 0 to C, each [N, in_channels].

        Raises:
            ValueError: the graph is a block with fewer targets than sources, so that the product
                cannot be repeated.
        """
        neighbourhoods = prepare(edge_index, num_rows(x))
        if neighbourhoods.num_sources != neighbourhoods.num_targets:
            raise ValueError("the filters need the whole graph, not a block of it")
        powers = [x]
        for _ in range(self.coefficients.shape[0] - 1):
            powers.append(neighbourhoods.aggregate(powers[-1], "gcn_no_loops"))
        terms = torch.stack(powers)
        return [torch.einsum("k,knc->nc", row, terms) for row in self.coefficients.to(x.dtype)]

    def forward(self, x: Tensor, edge_index: Tensor | Neighbourhoods) -> Tensor:
        return self.lin(torch.cat(self.filters(x, edge_index), 1))

    def __repr__(self) -> str:
        order = self.coefficients.shape[0] - 1
        return f"BetaWaveletConv({self.in_channels}, {self.out_channels}, order={order})"


class BWGNN(GNN):
    """Beta wavelet graph neural network (Tang et al., 2022).

    Two layers on each node's own columns, the filters of order C side by side, and a layer on
    these; `num_layers` is C, the other arguments are `GNN`'s.
    """

    needs_whole_graph = True

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 32,
        out_channels: int = 2,
        num_layers: int = 2,
        *args: Any,
        **options: Any,
    ) -> None:
        sizes = (in_channels, hidden_channels, out_channels, 3)
        super().__init__(*sizes, *args, order=num_layers, **options)
        # The filters reach C hops, beyond the block of a single layer.
        self.mixes_nodes = True

    def make_convs(self, widths: Sequence[int], **conv_options: Any) -> list[nn.Module]:
        first, second, third, last = widths
        filters = BetaWaveletConv(third, last, **conv_options)
        return [OwnConv(first, second), OwnConv(second, third), filters]
