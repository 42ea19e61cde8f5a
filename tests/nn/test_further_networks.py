"""GIN and GAT against PyG's layers, BWGNN's filters against the published formula."""

import math

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn

from aiec_graph.core import ACTIVATIONS, AIECLoss
from aiec_graph.nn import BWGNN, GAT, GIN, MLP, Adjacency, BetaWaveletConv, GATConv, GINConv

NODES = 40
NEAR = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(params=["directed", "undirected", "with lonely nodes"])
def edge_index(request):
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(NODES - 5, (2, 150), generator=g).unique(dim=1)
    edges = edges[:, edges[0] != edges[1]]
    if request.param == "undirected":
        return torch.cat([edges, edges.flip(0)], 1).unique(dim=1)
    return edges if request.param == "directed" else edges[:, :4]


def layers():
    def perceptron():
        return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))

    yield GINConv(6, 4), pyg.GINConv(perceptron())
    yield GINConv(6, 4, eps=0.5, train_eps=True), pyg.GINConv(perceptron(), 0.5, train_eps=True)
    for heads in (1, 3):
        yield GATConv(6, 4, heads), pyg.GATConv(6, 4, heads)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("number", range(4))
def test_equals_pyg(edge_index, number, dtype):
    torch.manual_seed(0)
    ours, theirs = list(layers())[number]
    ours.load_state_dict(theirs.state_dict())
    ours.to(dtype), theirs.to(dtype)
    x = torch.randn(NODES, 6, dtype=dtype)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = ours(one, edge_index), theirs(other, edge_index)
    torch.testing.assert_close(out, expected, **NEAR)
    grad = torch.randn_like(out)
    out.backward(grad), expected.backward(grad)
    torch.testing.assert_close(one.grad, other.grad, **NEAR)
    of_theirs = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, of_theirs[name].grad, **NEAR, msg=name)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_filters_are_those_of_the_paper(order):
    g = torch.Generator().manual_seed(0)
    dense = (torch.rand(12, 12, generator=g) < 0.3).double()
    dense = torch.maximum(dense, dense.T).fill_diagonal_(0)
    dense[-1] = dense[:, -1] = 0
    scale = dense.sum(1).clamp(min=1) ** -0.5
    eigenvalues, vectors = torch.linalg.eigh(torch.eye(12) - scale[:, None] * dense * scale)
    x = torch.randn(12, 5, generator=g, dtype=torch.float64)
    conv = BetaWaveletConv(5, 3, order).double()
    found = conv.filters(x, dense.nonzero().T)
    for p, filtered in enumerate(found):
        q, w = order - p, eigenvalues / 2
        beta = math.gamma(p + 1) * math.gamma(q + 1) / math.gamma(p + q + 2)
        kernel = w**p * (1 - w) ** q / (2 * beta)
        torch.testing.assert_close(filtered, vectors @ torch.diag(kernel) @ vectors.T @ x)
    out = conv(x, dense.nonzero().T)
    torch.testing.assert_close(out, conv.lin(torch.cat(found, 1)))


@pytest.mark.parametrize("make", [MLP, GIN, GAT, BWGNN])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_a_fresh_activation_at_each_site_and_every_parameter_trains(edge_index, make, act):
    torch.manual_seed(0)
    model = make(6, 8, act=act)
    index, y = torch.arange(20), torch.arange(20) % 2
    out = model(torch.randn(NODES, 6), edge_index)
    assert out.shape == (NODES, 2)
    AIECLoss(model)(out[index], y, index).total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("make", [MLP, GIN, GAT, BWGNN])
def test_blocks_give_what_the_whole_graph_gives(edge_index, make):
    torch.manual_seed(0)
    model = make(6, 8).eval()
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    x = torch.randn(NODES, 6)
    targets = torch.randperm(NODES)[: NODES if model.mixes_nodes else 7]
    inputs, blocks = adjacency.blocks(targets.numpy(), len(model.convs))
    with torch.no_grad():
        some = model(x if inputs is None else x[inputs], blocks)
        torch.testing.assert_close(some, model(x, adjacency)[targets], **NEAR)


@pytest.mark.parametrize("make", [MLP, GIN, GAT, BWGNN])
def test_under_one_seed_networks_differ_in_the_activation_alone(make):
    def weights(act):
        torch.manual_seed(1)
        state = make(6, 8, act=act).state_dict()
        return {k: v for k, v in state.items() if "acts." not in k and ".nn.1." not in k}

    relu, aiec = weights("relu"), weights("aiec")
    assert relu.keys() == aiec.keys()
    assert all(torch.equal(relu[k], aiec[k]) for k in relu)
