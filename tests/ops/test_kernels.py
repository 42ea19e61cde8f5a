"""The compiled kernels against torch in double precision, and against loops."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from aiec_graph.core import AIEC, AIECLoss
from aiec_graph.nn import Adjacency, SAGEConv
from aiec_graph.nn.dense import fork, linear
from aiec_graph.nn.kernels import maximum, maximum_backward
from aiec_graph.nn.propagate import maximum as maximum_of
from aiec_graph.nn.propagate import pooled
from aiec_graph.ops import build, ops
from aiec_graph.train import TrainSettings, build_model
from tests.core.oracle import oracle

pytestmark = pytest.mark.skipif(build.library() is None, reason="there is no C++ compiler")
NEAR = {"atol": 2e-4, "rtol": 2e-4}
CPU = torch.device("cpu")


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def without(monkeypatch):
    """A switch that takes the kernels away."""
    return lambda: monkeypatch.setattr(ops, "_kernels", lambda: None)


@pytest.mark.parametrize("rows", [0, 1, 13, 2500])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (10, 32), (32, 2), (65, 33), (64, 64)])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("second", [None, "first rows", "some rows", "some constant rows"])
def test_linear_equals_torch(rows, inputs, outputs, relu, second):
    operands = [random(rows, inputs), random(outputs, inputs, seed=1), random(outputs, seed=2)]
    operands += [random(outputs, 7, seed=4), random(rows + 3, 7, seed=3)] if second else []
    fast = [x.clone().requires_grad_() for x in operands]
    slow = [x.double().requires_grad_() for x in operands]
    if second == "some constant rows":
        fast[-1], slow[-1] = (x[-1].detach() for x in (fast, slow))
    order = None
    if second and second != "first rows":
        order = torch.randperm(rows + 3, generator=torch.Generator().manual_seed(6))[:rows]

    def mapped(x, weight, bias, weight2=None, x2=None):
        return linear(x, weight, bias, x2, order, weight2, relu)

    out, expected = mapped(*fast), mapped(*slow)
    assert "_Linear" in str(out.grad_fn)
    assert "_Linear" not in str(expected.grad_fn)
    torch.testing.assert_close(out.double(), expected, **NEAR)
    grad = random(rows, outputs, seed=5)
    grad[rows // 2 :] = 0  # as of rows without a label
    out.backward(grad), expected.backward(grad.double() * (out > 0) if relu else grad.double())
    for one, other in zip(fast, slow, strict=True):
        if one.requires_grad:
            torch.testing.assert_close(one.grad.double(), other.grad, **NEAR)


def test_what_comes_back_to_a_fork_is_added_up_once_and_twice():
    def through(fork, x):
        whole, first = fork(x, 3)
        return whole.pow(3).sum() + first.pow(4).sum()

    free = random(5, 4).requires_grad_()
    assert "_Fork" in str(fork(free, 3)[1].grad_fn)
    found = []
    for function in (fork, lambda x, n: (x, x[:n])):
        (once,) = torch.autograd.grad(through(function, free), free)
        (again,) = torch.autograd.grad(through(function, free), free, create_graph=True)
        torch.testing.assert_close(again, once)
        found.append((once, torch.autograd.grad(again.square().sum(), free)[0]))
    torch.testing.assert_close(*found)


def test_linear_without_bias_and_in_part():
    x, w = random(40, 5), random(6, 5).requires_grad_()
    linear(x, w, None).sum().backward()
    torch.testing.assert_close(w.grad, x.sum(0).expand(6, 5), **NEAR)
    bias = torch.zeros(6, requires_grad=True)
    linear(x, w.detach(), bias).sum().backward()
    torch.testing.assert_close(bias.grad, torch.full((6,), 40.0))


def test_linear_is_differentiable_twice():
    x, w = random(9, 4).requires_grad_(), random(3, 4).requires_grad_()
    found = []
    for function in (linear, F.linear):
        (by_x,) = torch.autograd.grad(function(x, w, None).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(by_x.square().sum(), w)[0])
    torch.testing.assert_close(*found, **NEAR)


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match="agree"):
        linear(random(4, 5), random(3, 6), None)
    with pytest.raises(ValueError, match="agree"):
        counts = torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, dtype=torch.long)
        ops.judge(random(4, 5), counts[1], random(2, 5), None, False, (1, True), *counts)


@pytest.mark.parametrize("channels", [1, 10, 16, 32, 33, 48, 64, 100])
@pytest.mark.parametrize("nodes", [9, 700])
def test_sums_and_maxima_equal_the_loops(channels, nodes):
    edges = torch.randint(nodes - 2, (2, 8 * nodes), generator=torch.Generator().manual_seed(1))
    adjacency = Adjacency.from_edge_index(edges, nodes, random(8 * nodes).abs())
    matrix = adjacency._form("sum", torch.float32, CPU).forward
    x = random(nodes, channels)
    x[nodes // 2 :] *= random(nodes - nodes // 2, 1, seed=3) > 0
    torch.testing.assert_close(
        ops.sums(matrix, x).double(), matrix.to_dense().double() @ x.double(), **NEAR
    )
    x[3, 0] = float("nan")
    for values in (x, x.nan_to_num(7.0)):
        crow, column = matrix.crow_indices(), matrix.col_indices()
        (out, winner), (expected, who) = (
            ops.maxima(crow, column, values),
            maximum(crow, column, values),
        )
        assert torch.equal(winner, who)
        torch.testing.assert_close(out, expected, equal_nan=True, atol=0, rtol=0)
        grad = random(nodes, channels, seed=2)
        grad[nodes // 2 :] = 0
        back = ops.to_winners(grad, winner, nodes)
        torch.testing.assert_close(back, maximum_backward(grad, who, nodes), **NEAR)


@pytest.mark.parametrize("channels", [64, 100])
@pytest.mark.parametrize("number", [0.5, float("nan")])
def test_maxima_of_long_rows_over_more_than_a_cache_holds_equal_the_loops(channels, number):
    nodes, entries = 20_000, 800_000
    edges = torch.randint(nodes, (2, entries), generator=torch.Generator().manual_seed(1))
    edges[1] %= entries // 40  # the rows with entries; the other nodes are sources only
    matrix = Adjacency.from_edge_index(edges, nodes)._form("max", torch.float32, CPU).forward
    crow, column = matrix.crow_indices()[: entries // 40 + 1], matrix.col_indices()
    x = random(nodes, channels).round(decimals=1)  # so that many are equal
    x[7, 20] = number
    (out, winner), (expected, who) = ops.maxima(crow, column, x), maximum(crow, column, x)
    assert torch.equal(winner, who)
    torch.testing.assert_close(out, expected, equal_nan=True, atol=0, rtol=0)
    grad = random(*out.shape, seed=2)
    back = ops.to_winners(grad, winner, nodes)
    torch.testing.assert_close(back, maximum_backward(grad, who, nodes), **NEAR)


@pytest.mark.parametrize("channels", [1, 10, 33, 64, 100, 120])
@pytest.mark.parametrize(("nodes", "degree"), [(700, 8), (20_000, 40)])
@pytest.mark.parametrize("number", [0.5, float("nan")])
def test_pooling_equals_its_parts(channels, nodes, degree, number):
    edges = torch.randint(nodes, (2, degree * 500), generator=torch.Generator().manual_seed(1))
    edges[1] %= 500  # the other nodes are sources only
    edges[0, 0] = 7
    whole = Adjacency.from_edge_index(edges, nodes)._form("max", torch.float32, CPU).forward
    crow = torch.cat([whole.crow_indices()[:501], whole.crow_indices()[500:501]])  # one is empty
    column = whole.col_indices()
    parts = (crow, column, whole.values())
    matrix = torch.sparse_csr_tensor(*parts, (501, nodes), check_invariants=True)
    # Many are equal, and in some channels most or all are 0.
    x = random(nodes, 10).round(decimals=1)
    x[7, 3] = number
    bias = random(channels, seed=2) - 5.0 * (torch.arange(channels) % 5 == 0)
    one = [t.requires_grad_() for t in (x, random(channels, 10, seed=1), bias)]
    other = [t.detach().clone().requires_grad_() for t in one]
    out, expected = pooled(*one, matrix), maximum_of(linear(*other, relu=True), matrix)
    assert "_Pooled" in str(out.grad_fn)
    torch.testing.assert_close(out, expected, equal_nan=True, **NEAR)
    assert out.isnan().any() == math.isnan(number)
    if number == number:
        assert (out[:, 0] == 0).any()
        for result in (out, expected):
            result.backward(random(501, channels, seed=3))
        for p, q in zip(one, other, strict=True):
            torch.testing.assert_close(p.grad, q.grad, **NEAR)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_equals_torch(scale, classes, weighted):
    logits = scale * random(1500, classes)
    y = torch.randint(classes, (1500,), generator=torch.Generator().manual_seed(0))
    weight = random(classes, seed=1).abs() + 0.1 if weighted else None
    grad, (loss, mass, _) = ops.cross_entropy(logits, y, weight)
    wide = logits.double().requires_grad_()
    expected = F.cross_entropy(wide, y, None if weight is None else weight.double())
    assert loss / mass == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    torch.testing.assert_close(grad.double() / mass, wide.grad, atol=1e-7, rtol=1e-4)


def test_a_logit_that_is_no_number_makes_the_loss_none():
    for bad in (float("nan"), float("inf")):
        logits = torch.tensor([[0.0, 1.0], [bad, 0.0]])
        loss = ops.cross_entropy(logits, torch.tensor([0, 1]), None)[1][0]
        assert not math.isfinite(loss)
        assert loss != float("-inf")


@pytest.mark.parametrize(
    ("samples", "channels", "classes"), [(1, 3, 2), (40, 6, 2), (40, 35, 2), (50, 19, 4)]
)
@pytest.mark.parametrize("count", ["correct", "all"])
def test_the_objective_equals_algorithm_1(samples, channels, classes, count):
    x = random(samples + 5, channels)
    y = torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    layer = AIEC(channels, classes, count=count)
    weights = [1.0 + k for k in range(classes)]
    nothing = [[0] * channels] * classes, [0] * classes
    rows = slice(2, samples + 2)
    a = torch.relu(x)[rows]
    expected = oracle(
        *(a.tolist(), y.tolist(), layer.decision.weight.tolist(), *nothing),
        gate="consensus", count=count, gate_norm="abs", class_weight=weights,
    )  # fmt: skip
    objective = AIECLoss(layer, 1.0, 1.0, torch.tensor(weights))
    x.requires_grad_()
    layer(x)
    losses = objective(torch.zeros(samples, classes), y, rows)
    assert "_Losses" in str(losses.total.grad_fn)
    assert layer.counter.theta.tolist() == expected["theta"]
    assert layer.counter.phi.tolist() == expected["phi"]
    assert losses.aux.item() == pytest.approx(expected["aux"], abs=1e-5)
    assert losses.gate.item() == pytest.approx(expected["gate"], abs=1e-5)
    for loss, of_a in ((losses.aux, "aux_by_a"), (losses.gate, "gate_by_a")):
        by_x, by_w = torch.autograd.grad(loss, (x, layer.decision.weight), retain_graph=True)
        torch.testing.assert_close(
            by_x[rows], (a > 0) * torch.tensor(expected[of_a]), atol=1e-5, rtol=0
        )
        assert by_x[:2].abs().sum() + by_x[samples + 2 :].abs().sum() == 0
        if loss is losses.aux:
            torch.testing.assert_close(
                by_w, torch.tensor(expected["aux_by_weight"]), atol=1e-5, rtol=0
            )


def test_a_layer_that_gates_in_its_own_way_is_asked():
    class Own(AIEC):
        def gates(self):
            return torch.ones(2, 4, dtype=torch.bool)

    layer, x, y = Own(4), random(10, 4), torch.arange(10) % 2
    out = layer(x.requires_grad_())
    losses = AIECLoss(layer)(torch.zeros(10, 2), y)
    assert losses.gate.item() == pytest.approx(out.mean().item(), rel=1e-5)


def test_labels_outside_the_classes_never_reach_the_kernels():
    with pytest.raises((IndexError, RuntimeError)):
        AIECLoss(nn.Identity())(torch.zeros(3, 2), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adam_equals_torch(decay):
    shapes = [(3, 4), (7,), (40, 33)]
    one = [random(*shape).requires_grad_() for shape in shapes]
    other = [p.detach().clone().requires_grad_() for p in one]
    fast = ops.Adam(one, 0.01, decay)
    slow = torch.optim.Adam(other, 0.01, weight_decay=decay)
    for step in range(20):
        for p, q in zip(one, other, strict=True):
            if step != 3 or p.dim() == 2:  # once, one of them has no gradient
                p.grad = random(*p.shape, seed=step)
                q.grad = p.grad.clone()
        if step != 3:
            fast.step(), slow.step()
        fast.zero_grad(), slow.zero_grad()
    for p, q in zip(one, other, strict=True):
        torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("model", ["gcn", "sage"])
def test_networks_give_the_same_without_the_kernels_and_for_any_threads(model, without):
    nodes = 3000
    edges = torch.randint(nodes, (2, 20000), generator=torch.Generator().manual_seed(0))
    x, y = random(nodes, 20), torch.arange(1100) % 2
    threads = torch.get_num_threads()

    def gradients():
        torch.manual_seed(0)
        network = build_model(model, "aiec", 20, TrainSettings())
        rows = slice(0, 1100)
        AIECLoss(network)(network(x, edges)[rows], y, rows).total.backward()
        return [p.grad for p in network.parameters()]

    try:
        torch.set_num_threads(1)
        one = gradients()
        torch.set_num_threads(2)
        two = gradients()
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, one, two))
    without()
    for fast, slow in zip(one, gradients(), strict=True):
        torch.testing.assert_close(fast, slow, **NEAR)


@pytest.mark.parametrize("way", ["plain", "twice", "retained", "hooked", "asked for", "all asked"])
def test_a_gradient_is_whole_for_who_watches_it(way, without):
    """The losses' part of a hidden gradient skips autograd only where nobody can tell."""
    edges = torch.randint(50, (2, 300), generator=torch.Generator().manual_seed(0))
    x, y, rows = random(50, 9), torch.arange(20) % 2, slice(5, 25)

    def gradients(way):
        torch.manual_seed(0)
        network = build_model("sage", "aiec", 9, TrainSettings(hidden=20))
        parameters, hidden, seen = list(network.parameters()), [], []
        network.convs[0].register_forward_hook(lambda module, args, out: hidden.append(out))
        total = AIECLoss(network)(network(x, edges)[rows], y, rows).total
        if way == "all asked":
            found = torch.autograd.grad(total, [*parameters, *hidden])
            return found[:-1], found[-1]
        if way == "asked for":
            seen = torch.autograd.grad(total, hidden, retain_graph=True)
        elif way == "twice":
            total.backward(retain_graph=True)
            network.zero_grad()
        elif way == "retained":
            hidden[0].retain_grad()
        elif way == "hooked":
            hidden[0].register_hook(lambda grad: seen.append(grad.clone()))
        total.backward()
        seen = [hidden[0].grad] if way == "retained" else seen
        return [p.grad for p in parameters], seen[0] if seen else None

    found, of_hidden = gradients(way)
    without()
    expected, expected_of_hidden = gradients("all asked")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    if of_hidden is None:
        assert way in ("plain", "twice")
    else:
        torch.testing.assert_close(of_hidden, expected_of_hidden, atol=1e-6, rtol=1e-4)


def test_a_maximum_of_no_channels():
    x = torch.zeros(3, 0, requires_grad=True)
    out = Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 3).aggregate(x, "max")
    out.sum().backward()
    assert out.shape == x.grad.shape == (3, 0)


def test_pooling_over_no_edges_has_no_gradient_by_the_map():
    conv = SAGEConv(4, 3, aggr="pool")
    conv(random(5, 4), torch.zeros(2, 0, dtype=torch.long)).sum().backward()
    assert conv.lin.weight.grad is None
