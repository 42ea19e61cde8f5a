"""The networks, and AIEC in PyG's stock models."""

import copy

import numpy as np
import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn

from aiec_graph.core import ACTIVATIONS, AIEC, AIECLoss, strip
from aiec_graph.errors import InputError
from aiec_graph.nn import GCN, Adjacency, GraphSAGE, convert


@pytest.fixture
def graph():
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(40, (2, 150), generator=g)
    return torch.randn(40, 6, generator=g), torch.cat([edges, edges.flip(0)], 1)


@pytest.mark.parametrize("make", [GCN, GraphSAGE])
@pytest.mark.parametrize("act", [*ACTIVATIONS, nn.Tanh])
def test_a_fresh_activation_at_each_site_and_every_parameter_trains(graph, make, act):
    torch.manual_seed(0)
    model = make(6, 8, num_layers=3, act=act, norm="layer")
    assert len({id(a) for a in model.acts}) == 3
    index, y = torch.arange(20), torch.arange(20) % 2
    out = model(*graph)
    assert out.shape == (40, 2)
    AIECLoss(model)(out[index], y, index).total.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None]
    assert silent == []


def test_dropout_and_norm_reach_the_layers(graph):
    torch.manual_seed(0)
    model = GCN(6, 8, dropout=0.5, norm="batch")
    assert [type(norm) for norm in model.norms] == [nn.BatchNorm1d] * 2
    assert not torch.equal(model(*graph), model(*graph))
    model.eval()
    assert torch.equal(model(*graph), model(*graph))
    assert not model.trains_as_it_predicts
    assert GCN(6, norm="layer").trains_as_it_predicts
    with pytest.raises(InputError, match="Did you mean 'batch'"):
        GCN(6, norm="bach")


def test_trains_as_it_predicts_is_true(graph):
    for model in (GCN(6, act="aiec"), GraphSAGE(6, act="gdn", norm="layer", aggr="mean")):
        train = model(*graph)
        assert torch.equal(train, model.eval()(*graph))


@pytest.mark.parametrize("aggr", ["mean", "max", "pool", "gcn"])
def test_permuting_the_nodes_permutes_the_outputs(graph, aggr):
    x, edge_index = graph
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    position = torch.empty(40, dtype=torch.long)
    position[order] = torch.arange(40)
    for model in (GCN(6, act="aiec"), GraphSAGE(6, act="aiec", aggr=aggr)):
        out = model(x, edge_index)
        torch.testing.assert_close(model(x[order], position[edge_index]), out[order])


def test_reset_parameters_draws_anew_for_every_layer(graph):
    model = GraphSAGE(6, act="aiec", norm="layer")
    before = copy.deepcopy(model.state_dict())
    model.reset_parameters()
    for name in (
        "convs.0.lin.weight",
        "convs.1.lin_l.weight",
        "acts.0.decision.weight",
        "lin.weight",
    ):
        assert not torch.equal(model.state_dict()[name], before[name])


def test_stacks_of_stock_layers(graph):
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.act1 = pyg.GCNConv(6, 8), AIEC(8)
            self.conv2, self.act2 = pyg.SAGEConv(8, 8), AIEC(8)
            self.lin = nn.Linear(8, 2)

        def forward(self, x, edge_index):
            x = self.act1(self.conv1(x, edge_index))
            return self.lin(self.act2(self.conv2(x, edge_index)))

    model = Stack()
    losses = AIECLoss(model)(model(*graph), torch.arange(40) % 2)
    losses.total.backward()
    assert model.act1.decision.weight.grad is not None


