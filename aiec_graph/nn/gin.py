"""Graph isomorphism networks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.networks import GNN
from aiec_graph.nn.propagate import Neighbourhoods, num_rows


class GINConv(nn.Module):
    """x'_i = MLP((1 + ε) x_i + Σ_j x_j) over in-neighbours j (Xu et al., 2019, eq. 4.1).

    Computes what `torch_geometric.nn.GINConv` computes around the same two-layer perceptron and
    has parameters of the same names, so state dicts carry over. Sums take the weights of an
    `Adjacency` that has them.

    Args:
        in_channels: size of an input row.
        out_channels: size of an output row, and of the perceptron's hidden one.
        act: between the perceptron's two layers; ReLU where None.
        eps: ε at the start.
        train_eps: ε is learnt.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`); the
        output is [N, out_channels].
    """

    eps: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        act: nn.Module | None = None,
        eps: float = 0.0,
        train_eps: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        first, last = nn.Linear(in_channels, out_channels), nn.Linear(out_channels, out_channels)
        self.nn = nn.Sequential(first, act or nn.ReLU(), last)
        self.initial_eps = eps
        if train_eps:
            self.eps = nn.Parameter(torch.empty(1))
        else:
            self.register_buffer("eps", torch.empty(1))
        self.eps.data.fill_(eps)

    def reset_parameters(self) -> None:
        for module in self.nn:
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
        self.eps.data.fill_(self.initial_eps)

    def forward(self, x: Tensor, edge_index: Tensor | Neighbourhoods) -> Tensor:
        neighbourhoods = prepare(edge_index, num_rows(x))
        total = neighbourhoods.aggregate(x, "sum")
        return self.nn(total + (1 + self.eps) * neighbourhoods.of_targets(x))

    def __repr__(self) -> str:
        return f"GINConv({self.in_channels}, {self.out_channels})"


class GIN(GNN):
    """Graph isomorphism network (Xu et al., 2019); the arguments are `GNN`'s.

    The activation stands within each layer's perceptron as well as behind it, an instance each.
    """

    conv = GINConv

    def make_acts(self, make: Callable[[int], nn.Module], widths: Sequence[int]) -> list[nn.Module]:
        acts = super().make_acts(make, widths)
        for conv, width in zip(self.convs, widths, strict=True):
            conv.nn[1] = make(width)  # pyright: ignore
        return acts
