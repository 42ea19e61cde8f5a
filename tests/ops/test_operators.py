"""The operators against dense matrices, and whatever else PyTorch may do with an operator."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from aiec_graph import ops
from aiec_graph.nn import GCN, Adjacency, GraphSAGE
from aiec_graph.ops import kernels
from aiec_graph.ops.operators import _maximum, _weighted_sum, _winner_sum, segment_maximum


def csr(dense, index=torch.int32):
    """Row pointers, columns and values of a dense matrix."""
    row, column = dense.nonzero(as_tuple=True)
    counts = torch.bincount(row, minlength=len(dense))
    crow = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return crow.to(index), column.to(index), dense[row, column]


def random_matrix(rows, columns, seed=0, share=0.3, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    dense = torch.randn(rows, columns, generator=g, dtype=dtype)
    return dense * (torch.rand(rows, columns, generator=g) < share)


def loop_maximum(dense, x):
    """The maximum and its column, entry by entry; a NaN wins, the first of equals too."""
    out, winner = torch.zeros(len(dense), x.shape[1], dtype=x.dtype), []
    for i, row in enumerate(dense):
        winner.append([-1] * x.shape[1])
        for c in range(x.shape[1]):
            for j in row.nonzero()[:, 0].tolist():
                value, best = x[j, c], out[i, c]
                first = winner[i][c] == -1
                if first or value > best or (value.isnan() and not best.isnan()):
                    out[i, c], winner[i][c] = value, j
    return out, torch.tensor(winner, dtype=torch.int32).reshape(out.shape)


@pytest.fixture
def many_threads(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(kernels, "SMALL", 0)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [5, 70])
def test_equals_dense_matrices_in_one_thread_and_in_three(
    index, dtype, channels, many_threads, device
):
    dense = random_matrix(40, 30, share=0.1, dtype=dtype).to(device)
    matrix, back = csr(dense, index), csr(dense.T.contiguous(), index)
    # The columns lie together.
    x = torch.randn(channels, 30, dtype=dtype).to(device).T.requires_grad_()
    out = ops.weighted_sum(x, matrix, back)
    torch.testing.assert_close(out, dense @ x)
    upstream = torch.randn_like(out)
    (grad,) = torch.autograd.grad(out, x, upstream)
    torch.testing.assert_close(grad, dense.T @ upstream)
    best, winner = ops.maximum(x, *matrix[:2])
    expected, who = (part.to(device) for part in loop_maximum(dense.cpu(), x.detach().cpu()))
    assert torch.equal(best, expected)
    assert torch.equal(winner, who)
    (grad,) = torch.autograd.grad(best, x, upstream)
    placed = torch.zeros(31, channels, dtype=dtype, device=device)
    placed.scatter_add_(0, who.long().where(who >= 0, 30), upstream)
    torch.testing.assert_close(grad, placed[:30])
    torch.set_num_threads(1)
    torch.testing.assert_close(ops.weighted_sum(x, matrix), out)
    assert torch.equal(ops.maximum(x, *matrix[:2])[1], winner)
    assert torch.equal(ops.winner_sum(upstream, winner, 30), grad)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 6),
    st.lists(
        st.sampled_from([0.0, 1.0, -1.0, float("nan"), float("inf"), -float("inf")]), min_size=12
    ),
)
def test_maxima_of_equal_infinite_and_undefined_values(seed, rows, values):
    dense = random_matrix(rows, 6, seed, 0.5)
    x = torch.tensor(values[:12]).reshape(6, 2)
    out, winner = ops.maximum(x, *csr(dense)[:2])
    expected, who = loop_maximum(dense, x)
    torch.testing.assert_close(out, expected, equal_nan=True, rtol=0, atol=0)
    assert torch.equal(winner, who)
    gathered, other = segment_maximum(x, *csr(dense)[:2])
    torch.testing.assert_close(gathered, expected, equal_nan=True, rtol=0, atol=0)
    assert torch.equal(other, who)


def test_gradients_of_gradients():
    dense = random_matrix(7, 5, dtype=torch.float64)
    matrix, back = csr(dense), csr(dense.T.contiguous())
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    for function in (
        lambda x: ops.weighted_sum(x, matrix, back) ** 3,
        lambda x: ops.maximum(x, *matrix[:2])[0] ** 3,
    ):
        assert torch.autograd.gradcheck(function, (x,))
        assert torch.autograd.gradgradcheck(function, (x,))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # its own looking around
def test_torch_s_own_check_of_operators():
    dense = random_matrix(7, 5)
    matrix, back = csr(dense), csr(dense.T.contiguous())
    x = torch.randn(5, 3, requires_grad=True)
    torch.library.opcheck(_weighted_sum, (x, *matrix, *back))
    torch.library.opcheck(_maximum, (x, *matrix[:2]))
    winner = ops.maximum(x, *matrix[:2])[1]
    torch.library.opcheck(_winner_sum, (torch.randn(7, 3, requires_grad=True), winner, 5))


def test_vmap_is_the_loop_and_torch_func_s_gradients_name_what_to_use():
    dense = random_matrix(7, 5)
    matrix, back = csr(dense), csr(dense.T.contiguous())
    batch = torch.randn(4, 5, 3)
    for function in (
        lambda x: ops.weighted_sum(x, matrix, back),
        lambda x: ops.maximum(x, *matrix[:2])[0],
    ):
        expected = torch.stack([function(x) for x in batch])
        torch.testing.assert_close(torch.func.vmap(function)(batch), expected)
        with pytest.raises(NotImplementedError, match=r"torch\.autograd\.functional"):
            torch.func.jacrev(function)(batch[0])
        assert torch.autograd.functional.jacobian(function, batch[0]).shape == (7, 3, 5, 3)
    with pytest.raises(NotImplementedError, match="disjoint"):
        torch.func.vmap(lambda crow: ops.maximum(batch[0], crow, matrix[1]))(matrix[0].expand(2, 8))


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
def test_nothing_is_read_beyond_an_array(index):
    crow, column, value = csr(random_matrix(4, 3, share=0.9), index)
    x, far = torch.randn(3, 2), 2**30
    for position, wrong in ((0, -1), (0, far), (-1, 3), (1, -far)):
        broken = column.clone()
        broken[position] = wrong
        with pytest.raises(ValueError, match="out of range"):
            ops.weighted_sum(x, (crow, broken, value))
        with pytest.raises(ValueError, match="out of range"):
            ops.maximum(x, crow, broken)
    for position, wrong in ((0, -1), (4, far), (2, far), (1, -5)):
        broken = crow.clone()
        broken[position] = wrong
        with pytest.raises(ValueError, match="out of range"):
            ops.weighted_sum(x, (broken, column, value))
        with pytest.raises(ValueError, match="out of range"):
            ops.maximum(x, broken, column)
    for wrong in (3, far, -2):
        with pytest.raises(ValueError, match="out of range"):
            ops.winner_sum(torch.ones(1, 2), torch.tensor([[0, wrong]], dtype=torch.int32), 3)


def test_operands_that_do_not_fit_are_refused():
    crow, column, value = csr(random_matrix(4, 3))
    x = torch.randn(3, 2)
    for wrong, message in (
        ((x.half(), (crow, column, value)), "float32 or float64"),
        ((x[0], (crow, column, value)), "float32 or float64"),
        ((x.double(), (crow, column, value)), "values in torch.float64"),
        ((x, (crow, column, value[:-1])), "values"),
        ((x, (crow.float(), column, value)), "int32 or int64"),
        ((x, (crow.long(), column.int(), value)), "both be int32 or int64"),
        ((x, (crow[:0], column, value)), "row pointers"),
    ):
        with pytest.raises(ValueError, match=message):
            ops.weighted_sum(*wrong)
    out = ops.weighted_sum(x.requires_grad_(), (crow, column, value))
    with pytest.raises(RuntimeError, match="transpose"):
        out.sum().backward()
    with pytest.raises(RuntimeError, match="detach"):
        ops.weighted_sum(x, (crow, column, value.clone().requires_grad_()))
    with pytest.raises(ValueError, match="shape"):
        ops.winner_sum(torch.ones(2, 2), torch.zeros(1, 2, dtype=torch.int32), 3)


def test_empty_operands():
    crow, column = torch.zeros(4, dtype=torch.int32), torch.zeros(0, dtype=torch.int32)
    for shape in ((5, 2), (5, 0), (0, 2)):
        x = torch.randn(shape, requires_grad=True)
        none = (torch.zeros(len(x) + 1, dtype=torch.int32), column, torch.zeros(0))
        out = ops.weighted_sum(x, (crow, column, torch.zeros(0)), none)
        best, winner = ops.maximum(x, crow, column)
        assert out.shape == best.shape == (3, shape[1])
        assert not out.any()
        assert not best.any()
        assert (winner == -1).all()
        (out.sum() + best.sum()).backward()
        assert x.grad is not None
        assert not x.grad.any()


def test_threads_may_call_at_a_time(many_threads):
    dense = random_matrix(300, 300)
    matrix, x = csr(dense), torch.randn(300, 40)
    expected = ops.maximum(x, *matrix[:2])[0]
    found = []
    callers = [
        threading.Thread(target=lambda: found.append(ops.maximum(x, *matrix[:2])[0]))
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 8
    assert all(torch.equal(out, expected) for out in found)


def test_a_damaged_file_in_the_cache_is_compiled_anew(monkeypatch):
    class Damaged:
        py_func = staticmethod(kernels._winner_sum.py_func)

        def __call__(self, *_):
            raise EOFError("Ran out of input")

    monkeypatch.setattr(kernels, "_winner_sum", Damaged())
    winner = torch.tensor([[0, 1]], dtype=torch.int32)
    for _ in range(2):
        assert ops.winner_sum(torch.ones(1, 2), winner, 2).tolist() == [[1, 0], [0, 1]]


@pytest.fixture
def network():
    torch.manual_seed(0)
    edges = torch.randint(30, (2, 90))
    return GraphSAGE(4, 6, act="aiec").eval(), torch.randn(30, 4), edges


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_tracing_keeps_the_prepared_graph_and_refuses_an_edge_list(network):
    model, x, edges = network
    adjacency = Adjacency.from_edge_index(edges, 30)

    class Bound(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x, adjacency)

    model(x, adjacency)  # the tracer compares two passes, and would find the first to prepare
    traced = torch.jit.trace(Bound(), (x,))
    torch.testing.assert_close(traced(2 * x), model(2 * x, adjacency))
    with pytest.raises(RuntimeError, match=r"Adjacency\.from_edge_index"):
        torch.jit.trace(model, (x, edges))
    program = torch.export.export(Bound(), (x,))
    torch.testing.assert_close(program.module()(2 * x), model(2 * x, adjacency))
    with pytest.raises(RuntimeError, match=r"Adjacency\.from_edge_index"):
        torch.export.export(model, (x, edges))


@pytest.mark.filterwarnings("ignore")
def test_onnx_s_tracer_and_tensorboard_s_refuse_and_go_on(network, tmp_path):
    model, x, edges = network
    with pytest.raises(Exception, match=r"Adjacency|prepare"):
        torch.onnx.export(model, (x, edges), tmp_path / "a.onnx", dynamo=False)
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    with (
        tensorboard.SummaryWriter(str(tmp_path)) as writer,
        pytest.raises(RuntimeError, match="Adjacency"),
    ):
        writer.add_graph(model, (x, edges))
    assert model(x, edges).isfinite().all()


def test_the_meta_device_gives_shapes(network):
    _, x, edges = network
    adjacency = Adjacency.from_edge_index(edges, 30)
    with torch.device("meta"):
        models = [GCN(4, 6, act="aiec"), GraphSAGE(4, 6)]
    for model in models:
        out = model(x.to("meta"), adjacency)
        assert out.is_meta
        assert out.shape == (30, 2)
        out.sum().backward()
    with pytest.raises(RuntimeError, match=r"Adjacency\.from_edge_index"):
        models[0](x.to("meta"), edges.to("meta"))


def test_the_compiler_sees_ordinary_operators():
    dense = random_matrix(7, 5)
    matrix, back = csr(dense), csr(dense.T.contiguous())

    def function(x):
        return ops.maximum(torch.relu(ops.weighted_sum(x, matrix, back)), *back[:2])[0] * 2

    x = torch.randn(5, 3)
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), function(x))


def test_strided_rows_have_the_gradient_of_their_own_rows():
    """A slice with a step as the labelled rows: the other gradients are 0, none is left unwritten."""
    torch.manual_seed(0)
    adjacency = Adjacency.from_edge_index(torch.arange(20).repeat(2, 1), 20)
    model, x = GraphSAGE(3, 4, aggr="max"), torch.randn(20, 3, requires_grad=True)
    model.eval()
    (strided,) = torch.autograd.grad(model(x, adjacency)[::3].sum(), x)
    (named,) = torch.autograd.grad(model(x, adjacency)[torch.arange(0, 20, 3)].sum(), x)
    assert torch.equal(strided, named)
    others = np.setdiff1d(np.arange(20), np.arange(0, 20, 3))
    assert strided.any()
    assert not strided[others].any()
