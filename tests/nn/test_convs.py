"""The layers against PyG's own, and against a loop over the edge list."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch_geometric.nn as pyg
from scipy import sparse
from torch import nn

from aiec_graph.errors import InputError
from aiec_graph.nn import AGGREGATORS, Adjacency, GCNConv, SAGEConv
from aiec_graph.nn.normalisation import NORMALISATIONS

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
def test_equals_pyg(edge_index, inputs, outputs, dtype, device):
    torch.manual_seed(0)
    x, edge_index = torch.randn(NODES, inputs, dtype=dtype).to(device), edge_index.to(device)
    near = {"atol": 1e-5, "rtol": 1e-5}
    for _, ours, theirs, _ in pairs(inputs, outputs):
        ours.load_state_dict(theirs.state_dict())
        ours.to(device, dtype), theirs.to(device, dtype)
        one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        out, expected = ours(one, edge_index), theirs(other, edge_index)
        torch.testing.assert_close(out, expected, **near)
        grad = torch.randn_like(out)
        out.backward(grad), expected.backward(grad)
        torch.testing.assert_close(one.grad, other.grad, **near)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, **near, msg=name)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
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


@pytest.mark.parametrize("change", ["in place", "data", "assigned", "numpy"])
def test_a_layer_sees_what_has_changed(edge_index, change):
    """However the features or the edges were changed, without a version number or with one."""

    def altered(tensor, values):
        if change == "in place":
            tensor.copy_(values)
        elif change == "data":
            tensor.data.copy_(values)
        elif change == "assigned":
            tensor.data = values
        else:
            tensor.numpy()[...] = values.numpy()

    for conv in (GCNConv(4, 3), *(SAGEConv(4, 3, aggr) for aggr in AGGREGATORS)):
        x, edges = torch.randn(NODES, 4), edge_index.clone()
        before = conv(x, edges)
        new_x, new_edges = torch.randn(NODES, 4), edges.flip(1).roll(1, 0)
        new_edges[0] = (new_edges[0] + 1) % NODES
        adjacency = Adjacency.from_edge_index(edges, NODES)
        altered(x, new_x)
        assert torch.equal(conv(x, edges), conv(new_x.clone(), edge_index))
        assert torch.equal(conv(x, adjacency), conv(new_x.clone(), edge_index))
        altered(edges, new_edges)
        assert torch.equal(conv(x, edges), conv(new_x.clone(), new_edges.clone()))
        # Prepared before, it is the graph as it was.
        assert torch.equal(conv(x, adjacency), conv(new_x.clone(), edge_index))
        assert not torch.equal(conv(x, edges), before)


def test_an_adjacency_is_a_copy_that_cannot_be_written_to():
    matrix = sparse.csr_array(np.array([[0.0, 1.0], [0.5, 0.0]]))
    kept = matrix.copy()
    adjacency = Adjacency(matrix)
    x = torch.eye(2)
    expected = adjacency.aggregate(x, "sum")
    matrix.data[:] = 7
    assert torch.equal(adjacency.aggregate(x, "sum"), expected)
    np.testing.assert_array_equal(adjacency.csr.toarray(), kept.toarray())
    with pytest.raises(ValueError, match="read-only"):
        adjacency.csr.data[0] = 3


@pytest.mark.parametrize("make", [lambda: GCNConv(4, 3), lambda: SAGEConv(4, 3, "max")])
def test_an_aggregate_made_before_gives_the_same(edge_index, make):
    conv, x = make(), torch.randn(NODES, 4)
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    aggregated = conv.aggregate(x, adjacency)
    assert adjacency._matrices == {}
    torch.testing.assert_close(conv(x, adjacency, aggregated=aggregated), conv(x, adjacency))
    assert SAGEConv(4, 3, "pool").aggregate(x, adjacency) is None
    gcn = GCNConv(4, 3)
    gcn.lin = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    assert gcn.aggregate(x, adjacency) is None


def test_no_edges_at_all():
    edges = torch.empty(2, 0, dtype=torch.long)
    x = torch.randn(3, 4)
    for conv in (GCNConv(4, 2), *(SAGEConv(4, 2, aggr=a) for a in ("mean", "max", "pool", "gcn"))):
        assert torch.isfinite(conv(x, edges)).all()


def test_gradcheck(edge_index):
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    x = torch.randn(NODES, 2, dtype=torch.float64, requires_grad=True)
    for name in NORMALISATIONS:
        assert torch.autograd.gradcheck(lambda x, name=name: adjacency.aggregate(x, name), (x,))
        # Of something that is not linear, or all second derivatives would be 0.
        cube = lambda x, name=name: adjacency.aggregate(x, name) ** 3  # noqa: E731
        assert torch.autograd.gradgradcheck(cube, (x,), fast_mode=True)


@pytest.mark.parametrize("aggr", [None, *AGGREGATORS])
def test_a_gradient_penalty_has_the_gradient_of_its_differences(edge_index, aggr):
    """∂/∂W ‖∂loss/∂x‖² against central differences, through a whole layer."""
    torch.manual_seed(0)
    adjacency = Adjacency.from_edge_index(edge_index, NODES)
    conv = (GCNConv(3, 2) if aggr is None else SAGEConv(3, 2, aggr)).double()
    x = torch.randn(NODES, 3, dtype=torch.float64, requires_grad=True)

    def penalty():
        loss = torch.tanh(conv(x, adjacency)).sum()
        (grad,) = torch.autograd.grad(loss, x, create_graph=True)
        return grad.square().sum()

    weight = conv.lin.weight if aggr in (None, "pool") else conv.lin_l.weight
    (found,) = torch.autograd.grad(penalty(), weight)
    step = 1e-5
    for i, j in ((0, 0), (1, 2)):
        with torch.no_grad():
            weight[i, j] += step
        above = penalty().item()
        with torch.no_grad():
            weight[i, j] -= 2 * step
        below = penalty().item()
        with torch.no_grad():
            weight[i, j] += step
        assert found[i, j].item() == pytest.approx((above - below) / (2 * step), rel=1e-5)


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
    adj_t = torch.eye(NODES).to_sparse_coo().requires_grad_()
    with pytest.raises(ValueError, match="gradient"):
        GCNConv(4, 3)(x, adj_t)
    with pytest.raises(TypeError, match="bipartite"):
        SAGEConv(4, 3)((x, x), edge_index)
    with pytest.raises(InputError, match="Did you mean 'out_in'"):
        GCNConv(4, 3, normalise="outin")
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
    (matrix,) = looped._matrices.values()
    assert matrix.forward is matrix.transpose


def test_inference_mode(edge_index):
    conv = GCNConv(4, 3)
    with torch.inference_mode():
        x, edges = torch.randn(NODES, 4), edge_index.clone()
        first = conv(x, edges)
        x.mul_(2)
        torch.testing.assert_close(conv(x, edges), conv(x.clone(), edges))
        assert not torch.equal(conv(x, edges), first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GCNConv(4, 3),
        lambda: SAGEConv(4, 3, "mean"),
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


def dense(edges, weight):
    matrix = torch.zeros(NODES, NODES, dtype=torch.float64)
    matrix.index_put_((edges[1], edges[0]), weight, accumulate=True)
    return matrix


def test_out_in_divides_by_the_source_s_out_degree_and_the_target_s_in_degree(edge_index):
    torch.manual_seed(0)
    weight = torch.rand(edge_index.shape[1], dtype=torch.float64)
    adjacency = Adjacency.from_edge_index(edge_index, NODES, weight)
    x = torch.randn(NODES, 3, dtype=torch.float64)
    matrix = dense(edge_index, weight)
    looped = matrix + torch.diag((matrix.diagonal() == 0).double())
    for name, a in (("gcn_out_in", looped), ("gcn_out_in_no_loops", matrix)):
        scale = [d.pow(-0.5).masked_fill(d == 0, 0) for d in (a.sum(1), a.sum(0))]
        expected = (scale[0][:, None] * a * scale[1]) @ x
        torch.testing.assert_close(adjacency.aggregate(x, name), expected)
        blocks = adjacency.blocks(np.array([3, 7, 11]), 1).layers
        rows = (
            x
            if blocks[0].targets is not None
            else x[adjacency.blocks(np.array([3, 7, 11]), 1).inputs]
        )
        torch.testing.assert_close(blocks[0].aggregate(rows, name), expected[[3, 7, 11]])


def test_out_in_is_the_same_bits_on_an_undirected_graph():
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(NODES, (2, 200), generator=g)
    adjacency = Adjacency.from_edge_index(torch.cat([edges, edges.flip(0)], 1), NODES)
    x = torch.randn(NODES, 3)
    assert torch.equal(adjacency.aggregate(x, "gcn"), adjacency.aggregate(x, "gcn_out_in"))


def test_out_in_equals_dgl(edge_index):
    dgl = pytest.importorskip("dgl")
    from dgl.nn.pytorch import GraphConv

    torch.manual_seed(0)
    edges = edge_index.unique(dim=1)
    theirs = GraphConv(4, 3, allow_zero_in_degree=True)
    ours = GCNConv(4, 3, add_self_loops=False, normalise="out_in")
    with torch.no_grad():
        ours.lin.weight.copy_(theirs.weight.T)
    x = torch.randn(NODES, 4)
    expected = theirs(dgl.graph((edges[0], edges[1]), num_nodes=NODES), x)
    torch.testing.assert_close(ours(x, edges), expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_repeated_and_weightless_self_loops_are_those_of_pyg(weighted):
    edges = torch.tensor([[0, 1, 1, 1, 2, 3, 0], [1, 0, 1, 1, 2, 0, 3]])
    weight = torch.tensor([1.0, 2.0, 0.3, 0.7, 0.0, 1.0, 0.5]) if weighted else None
    x = torch.randn(5, 4)
    for loops in (True, False):
        ours, theirs = GCNConv(4, 3, add_self_loops=loops), pyg.GCNConv(4, 3, add_self_loops=loops)
        ours.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(ours(x, edges, weight), theirs(x, edges, weight))
    for aggr in ("mean", "max"):
        ours, theirs = SAGEConv(4, 3, aggr), pyg.SAGEConv(4, 3, aggr)
        ours.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(ours(x, edges), theirs(x, edges))


def test_looped_edges_of_weight_0_stay_neighbours():
    edges, weight = torch.tensor([[0, 2], [1, 2]]), torch.tensor([0.0, 0.0])
    adjacency = Adjacency.from_edge_index(edges, 3, weight).with_self_loops()
    assert adjacency.csr.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    x = torch.tensor([[5.0], [1.0], [2.0]])
    assert adjacency.aggregate(x, "max").tolist() == [[5.0], [5.0], [2.0]]


def test_a_negative_degree_is_refused_and_named():
    adjacency = Adjacency.from_edge_index(
        torch.tensor([[0, 1], [1, 2]]), 3, torch.tensor([1.0, -2.0])
    )
    for name in ("mean", "gcn_no_loops", "gcn_out_in_no_loops"):
        with pytest.raises(ValueError, match=r"node 2 has the in-degree -2"):
            adjacency.aggregate(torch.ones(3, 1), name)
    assert adjacency.aggregate(torch.ones(3, 1), "sum").tolist() == [[0], [1], [-2]]