@pytest.mark.parametrize("make", [pyg.GCN, pyg.GraphSAGE, pyg.GAT])
@pytest.mark.parametrize(
    "options",
    [{}, {"jk": "cat"}, {"norm": "batch_norm", "act_first": True}, {"norm": "graph_norm"}],
)
def test_stock_models_keep_their_outputs_and_get_an_instance_a_layer(graph, make, options):
    torch.manual_seed(0)
    model = make(6, 8, 3, 2, **options)
    original = copy.deepcopy(model)
    replaced = convert(model, "aiec", graph)
    sites = 3 if "jk" in options else 2
    assert len(replaced) == sites
    assert len(AIECLoss(model).layers()) == sites
    torch.testing.assert_close(model.eval()(*graph), original.eval()(*graph))
    model.train()
    index = torch.arange(20)
    AIECLoss(model)(model(*graph)[index], index % 2, index).total.backward()
    model.eval()
    before = model(*graph)
    assert torch.equal(strip(model)(*graph), before)


def test_a_failed_conversion_leaves_a_stock_model_as_it_was(graph):
    model = pyg.GCN(6, 8, 2, 2)
    with pytest.raises(TypeError):
        convert(model, "aiec", (graph[0],))
    assert isinstance(model.act, nn.ReLU)
    model(*graph)


def test_sites_that_are_not_chosen_keep_their_activation(graph):
    model = pyg.GCN(6, 8, 3, 2, act="elu")
    original = copy.deepcopy(model)
    replaced = convert(model, "aiec", graph, where=lambda name, m: name == "norms.0.act")
    assert replaced == ["norms.0.act"]
    assert isinstance(model.norms[1].act, nn.ELU)
    convert(original, "elu", graph)
    assert len({id(norm.act) for norm in original.norms[:2]}) == 2


