"""Tapes: what they repeat, and what breaks them."""

import pytest
import torch
from torch import nn

from aiec_graph import ops
from aiec_graph.nn.dense import linear
from aiec_graph.ops import build

pytestmark = pytest.mark.skipif(build.library() is None, reason="there is no C++ compiler")


def recorded(function):
    with ops.Tape() as tape:
        out = function()
    return tape, out


def test_a_tape_repeats_a_pass_and_its_gradients_on_new_contents():
    x, layer, ones = torch.randn(30, 7), nn.Linear(7, 5), torch.ones(20, 5)

    def gradients():
        layer.zero_grad()
        h = linear(x, layer.weight, layer.bias, relu=True)
        (h[:20] + h[10:]).backward(ones)
        return [p.grad for p in layer.parameters()]

    tape, found = recorded(gradients)
    assert tape.whole
    x.copy_(torch.randn(30, 7))
    with torch.no_grad():
        layer.weight.copy_(torch.randn(5, 7))
    tape.replay()
    replayed = [grad.clone() for grad in found]
    assert all(map(torch.equal, replayed, gradients()))
    assert all(grad.any() for grad in replayed)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x.sum().item(),
        lambda x: torch.rand(3),
        lambda x: x.bernoulli_(),
        lambda x: x.exp(),
        lambda x: bool(x[0, 0] > 0),
        lambda x: torch.cat([x, x]),
        lambda x: torch.ones_like(x).zero_(),
        lambda x: x.nonzero(),
    ],
)
def test_what_cannot_be_repeated_breaks_a_tape(step):
    x = torch.randn(4, 4)
    tape, _ = recorded(lambda: step(x))
    assert not tape.whole
    called = []
    repeated = ops.Repeated(ops.Surroundings([nn.ReLU()], [x]))
    for _ in range(3):
        repeated("step", lambda: (called.append(1), step(x)))
    assert len(called) == 3
    assert not repeated.whole


def test_adam_counts_its_steps_in_a_replay():
    one, other = (torch.ones(5, requires_grad=True) for _ in range(2))
    replayed, called = ops.Adam([one], 0.1), ops.Adam([other], 0.1)
    one.grad, other.grad = torch.arange(5.0), torch.arange(5.0)
    tape, _ = recorded(replayed.step)
    called.step()
    for _ in range(20):
        tape.replay()
        called.step()
    replayed.step(), called.step()
    assert torch.equal(one, other)
    assert one._version == other._version == 22
