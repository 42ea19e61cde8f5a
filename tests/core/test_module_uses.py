"""What PyTorch allows with a module is allowed with AIEC inside."""

import copy
import io
import pickle

import pytest
import torch
from captum.attr import IntegratedGradients, LayerConductance
from torch import nn
from torch.nn.utils import parametrizations, prune

from aiec_graph.core import AIEC, AIECLoss, strip

X = torch.randn(24, 5, generator=torch.Generator().manual_seed(1))
Y = torch.arange(24) % 2


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), AIEC(8, **options), nn.Linear(8, 2))


def step(model, optimizer=None):
    loss = AIECLoss(model, lambda_gate=1.0)
    loss.start_epoch()
    losses = loss(model(X), Y)
    losses.total.backward()
    if optimizer is not None:
        optimizer.step()
        optimizer.zero_grad()
    return losses


def test_hooks_fire_and_what_they_return_is_taken():
    model, calls = network(), []
    model[1].register_forward_pre_hook(lambda m, args: calls.append("pre"))
    model[1].register_forward_hook(lambda m, args, out: calls.append("post"))
    model[1].threshold.register_forward_hook(lambda m, args, out: 2 * out)
    model[1].register_full_backward_hook(lambda m, gi, go: calls.append("back"))
    plain = network()
    expected = plain[2](2 * torch.relu(plain[0](X)))
    torch.testing.assert_close(model(X), expected)
    AIECLoss(model).clear()
    calls.clear()
    step(model)
    assert calls == ["pre", "post", "back"]


def test_global_hooks_fire():
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, a, o: seen.append(type(m)))
    try:
        network()(X)
    finally:
        handle.remove()
    assert AIEC in seen


@pytest.mark.parametrize("method", [IntegratedGradients, LayerConductance])
def test_captum_attributes_in_eval_mode(method):
    model = network().eval()
    explain = method(model) if method is IntegratedGradients else method(model, model[1])
    found = explain.attribute(X, target=1)
    stripped = strip(copy.deepcopy(model))
    other = method(stripped) if method is IntegratedGradients else method(stripped, stripped[1])
    torch.testing.assert_close(found, other.attribute(X, target=1))
    assert model[1]._captured is None


def test_captum_leaves_no_trace_in_a_step():
    """Attribution while training runs forward passes of its own; clear drops them."""
    model = network()
    IntegratedGradients(model).attribute(X, target=1, n_steps=3)
    with pytest.raises(RuntimeError, match="ran [2-9] times"):
        AIECLoss(model)(model(X), Y)
    AIECLoss(model).clear()
    assert step(model).total.isfinite()


@pytest.mark.parametrize("weights", ["weight norm", "pruned", "pruned decision"])
def test_weight_norm_and_pruning_train(weights):
    model = network()
    if weights == "weight norm":
        parametrizations.weight_norm(model[0])
        parametrizations.weight_norm(model[1].decision)
    else:
        pruned = model[0] if weights == "pruned" else model[1].decision
        prune.l1_unstructured(pruned, "weight", amount=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = [step(model, optimizer) for _ in range(4)]
    assert losses[-1].aux < losses[0].aux
    if weights == "pruned decision":
        assert (model[1].decision.weight == 0).sum() >= 8


def test_a_copy_and_a_pickle_are_whole_and_apart():
    model = network(tau=0.2, gate="union")
    step(model)
    model(X)  # a step under way is not copied
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(buffer, weights_only=False),
    ):
        assert twin[1]._captured is None
        assert twin[1].tau == 0.2
        assert torch.equal(twin[1].counter.theta, model[1].counter.theta)
        assert torch.equal(twin.eval()(X), copy.deepcopy(model).eval()(X))
        twin[1].counter.reset()
        assert model[1].counter.phi.sum() > 0


def test_the_threshold_is_one_number():
    model = network()
    model[1].tau = 0.5
    assert model[1].threshold.tau == 0.5
    model.eval()
    assert torch.equal(strip(copy.deepcopy(model))(X), model(X))
    assert not torch.equal(model(X), network().eval()(X))
    with pytest.raises(ValueError, match="tau"):
        model[1].tau = -1
    assert model[1].tau == 0.5


@pytest.mark.parametrize("fullgraph", [False, True])
def test_a_compiled_model_trains_as_it_does_eagerly(fullgraph):
    plain, model = network(), network()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=fullgraph)
    for _ in range(3):
        expected = step(plain)
        loss = AIECLoss(model, lambda_gate=1.0)
        loss.start_epoch()
        found = loss(compiled(X), Y)
        found.total.backward()
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)
    assert torch.equal(model[1].counter.theta, plain[1].counter.theta)


def test_a_layer_that_gates_in_its_own_way_is_asked():
    class Own(AIEC):
        def gates(self):
            return torch.ones(2, 4, dtype=torch.bool)

    layer = Own(4)
    out = layer(torch.randn(10, 4).requires_grad_())
    losses = AIECLoss(layer)(torch.zeros(10, 2), torch.arange(10) % 2)
    torch.testing.assert_close(losses.gate, out.mean())