@pytest.mark.parametrize("aggr", [None, "mean", "max", "pool", "gcn"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("at_once", [1, 7, 2**15])
def test_blocks_compute_what_the_whole_graph_does(aggr, layers, at_once, monkeypatch):
    monkeypatch.setattr("aiec_graph.nn.normalisation.ENTRIES_AT_ONCE", at_once)
    rng = np.random.default_rng(layers)
    nodes = 300
    # Sparse and directed, so that a few targets do not reach every node.
    source, target = torch.from_numpy(rng.integers(0, nodes, (2, 400)))
    weight = torch.from_numpy(rng.random(400) + 0.1)
    adjacency = Adjacency.from_edge_index(torch.stack([source, target]), nodes, weight)
    targets = rng.permutation(nodes)[:17]
    torch.manual_seed(0)
    kind = {} if aggr is None else {"aggr": aggr}
    network = (GraphSAGE if kind else GCN)(5, 6, num_layers=layers, act="aiec", **kind).double()
    x = torch.randn(nodes, 5, dtype=torch.float64)
    order, blocks = adjacency.blocks(targets, layers)
    assert order[:17].tolist() == targets.tolist()
    assert len(set(order.tolist())) == len(order) < nodes
    got, expected = network(x[order], blocks), network(x, adjacency)[targets]
    torch.testing.assert_close(got, expected)
    upstream = torch.randn_like(expected)
    parameters = [p for n, p in network.named_parameters() if "decision" not in n]
    gradients = torch.autograd.grad(expected, parameters, upstream)
    torch.testing.assert_close(torch.autograd.grad(got, parameters, upstream), gradients)
    monkeypatch.setattr("aiec_graph.nn.blocks.NEARLY_ALL", 0)
    inputs, blocks = adjacency.blocks(targets, layers)
    assert inputs is None
    assert (blocks[0].num_sources, blocks[-1].num_targets) == (nodes, 17)
    for kind in (torch.float64, torch.float32):  # float32 goes through the kernels
        asked = (network.to(kind)(x.to(kind), blocks), parameters, upstream.to(kind))
        near = {} if kind == torch.float64 else {"rtol": 1e-3, "atol": 1e-4}
        torch.testing.assert_close(asked[0].double(), expected, **near)
        found = [grad.double() for grad in torch.autograd.grad(*asked)]
        torch.testing.assert_close(found, list(gradients), **near)


def test_a_first_layer_over_all_nodes_is_no_transpose_of_its_own(graph):
    x, edge_index = graph
    adjacency = Adjacency.from_edge_index(edge_index, 40)
    order = np.random.default_rng(0).permutation(40)
    inputs, blocks = adjacency.blocks(order, 1)
    assert inputs is None
    free = x.double().requires_grad_()
    out = blocks[0].aggregate(free, "gcn")
    torch.testing.assert_close(out, adjacency.aggregate(x.double(), "gcn")[order])
    upstream = torch.randn_like(out)
    (found,) = torch.autograd.grad(out, free, upstream)
    placed = torch.zeros_like(upstream)
    placed[order] = upstream
    torch.testing.assert_close(found, adjacency.aggregate(placed, "gcn"))


def test_blocks_of_all_nodes_and_of_none():
    adjacency = Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 4)
    order = np.array([2, 0, 3, 1])
    inputs, blocks = adjacency.blocks(order, 2)
    assert inputs is None
    assert [(b.num_sources, b.num_targets) for b in blocks] == [(4, 4), (4, 4)]
    torch.manual_seed(0)
    network = GraphSAGE(3, 4, norm="batch").double()
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(network(x, blocks), network(x, adjacency)[order])
    inputs, blocks = adjacency.blocks(np.array([], dtype=int), 2)
    assert inputs is not None
    assert inputs.tolist() == []
    assert GCN(3)(torch.zeros(0, 3), blocks).shape == (0, 2)


@pytest.mark.parametrize("aggr", [None, "mean", "pool"])
def test_layers_hold_only_the_matrices_that_an_epoch_reads(graph, aggr):
    x, edge_index = graph
    adjacency = Adjacency.from_edge_index(edge_index, 40)
    inputs, blocks = adjacency.blocks(np.arange(5), 2)
    network = GraphSAGE(6, 8, aggr=aggr) if aggr else GCN(6, 8)
    x = x if inputs is None else x[inputs]
    aggregated = network.aggregate_input(x, blocks)
    with torch.no_grad():
        network(x, blocks, aggregated)
    held = [[m.transpose is not None for m in block._matrices.values()] for block in blocks]
    pool = aggr == "pool"
    # The aggregate of a constant input is kept by the caller, not what it was made with.
    assert held == [[False] if pool else [], [False]]
    network(x, blocks, aggregated).sum().backward()
    held = [[m.transpose is not None for m in block._matrices.values()] for block in blocks]
    assert held == [[False] if pool else [], [not pool]]
    assert adjacency._matrices == {}
    if pool:
        (matrix,) = blocks[1]._matrices.values()
        assert matrix.forward[2] is None


def test_layers_over_the_same_nodes_share_a_symmetric_block(graph):
    x, edge_index = graph
    adjacency = Adjacency.from_edge_index(edge_index, 40)
    _, blocks = adjacency.blocks(np.random.default_rng(0).permutation(40), 3)
    assert blocks[1] is blocks[2]
    torch.manual_seed(0)
    network, x = GCN(6, 8, num_layers=3).double(), x.double()
    weights = list(network.parameters())
    got = torch.autograd.grad(network(x, blocks).square().sum(), weights)
    expected = torch.autograd.grad(network(x, adjacency).square().sum(), weights)
    torch.testing.assert_close(got, expected)
    (matrix,) = blocks[1]._matrices.values()
    assert matrix.transpose is matrix.forward


@pytest.mark.parametrize("make", [GCN, GraphSAGE])
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler's own looking around
def test_a_compiled_network_trains_as_it_does_uncompiled(graph, make, prepared):
    torch.manual_seed(0)
    x, edges = graph
    model = make(6, 8, act="aiec")
    index, y = torch.arange(20), torch.arange(20) % 2
    where = Adjacency.from_edge_index(edges, 40) if prepared else edges

    def gradients(network):
        model.zero_grad()
        AIECLoss(model)(network(x, where)[index], y, index).total.backward()
        return [p.grad for p in model.parameters()]

    torch._dynamo.reset()
    expected = gradients(model)
    torch.testing.assert_close(gradients(torch.compile(model, backend="eager")), expected)
