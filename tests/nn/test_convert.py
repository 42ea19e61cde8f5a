"""Putting AIEC into PyG's models: rows that are no nodes are refused."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import SAGEConv, to_hetero
from torch_geometric.nn.models import GIN, EdgeCNN, GraphUNet

from aiec_graph.core import AIEC, AIECLoss
from aiec_graph.nn import convert

X = torch.randn(10, 5, generator=torch.Generator().manual_seed(0))
# As many edges as nodes, so that the number of rows does not tell them apart.
EDGES = torch.stack([torch.arange(10), (torch.arange(10) + 3) % 10])
Y = torch.arange(10) % 2


def test_edges_are_no_nodes_even_where_there_are_as_many():
    model = EdgeCNN(5, 8, num_layers=2, out_channels=2)
    with pytest.raises(ValueError, match=r"rows are edges: convs.0.nn.*where"):
        convert(model, "aiec", (X, EDGES))
    assert not any(isinstance(m, AIEC) for m in model.modules())
    found = convert(
        model,
        "aiec",
        (X, EDGES),
        where=lambda n, m: n.startswith("norms") and isinstance(m, nn.ReLU),
    )
    assert found == ["norms.0.act"]
    AIECLoss(model)(model.train()(X, EDGES), Y).total.backward()


def test_what_runs_beside_the_messages_has_nodes_for_rows():
    model = GIN(5, 8, num_layers=2, out_channels=2)
    assert convert(model, "aiec", (X, EDGES)) == ["convs.0.nn.act", "convs.1.nn.act", "norms.0.act"]


@pytest.mark.filterwarnings("ignore:Sparse")  # PyG makes such tensors
def test_pooled_graphs_and_scores_are_refused():
    with pytest.raises(ValueError, match=r"'pools.0.select.act' takes a tensor of shape \[10\]"):
        convert(GraphUNet(5, 8, 2, depth=2), "aiec", (X, EDGES))


class Homogeneous(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act, self.lin = SAGEConv((-1, -1), 8), nn.ReLU(), nn.Linear(8, 2)

    def forward(self, x, edge_index):
        return self.lin(self.act(self.conv(x, edge_index)))


def test_of_a_heterogeneous_model_one_node_type_has_labels():
    types = (["author", "paper"], [("author", "writes", "paper"), ("paper", "by", "author")])
    x = {"author": torch.randn(4, 3), "paper": torch.randn(6, 3)}
    edges = torch.tensor([[0, 1, 2, 3, 0, 1], [0, 1, 2, 3, 4, 5]])
    edge_index = {types[1][0]: edges, types[1][1]: edges.flip(0)}
    model = to_hetero(Homogeneous(), types)
    with pytest.raises(ValueError, match="num_samples"):
        convert(model, "aiec", (x, edge_index))
    with pytest.raises(ValueError, match=r"'act.author' \(4\)"):
        convert(model, "aiec", (x, edge_index), num_samples=6)
    found = convert(
        model, "aiec", (x, edge_index), num_samples=6,
        where=lambda n, m: n.endswith("paper") and isinstance(m, nn.ReLU),
    )  # fmt: skip
    assert found == ["act.paper"]
    losses = AIECLoss(model)(model.train()(x, edge_index)["paper"], torch.arange(6) % 2)
    assert losses.total.isfinite()
