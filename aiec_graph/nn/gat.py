"""Graph attention networks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from aiec_graph import ops
from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.networks import GNN
from aiec_graph.nn.propagate import Neighbourhoods, Pattern, num_rows

EDGES_AT_ONCE = 2**18
"""Of the products that the attention's gradient takes: few enough to stay small in memory."""


class GATConv(nn.Module):
    """x'_i = ‖_h Σ_j α_ij^h W^h x_j + b over in-neighbours j and i (Veličković et al., 2018).

    With α_ij^h = softmax_j LeakyReLU(a_s^h · W^h x_j + a_t^h · W^h x_i), eq. 3. Computes what
    `torch_geometric.nn.GATConv` computes and has parameters of the same names, so state dicts carry
    over. Weights of edges have no part in it. Each node attends to itself as well.

    Args:
        in_channels: size of an input row.
        out_channels: size of a head's output row.
        heads: number of attention heads; their outputs stand side by side.
        negative_slope: of the LeakyReLU.
        bias: add b.

    Shape:
        x [N, in_channels], edge_index [2, E] (or an `Adjacency`, or a torch sparse `adj_t`); the
        output is [N, heads · out_channels].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 1,
        negative_slope: float = 0.2,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads
        self.negative_slope = negative_slope
        self.lin = nn.Linear(in_channels, heads * out_channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias = nn.Parameter(torch.empty(heads * out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, edge_index: Tensor | Neighbourhoods) -> Tensor:
        neighbourhoods = prepare(edge_index, num_rows(x))
        pattern = neighbourhoods.pattern_with_loops(x.device)
        h = self.lin(x).view(-1, self.heads, self.out_channels)
        source = (h * self.att_src).sum(-1)
        target = neighbourhoods.of_targets((h * self.att_dst).sum(-1))
        heads = [
            _Attention.apply(
                h[:, k].contiguous(), source[:, k], target[:, k], pattern, self.negative_slope
            )
            for k in range(self.heads)
        ]
        out = torch.cat(heads, 1)  # pyright: ignore
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        return f"GATConv({self.in_channels}, {self.out_channels}, heads={self.heads})"


class _Attention(torch.autograd.Function):
    """One head: sparse products all the way, and no message of an edge held but in pieces."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, source: Tensor, target: Tensor, pattern: Pattern, slope: float
    ) -> Tensor:
        logit = source[pattern.column] + target[pattern.row]
        e = F.leaky_relu(logit, slope)
        e = (e - _reduce(e, "max", pattern.crow)[pattern.row]).exp()
        alpha = e / _reduce(e, "sum", pattern.crow)[pattern.row]
        ctx.pattern, ctx.slope = pattern, slope
        ctx.save_for_backward(h, logit, alpha)
        return ops.weighted_sum(h, (pattern.crow, pattern.column, alpha))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        h, logit, alpha = ctx.saved_tensors
        pattern, grad = ctx.pattern, grad_outputs[0].contiguous()
        back = (pattern.crow_back, pattern.row_back, alpha[pattern.order])
        by_alpha = torch.empty_like(alpha)
        for start in range(0, len(alpha), EDGES_AT_ONCE):
            at = slice(start, start + EDGES_AT_ONCE)
            by_alpha[at] = (grad[pattern.row[at]] * h[pattern.column[at]]).sum(1)
        mean = _reduce(alpha * by_alpha, "sum", pattern.crow)
        by_logit = alpha * (by_alpha - mean[pattern.row])
        by_logit = torch.where(logit > 0, by_logit, ctx.slope * by_logit)
        by_source = _reduce(by_logit[pattern.order], "sum", pattern.crow_back)
        by_target = _reduce(by_logit, "sum", pattern.crow)
        return ops.weighted_sum(grad, back), by_source, by_target, None, None


def _reduce(values: Tensor, how: str, crow: Tensor) -> Tensor:
    """The maximum or sum of each row's entries [M]."""
    return torch.segment_reduce(values, how, offsets=crow.long())


class GAT(GNN):
    """Graph attention network (Veličković et al., 2018) of one head; the arguments are `GNN`'s."""

    conv = GATConv
