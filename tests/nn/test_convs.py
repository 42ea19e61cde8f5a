"""The layers against PyG's own, and against a loop over the edge list."""

import copy
import pickle

import pytest
import torch
import torch_geometric.nn as pyg

from aiec_graph.errors import InputError
from aiec_graph.nn import Adjacency, GCNConv, SAGEConv
from aiec_graph.nn.propagate import maximum, segment_maximum

NODES = 60


@pytest.fixture(params=["directed", "undirected", "with weightless corners"])
def edge_index(request):
    g = torch.Generator().manual_seed(0)
    # The last nodes have no edges; some edges come twice; a few are self-loops.
    edges = torch.randint(NODES - 5, (2, 300), generator=g)
    edges = edges[:, edges[0] != edges[1]]
    if request.param == "undirected":
        return torch.cat([edges, edges.flip(0)], 1)
    if request.param == "directed":
        return torch.cat([edges, torch.tensor([[3, 7], [3, 7]])], 1)
    return edges[:, :4]


def pairs(inputs, outputs):
    yield "gcn", GCNConv(inputs, outputs), pyg.GCNConv(inputs, outputs), {}
    ours = GCNConv(inputs, outputs, add_self_loops=False)
    yield "gcn no loops", ours, pyg.GCNConv(inputs, outputs, add_self_loops=False), {}
    for aggr, extra in (("mean", {}), ("max", {}), ("pool", {"project": True})):
        theirs = pyg.SAGEConv(inputs, outputs, aggr="max" if aggr == "pool" else aggr, **extra)
        yield aggr, SAGEConv(inputs, outputs, aggr=aggr), theirs, {}


@pytest.mark.parametrize(("inputs", "outputs"), [(7, 3), (3, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_pyg(edge_index, inputs, outputs, dtype):
    torch.manual_seed(0)
    x = torch.randn(NODES, inputs, dtype=dtype)
    near = {"atol": 1e-5, "rtol": 1e-5}
    for _, ours, theirs, _ in pairs(inputs, outputs):
        ours.load_state_dict(theirs.state_dict())
        ours.to(dtype), theirs.to(dtype)
        one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        out, expected = ours(one, edge_index), theirs(other, edge_index)
        torch.testing.assert_close(out, expected, **near)
        grad = torch.randn_like(out)
        out.backward(grad), expected.backward(grad)
        torch.testing.assert_close(one.grad, other.grad, **near)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, **near, msg=name)


def test_gcn_takes_edge_weights_and_sparse_adjacencies(edge_index):
    torch.manual_seed(0)
    x, weight = torch.randn(NODES, 4), torch.rand(edge_index.shape[1])
    ours, theirs = GCNConv(4, 3), pyg.GCNConv(4, 3)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x, edge_index, weight), theirs(x, edge_index, weight))
    expected = ours(x, edge_index)
    adj_t = torch.sparse_coo_tensor(
        edge_index.flip(0), torch.ones(edge_index.shape[1]), (NODES,) * 2, check_invariants=True
    )
    torch.testing.assert_close(ours(x, adj_t), expected)
    torch.testing.assert_close(ours(x, adj_t.coalesce().to_sparse_csr()), expected)
    prepared = Adjacency.from_edge_index(edge_index, NODES)
    torch.testing.assert_close(ours(x, prepared), expected)
    torch.testing.assert_close(ours(x, edge_index.int()), expected)


def test_sage_gcn_aggregator_equals_the_loop(edge_index):
    torch.manual_seed(0)
    conv = SAGEConv(4, 3, aggr="gcn")
    x = torch.randn(NODES, 4)
    rows = []
    for i in range(NODES):
        around = [x[s] for s, t in edge_index.T.tolist() if t == i] + [x[i]]
        rows.append(torch.stack(around).mean(0))
    torch.testing.assert_close(conv(x, edge_index), conv.lin_l(torch.stack(rows)))


def test_constant_input_is_aggregated_once_and_noticed_when_it_changes(edge_index, monkeypatch):
    torch.manual_seed(0)
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    calls = []
    original = Adjacency._aggregate
    monkeypatch.setattr(
        Adjacency,
        "_aggregate",
        lambda *args, **options: calls.append(args[2]) or original(*args, **options),
    )
    for make in (
        lambda c: GCNConv(4, 3, constant_input=c),
        lambda c: SAGEConv(4, 3, constant_input=c),
    ):
        x = torch.randn(NODES, 4)
        conv, plain = make(True), make(False)
        plain.load_state_dict(conv.state_dict())
        calls.clear()
        first, second = conv(x, adjacency), conv(x, adjacency)
        assert len(calls) == 1
        assert torch.equal(first, second)
        torch.testing.assert_close(first, plain(x, adjacency))
        x.mul_(2)
        torch.testing.assert_close(conv(x, adjacency), plain(x, adjacency))


