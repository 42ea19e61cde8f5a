"""The two networks of the benchmark: graph layers, an activation after each, a linear head."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aiec_graph.core import make_activation
from aiec_graph.errors import look_up
from aiec_graph.nn.adjacency import prepare
from aiec_graph.nn.gcn_conv import GCNConv
from aiec_graph.nn.propagate import Neighbourhoods, num_rows
from aiec_graph.nn.sage_conv import SAGEConv

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}


class GNN(nn.Module):
    """`num_layers` times convolution, normalisation, activation; then a linear head.

    Dropout, where asked for, acts on the hidden features that enter a layer or the head.

    Args:
        in_channels: number of input features.
        hidden_channels: width of the hidden layers.
        out_channels: number of classes K.
        num_layers: number of graph layers.
        act: a name in `aiec_graph.core.ACTIVATIONS` or a class; each layer gets its own instance.
        act_options: further arguments of the activation, such as `{"gate": "union"}`.
        dropout: probability of dropping a hidden feature.
        norm: a name in `NORMS`.
        residual: each layer after the first adds its input to its output.
        conv_options: further arguments of the convolution.

    Raises:
        InputError: an unknown activation, aggregator or normalisation.
    """

    conv: Callable[..., nn.Module]
    """Makes a layer from its two widths and `conv_options`."""
    needs_whole_graph: bool = False
    """Whether a layer reaches beyond the neighbours of the nodes that it computes."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 32,
        out_channels: int = 2,
        num_layers: int = 2,
        act: str | type[nn.Module] = "relu",
        act_options: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        norm: str = "none",
        residual: bool = False,
        **conv_options: Any,
    ) -> None:
        super().__init__()
        make_norm = look_up(norm, NORMS, "norm")
        widths = [in_channels] + [hidden_channels] * num_layers
        self.convs = nn.ModuleList(self.make_convs(widths, **conv_options))
        self.norms = nn.ModuleList(make_norm(width) for width in widths[1:])
        self.dropout = nn.Dropout(dropout)
        self.lin = nn.Linear(hidden_channels, out_channels)
        # Drawn last: under one seed, networks that differ in the activation start as equals.
        self.acts = nn.ModuleList(
            self.make_acts(
                lambda width: make_activation(act, width, out_channels, act_options), widths[1:]
            )
        )
        self.residual = residual
        self.mixes_nodes = norm == "batch"
        """Whether a node's output in training mode depends on nodes beyond its neighbourhood."""
        is_random = dropout > 0 or any(getattr(act, "is_random", False) for act in self.acts)
        self.trains_as_it_predicts = not is_random and norm != "batch"
        """Whether the forward pass in training mode gives the outputs of eval mode."""

    @property
    def aggregates_input(self) -> bool:
        """Whether the first layer aggregates its input before it learns (`aggregate_input`)."""
        return getattr(self.convs[0], "aggregates_input", False)

    def make_convs(self, widths: Sequence[int], **conv_options: Any) -> list[nn.Module]:
        """Makes the graph layers from the widths before, between and after them."""
        pairs = itertools.pairwise(widths)
        return [self.conv(before, after, **conv_options) for before, after in pairs]

    def make_acts(self, make: Callable[[int], nn.Module], widths: Sequence[int]) -> list[nn.Module]:
        """Makes the activations behind the layers, and those within them where there are any."""
        return [make(width) for width in widths]

    def reset_parameters(self) -> None:
        for module in (*self.convs, *self.norms, self.lin, *self.acts):
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighbourhoods | Sequence[Neighbourhoods],
        aggregated: Tensor | None = None,
    ) -> Tensor:
        """Returns the logits [N, out_channels] for x [N, in_channels].

        Args:
            x: node features.
            edge_index: PyG's edge list or an `Adjacency`; or a block for each layer
                (`Adjacency.blocks`), with the features and the logits of the blocks' nodes.
            aggregated: what `aggregate_input` gave for them.
        """
        if isinstance(edge_index, Tensor | Neighbourhoods):
            edge_index = [prepare(edge_index, num_rows(x))] * len(self.convs)
        for i, neighbourhoods in zip(range(len(self.convs)), edge_index, strict=True):
            x = self.layer(i, x, neighbourhoods, aggregated if i == 0 else None)
        return self.lin(x)

    def layer(
        self, i: int, x: Tensor, neighbourhoods: Neighbourhoods, aggregated: Tensor | None = None
    ) -> Tensor:
        """One graph layer with what follows it: convolution, normalisation, activation, dropout.

        Args:
            i: which one, from 0.
            x: its input [num_sources, channels].
            neighbourhoods: from the sources to the targets.
            aggregated: as for `forward`, where `i` is 0.

        Returns:
            [num_targets, hidden_channels].
        """
        given = {} if aggregated is None else {"aggregated": aggregated}
        h = self.acts[i](self.norms[i](self.convs[i](x, neighbourhoods, **given)))
        if self.residual and i > 0:
            h = h + neighbourhoods.of_targets(x)
        return self.dropout(h)

    def aggregate_input(
        self, x: Tensor, edge_index: Neighbourhoods | Sequence[Neighbourhoods]
    ) -> Tensor | None:
        """Aggregates the input features for the first layer, for whoever passes them often.

        Returns:
            What `forward` takes as `aggregated` while x and the graph stay as they are; None
            where the first layer learns before it aggregates.
        """
        first = edge_index if isinstance(edge_index, Neighbourhoods) else edge_index[0]
        if not self.aggregates_input:
            return None
        convolution: Any = self.convs[0]
        with torch.no_grad():
            return convolution.aggregate(x, first)


class GCN(GNN):
    """Graph convolutional network (Kipf and Welling, 2017); the arguments are `GNN`'s."""

    conv = GCNConv


class GraphSAGE(GNN):
    """GraphSAGE (Hamilton et al., 2017); `aggr` is `SAGEConv`'s, the other arguments `GNN`'s."""

    conv = SAGEConv

    def __init__(self, in_channels: int, *args: Any, aggr: str = "pool", **options: Any) -> None:
        super().__init__(in_channels, *args, aggr=aggr, **options)
