"""AIEC's contract with the modules around it."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from aiec_graph.core import AIEC, AIECLoss, strip
from aiec_graph.core.functional import one_hot_labels, threshold

EDGES = torch.tensor(
    [-float("inf"), -1.0, -1e-45, -0.0, 0.0, 1e-45, 1.0, float("inf"), float("nan")]
)


def net(**options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), AIEC(8, **options), nn.Linear(8, 2))


def step(model, x, y, **kwargs):
    objective = AIECLoss(model, lambda_gate=1.0, **kwargs)
    return objective(model(x), y)


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(1)
    return torch.randn(24, 5, generator=g), torch.randint(2, (24,), generator=g)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_eval_is_relu_bit_for_bit(dtype):
    x = torch.cat([EDGES, torch.randn(100)]).to(dtype)[None]
    layer = AIEC(x.shape[1]).eval()
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    assert torch.equal(layer(x).view(bits), torch.relu(x).view(bits))


def test_threshold_passes_only_what_exceeds_it():
    x = torch.tensor([-1.0, 0.0, 0.5, 0.50001, 2.0])
    assert threshold(x, 0.5).tolist() == [0, 0, 0, pytest.approx(0.50001), 2]


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_strip_leaves_a_threshold_and_the_same_outputs(batch, tau):
    model = net(tau=tau)
    step(model, *batch).total.backward()
    model.eval()
    before = model(batch[0])
    stripped = strip(copy.deepcopy(model))
    assert torch.equal(stripped(batch[0]), before)
    assert not any(isinstance(m, AIEC) for m in stripped.modules())
    assert set(stripped.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert not list(stripped[1].parameters()) and not list(stripped[1].buffers())
    assert not any(isinstance(m, AIEC) for m in [strip(AIEC(3))])


def test_eval_changes_no_buffer_and_keeps_nothing(batch):
    model = net()
    step(model, *batch)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.eval()
    model(batch[0])
    losses = AIECLoss(model)(model(batch[0]), batch[1])
    assert losses.total == losses.task
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model[1]._captured is None


def test_counters_are_cleared_when_an_epoch_begins(batch):
    model = net(count="all")
    objective = AIECLoss(model)
    for steps in (1, 2):
        objective(model(batch[0]), batch[1])
        assert model[1].counter.phi.sum() == 24 * steps
    objective.start_epoch()
    assert model[1].counter.phi.sum() == 0
    assert model[1].counter.theta.sum() == 0


def test_state_dict_round_trip_reproduces_outputs_and_counters(batch, tmp_path):
    model = net()
    step(model, *batch)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = net()
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(other[1].counter.theta, model[1].counter.theta)
    assert torch.equal(other.eval()(batch[0]), model.eval()(batch[0]))


def test_deepcopy_in_the_middle_of_a_step(batch):
    model = net()
    logits = model(batch[0])
    twin = copy.deepcopy(model)
    AIECLoss(model)(logits, batch[1])
    assert twin[1]._captured is None
    assert step(twin, *batch).total.isfinite()


class Checkpointed(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return checkpoint(self.inner, x, use_reentrant=False)


def test_gradient_checkpointing_counts_once_and_gives_the_same_gradients(batch):
    plain, other = net(), net()
    step(plain, *batch).total.backward()
    wrapped = Checkpointed(other)
    for _ in range(2):  # a second step must not meet the recomputation of the first
        other.zero_grad()
        AIECLoss(wrapped).start_epoch()
        step(wrapped, *batch).total.backward()
    for p, q in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    assert torch.equal(plain[1].counter.theta, other[1].counter.theta)


def test_gradient_accumulation_adds_up(batch):
    x, y = batch
    whole, parts = net(count="all", gate="all"), net(count="all", gate="all")
    step(whole, x, y).total.backward()
    for half in (slice(0, 12), slice(12, 24)):
        (step(parts, x[half], y[half]).total / 2).backward()
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    assert torch.equal(whole[1].counter.theta, parts[1].counter.theta)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_counts_are_exact_under_autocast(dtype):
    # 3001 activations are no bfloat16 and no float16 number.
    model = nn.Sequential(AIEC(4, count="all"))
    x, y = torch.ones(3001, 4), torch.zeros(3001, dtype=torch.long)
    objective = AIECLoss(model)
    with torch.autocast("cpu", dtype):
        model(x.to(dtype))
        losses = objective(torch.zeros(3001, 2, dtype=dtype), y)
    assert (model[0].counter.theta[0] == 3001).all()
    assert model[0].counter.phi.tolist() == [3001, 0]
    assert losses.total.dtype == torch.float32
    assert losses.total.isfinite()


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_compiles_and_exports_in_eval_mode(batch, tau):
    model = net(tau=tau).eval()
    expected = model(batch[0])
    exported = torch.export.export(model, (batch[0],)).module()
    assert torch.equal(exported(batch[0]), expected)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(batch[0]), expected)


def test_maps_and_tokens_are_counted_by_their_global_feature():
    y = torch.tensor([0, 1, 1])
    maps = torch.randn(3, 4, 5, 6)
    tokens = torch.randn(3, 7, 4)
    for x, pooling, expected in (
        (maps, "mean", torch.relu(maps).mean((2, 3))),
        (tokens, "mean", torch.relu(tokens).mean(1)),
        (tokens, "class_token", torch.relu(tokens)[:, 0]),
    ):
        layer = AIEC(4, pooling=pooling)
        AIECLoss(layer)
        assert layer(x).shape == x.shape
        statistics = layer.batch_statistics(one_hot_labels(y, 2))
        torch.testing.assert_close(statistics.a, expected)
    with pytest.raises(ValueError, match="not a tensor of shape"):
        layer = AIEC(4)
        layer(torch.randn(2, 4, 4, 4, 4))
        layer.batch_statistics(one_hot_labels(torch.tensor([0, 1]), 2))


def test_detach_aux_keeps_the_auxiliary_loss_out_of_the_features(batch):
    for detach, reaches in ((True, False), (False, True)):
        model = net(detach_aux=detach)
        losses = AIECLoss(model)(model(batch[0]), batch[1])
        (grad,) = torch.autograd.grad(losses.aux, model[0].weight, materialize_grads=True)
        assert bool(grad.any()) is reaches
        assert model[1].decision.weight.requires_grad


def test_misuse_says_what_to_do(batch):
    x, y = batch
    model = net()
    with pytest.raises(RuntimeError, match="ran no forward pass"):
        AIECLoss(model)(torch.zeros(24, 2), y)
    with torch.no_grad():
        model(x)
    with pytest.raises(RuntimeError, match="with gradients enabled"):
        AIECLoss(model)(torch.zeros(24, 2), y)
    model(x), model(x)
    with pytest.raises(RuntimeError, match="ran 2 times"):
        AIECLoss(model)(torch.zeros(24, 2), y)
    unbuilt = nn.Sequential(nn.Linear(5, 2), AIEC())
    with pytest.raises(RuntimeError, match="number of channels"):
        AIECLoss(unbuilt)(unbuilt(x), y)
    with pytest.raises(RuntimeError, match="unbuilt"):
        unbuilt[1].gates()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": -1}, "tau"),
        ({"tau": float("nan")}, "tau"),
        ({"gate": "consensos"}, "consensus"),
        ({"count": "some"}, "correct"),
        ({"gate_norm": "l1"}, "abs"),
        ({"pooling": "max"}, "class_token"),
        ({"num_classes": 1}, "at least 2"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        AIEC(4, **options)
    with pytest.raises(ValueError, match="lambda"):
        AIECLoss(nn.Identity(), lambda_gate=-1)


def test_permuting_the_samples_changes_nothing(batch):
    x, y = batch
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3))
    one, other = net(), net()
    for a, b in zip(step(one, x, y), step(other, x[order], y[order]), strict=True):
        torch.testing.assert_close(a, b)
    assert torch.equal(one[1].counter.theta, other[1].counter.theta)


def test_the_objective_owns_no_parameters_and_averages_over_layers(batch):
    x, y = batch
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), AIEC(8), nn.Linear(8, 6), AIEC(6), nn.Linear(6, 2))
    objective = AIECLoss(model, lambda_aux=0.5, lambda_gate=2.0)
    assert not list(objective.parameters())
    losses = objective(model(x), y)
    assert len(objective.layers()) == 2
    torch.testing.assert_close(losses.total, losses.task + 0.5 * losses.aux + 2 * losses.gate)
    losses.total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_an_output_changed_in_place_is_refused(batch):
    layer = AIEC(5, tau=0.1)
    out = layer(batch[0] * torch.ones(5, requires_grad=True))
    out -= 5
    with pytest.raises(RuntimeError, match="in place"):
        AIECLoss(layer)(torch.zeros(24, 2), batch[1])


def test_small_means_of_half_precision_maps_still_count():
    maps = torch.zeros(2, 1, 64, 64, dtype=torch.float16)
    maps[:, :, 0, 0] = 1e-4
    layer = AIEC(1, count="all")
    layer(maps)
    AIECLoss(layer)(torch.zeros(2, 2), torch.tensor([0, 1]))
    assert layer.counter.theta.tolist() == [[1], [1]]


def test_a_batch_without_labels_gives_zero_and_not_nan(batch):
    losses = AIECLoss(model := net())(model(batch[0])[:0], batch[1][:0], batch[1][:0])
    assert [value.item() for value in losses] == [0, 0, 0, 0]
    losses.total.backward()
