"""The losses are ordinary functions: their derivatives are right, of any order and in any order."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck

from aiec_graph.core import AIEC, AIECLoss, AIECPenalty
from aiec_graph.core.functional import GATE_NORMS


def case(**options):
    """A layer with its decision weights as an input, and a function from inputs to a loss."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(9, 4, generator=g, dtype=torch.float64)
    y = torch.randint(3, (5,), generator=g)
    torch.manual_seed(2)
    layer = AIEC(4, 3, **options).double()
    weight = layer.decision.weight.detach().clone().requires_grad_()
    del layer.decision.weight  # so that a tensor may stand in for the parameter

    def loss(term, index, x, weight):
        layer.decision.weight = weight
        layer(x)
        class_weight = torch.tensor([1.0, 2.0, 3.0])
        penalty = AIECPenalty(layer, 1.0, 2.0, class_weight)
        penalty.start_epoch()
        return getattr(penalty(y, index), term)

    return loss, x.requires_grad_(), weight


INDEX = {
    "positions": torch.tensor([7, 0, 3, 4, 8]),
    "mask": torch.tensor([1, 0, 0, 1, 1, 0, 0, 1, 1]).bool(),
    "slice": slice(2, 7),
    "strided slice": slice(0, 9, 2),
}


@pytest.mark.parametrize("index", INDEX)
@pytest.mark.parametrize("gate_norm", GATE_NORMS)
def test_first_and_second_derivatives(gate_norm, index):
    loss, x, weight = case(gate="extrinsic", gate_norm=gate_norm)

    def total(x, weight):
        return loss("total", INDEX[index], x, weight)

    assert gradcheck(total, (x, weight))
    assert gradgradcheck(total, (x, weight))


@pytest.mark.parametrize("gate_norm", GATE_NORMS)
def test_second_derivatives_without_the_auxiliary_loss_in_the_features(gate_norm):
    loss, x, weight = case(gate="extrinsic", gate_norm=gate_norm, detach_aux=True)

    def of_weight(weight):
        return loss("aux", slice(2, 7), x.detach(), weight)

    assert gradcheck(of_weight, weight)
    assert gradgradcheck(of_weight, weight)
    (by_x,) = grad(loss("aux", slice(2, 7), x, weight), x, materialize_grads=True)
    assert (by_x == 0).all()
    (of_gate,) = grad(loss("gate", slice(2, 7), x, weight), x)
    assert (of_gate != 0).any()


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), AIEC(8), nn.Linear(8, 2)).double()


X = torch.randn(24, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
Y = torch.arange(24) % 2


def test_a_gradient_penalty_is_what_torch_makes_of_the_formula():
    """A gradient of a gradient by the first layer's weights, against the loss written out."""

    def penalised(total, weight):
        (first,) = grad(total, weight, create_graph=True)
        return grad(first.square().sum(), weight)[0]

    model = network()
    found = penalised(AIECLoss(model, 1.0, 2.0)(model(X), Y).total, model[0].weight)
    other = network()
    h = torch.relu(other[0](X))
    gates = model[1].gates().double()
    share = gates[Y] / gates[Y].sum(1, keepdim=True).clamp(min=1)
    total = F.cross_entropy(other[2](h), Y) + F.cross_entropy(h @ other[1].decision.weight.T, Y)
    expected = penalised(total + 2.0 * (h * share).sum(1).mean(), other[0].weight)
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 0


def test_losses_are_differentiated_one_after_the_other():
    decision, rest = ["1.decision.weight"], ["0.weight", "0.bias", "2.weight", "2.bias"]
    model = network()
    named = dict(model.named_parameters())
    losses = AIECLoss(model)(model(X), Y)
    expected_aux = grad(losses.aux, named["1.decision.weight"], retain_graph=True)
    expected = grad(losses.task, [named[n] for n in rest], retain_graph=True)
    losses.aux.backward(inputs=[named[n] for n in decision], retain_graph=True)
    losses.task.backward(inputs=[named[n] for n in rest])
    torch.testing.assert_close(named["1.decision.weight"].grad, *expected_aux)
    for name, value in zip(rest, expected, strict=True):
        torch.testing.assert_close(named[name].grad, value)


def test_each_loss_twice_is_twice_its_gradient():
    model = network()
    losses = AIECLoss(model)(model(X), Y)
    once = grad(losses.total, list(model.parameters()), retain_graph=True)
    parts = [grad(t, list(model.parameters()), retain_graph=True, materialize_grads=True)
             for t in (losses.task, losses.aux, losses.gate)]  # fmt: skip
    for whole, task, aux, gate in zip(once, *parts, strict=True):
        torch.testing.assert_close(whole, task + aux + 0.1 * gate)
    losses.total.backward(retain_graph=True)
    losses.total.backward()
    for p, g in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(p.grad, 2 * g)


def test_a_constant_input_is_no_error():
    layer = AIEC(5).double()
    layer(X)
    terms = AIECPenalty(layer)(Y)
    terms.total.backward()
    assert layer.decision.weight.grad.abs().sum() > 0
    assert not terms.gate.requires_grad


def test_a_gradient_is_whole_for_who_watches_it():
    """Hooks on the hidden features see the losses' part of their gradient."""
    model, seen = network(), []
    h = model[0](X)
    h.register_hook(lambda g: seen.append(g.clone()))
    losses = AIECLoss(model, lambda_gate=3.0)(model[2](model[1](h)), Y)
    (expected,) = grad(losses.total, h, retain_graph=True)
    seen.clear()
    losses.total.backward()
    torch.testing.assert_close(seen[0], expected)