def test_an_edge_list_that_changes_is_prepared_anew(edge_index):
    conv, x = GCNConv(4, 3), torch.randn(NODES, 4)
    edges = edge_index.clone()
    before = conv(x, edges)
    assert torch.equal(conv(x, edges), before)
    edges[1, 0] = (edges[1, 0] + 1) % NODES
    after = conv(x, edges)
    assert not torch.equal(after, before)
    torch.testing.assert_close(after, conv(x, edges.clone()))


def test_the_fallback_maximum_agrees(edge_index):
    matrix = Adjacency.from_edge_index(edge_index, NODES)._form(
        "max", torch.float64, torch.device("cpu")
    )
    one = torch.randn(NODES, 5, dtype=torch.float64, requires_grad=True)
    other = one.detach().clone().requires_grad_()
    out, expected = maximum(one, matrix.forward), segment_maximum(other, matrix.forward)
    assert torch.equal(out, expected)
    grad = torch.randn_like(out)
    out.backward(grad), expected.backward(grad)
    torch.testing.assert_close(one.grad, other.grad)


def test_no_edges_at_all():
    edges = torch.empty(2, 0, dtype=torch.long)
    x = torch.randn(3, 4)
    for conv in (GCNConv(4, 2), *(SAGEConv(4, 2, aggr=a) for a in ("mean", "max", "pool", "gcn"))):
        assert torch.isfinite(conv(x, edges)).all()


def test_gradcheck(edge_index):
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    x = torch.randn(NODES, 2, dtype=torch.float64, requires_grad=True)
    for form in ("gcn", "mean", "max", "sum", "mean_with_self"):
        assert torch.autograd.gradcheck(lambda x, form=form: adjacency.aggregate(x, form), (x,))
    assert torch.autograd.gradgradcheck(lambda x: adjacency.aggregate(x, "mean"), (x,))


def test_half_precision_sums_in_float32(edge_index):
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    x = torch.randn(NODES, 4)
    for form in ("gcn", "max"):
        half = adjacency.aggregate(x.bfloat16(), form)
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), adjacency.aggregate(x, form), atol=0.05, rtol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        out = GCNConv(4, 3)(x, adjacency)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (torch.zeros(3, 4, dtype=torch.long), "shape"),
        (torch.zeros(2, 4), "integers"),
        (torch.tensor([[0], [NODES]]), f"node {NODES}"),
        (torch.tensor([[-1], [0]]), "node -1"),
    ],
)
def test_wrong_edges_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        GCNConv(4, 3)(torch.randn(NODES, 4), edges)


def test_other_misuse_is_refused(edge_index):
    x = torch.randn(NODES, 4)
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    with pytest.raises(InputError, match="Did you mean 'pool'"):
        SAGEConv(4, 3, aggr="pol")
    with pytest.raises(ValueError, match="rows"):
        GCNConv(4, 3)(x[:-1], adjacency)
    with pytest.raises(ValueError, match="omit edge_weight"):
        GCNConv(4, 3)(x, adjacency, torch.ones(3))
    with pytest.raises(ValueError, match="gradient"):
        GCNConv(4, 3)(x, edge_index, torch.ones(edge_index.shape[1], requires_grad=True))
    with pytest.raises(ValueError, match=r"\[\d+\]"):
        GCNConv(4, 3)(x, edge_index, torch.ones(3 + edge_index.shape[1]))


def test_adjacency_adds_loops_and_knows_symmetry():
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 2]])
    adjacency = Adjacency.from_edge_index(edges, 4)
    assert adjacency.num_edges == 4
    assert not adjacency.is_symmetric
    edges = torch.tensor([[0, 1, 2], [1, 0, 2]])
    looped = Adjacency.from_edge_index(edges, 4).with_self_loops()
    assert looped.is_symmetric
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert looped.csr.toarray().tolist() == expected
    looped.aggregate(torch.randn(4, 2, requires_grad=True), "gcn")
    matrix = looped._form("gcn", torch.float32, torch.device("cpu"))
    assert matrix.forward is matrix.transpose


def test_inference_mode(edge_index):
    conv = GCNConv(4, 3, constant_input=True)
    with torch.inference_mode():
        x, edges = torch.randn(NODES, 4), edge_index.clone()
        first = conv(x, edges)
        x.mul_(2)
        torch.testing.assert_close(conv(x, edges), conv(x.clone(), edges))
        assert not torch.equal(conv(x, edges), first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GCNConv(4, 3, constant_input=True),
        lambda: SAGEConv(4, 3, "mean", constant_input=True),
        lambda: SAGEConv(4, 3, "pool"),
    ],
)
def test_training_goes_on_after_a_prediction_in_inference_mode(edge_index, make):
    conv, x = make(), torch.randn(NODES, 4)
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    with torch.inference_mode():
        expected = conv(x, adjacency)
    out = conv(x, adjacency)
    out.sum().backward()
    torch.testing.assert_close(out, expected)


def test_an_adjacency_can_be_copied_and_pickled(edge_index):
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    conv, x = GCNConv(4, 3), torch.randn(NODES, 4)
    expected = conv(x, adjacency)
    for twin in (copy.deepcopy(adjacency), pickle.loads(pickle.dumps(adjacency))):
        assert torch.equal(conv(x, twin), expected)
