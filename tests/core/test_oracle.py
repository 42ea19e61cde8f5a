"""The vectorised AIEC against Algorithm 1 in loops: counters, gates, losses, gradients."""

import itertools

import pytest
import torch

from aiec_graph.core import AIEC, AIECLoss
from aiec_graph.core.functional import GATE_NORMS, GATES
from tests.core.oracle import oracle


def losses_of(layer, x, y, *, lambda_aux=1.0, lambda_gate=0.0, class_weight=None, index=None):
    objective = AIECLoss(layer, lambda_aux, lambda_gate, class_weight)
    logits = torch.zeros(len(y), layer.num_classes, dtype=torch.float64, device=y.device)
    layer(x)
    return objective(logits, y, index)


def make_case(seed, samples, channels, classes, dead=False, absent=False):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, channels, generator=g, dtype=torch.float64)
    if dead:
        x = -x.abs()
    y = torch.randint(classes - absent, (samples,), generator=g)
    return x, y


CASES = {
    "two classes": {"samples": 17, "channels": 6, "classes": 2},
    "five classes": {"samples": 40, "channels": 9, "classes": 5},
    "a class absent": {"samples": 12, "channels": 4, "classes": 3, "absent": True},
    "all channels dead": {"samples": 8, "channels": 5, "classes": 2, "dead": True},
    "one sample": {"samples": 1, "channels": 3, "classes": 2},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("gate", "count"), list(itertools.product(GATES, ("correct", "all"))))
@pytest.mark.parametrize("gate_norm", GATE_NORMS)
def test_equals_the_loop(case, gate, count, gate_norm, device):
    for seed in range(3):
        x, y = (part.to(device) for part in make_case(seed, **CASES[case]))
        torch.manual_seed(seed)
        classes, channels = CASES[case]["classes"], x.shape[1]
        layer = AIEC(channels, classes, gate=gate, count=count, gate_norm=gate_norm).double()
        layer = layer.to(device)
        class_weight = torch.rand(classes, dtype=torch.float64).to(device) + 0.5
        weight = layer.decision.weight

        # Two batches of one epoch, so that the counters have something to add to.
        before = {"theta": layer.counter.theta.tolist(), "phi": layer.counter.phi.tolist()}
        for step in range(2):
            batch = (x + 0.1 * step).clone().requires_grad_()
            a = torch.relu(batch.detach())
            expected = oracle(
                *(a.tolist(), y.tolist(), weight.tolist(), before["theta"], before["phi"]),
                gate=gate,
                count=count,
                gate_norm=gate_norm,
                class_weight=class_weight.tolist(),
            )
            losses = losses_of(layer, batch, y, class_weight=class_weight)
            assert layer.counter.theta.tolist() == expected["theta"]
            assert layer.counter.phi.tolist() == expected["phi"]
            assert layer.gates().long().tolist() == expected["gates"]
            assert losses.aux.item() == pytest.approx(expected["aux"], abs=1e-6)
            assert losses.gate.item() == pytest.approx(expected["gate"], abs=1e-6)

            fired = (batch > 0).double().cpu()
            inputs = (batch, weight)
            by_x, by_weight = torch.autograd.grad(losses.aux, inputs, retain_graph=True)
            (gate_by_x,) = torch.autograd.grad(losses.gate, batch, allow_unused=True)
            for got, wanted, scale in (
                (by_weight, "aux_by_weight", 1),
                (by_x, "aux_by_a", fired),
                (gate_by_x, "gate_by_a", fired),
            ):
                wanted = scale * torch.tensor(expected[wanted]).double()
                torch.testing.assert_close(got.cpu(), wanted, atol=1e-6, rtol=0)
            before = expected


def test_only_labelled_samples_count():
    x, y = make_case(0, 30, 5, 2)
    index = torch.tensor([3, 4, 9, 20, 21])
    torch.manual_seed(0)
    whole, part = AIEC(5).double(), AIEC(5).double()
    part.load_state_dict(whole.state_dict())
    got = losses_of(whole, x.requires_grad_(), y[index], index=index, lambda_gate=1.0)
    expected = losses_of(part, x.detach()[index], y[index], lambda_gate=1.0)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.equal(whole.counter.theta, part.counter.theta)
    (grad,) = torch.autograd.grad(got.total, x)
    others = torch.ones(len(x), dtype=torch.bool)
    others[index] = False
    assert (grad[others] == 0).all()
    assert (grad[index] != 0).any()


def test_no_gradient_where_no_channel_is_gated():
    layer = AIEC(3).double()
    with torch.no_grad():
        layer.decision.weight.fill_(1.0)
    x = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    losses = losses_of(layer, x, torch.tensor([0, 1, 0, 1, 1]))
    assert losses.gate.item() == 0
    (grad,) = torch.autograd.grad(losses.gate, x)
    assert (grad == 0).all()


def test_class_that_was_never_counted_has_no_gate():
    layer = AIEC(3, count="correct").double()
    with torch.no_grad():  # class 0 wins always, so class 1 is never predicted right
        layer.decision.weight.copy_(torch.tensor([[1.0, 1, 1], [-1, -1, -1]]))
    x = torch.rand(6, 3, dtype=torch.float64)
    losses = losses_of(layer, x, torch.tensor([1, 1, 0, 0, 1, 1]))
    assert layer.counter.phi.tolist() == [2, 0]
    assert not layer.gates()[1].any()
    assert torch.isfinite(losses.total)
    assert torch.isnan(layer.counter.firing_rate[1]).all()
    assert (layer.counter.firing_rate[0] == 1).all()
