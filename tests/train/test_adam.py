"""Adam against torch's class."""

import pytest
import torch
from torch import nn

from aiec_graph.train.adam import Adam


def make_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 2), nn.Linear(2, 2))


def train(network, optimizer, x, steps=12):
    for step in range(steps):
        optimizer.zero_grad()
        # The last layer has no gradient at first: its own count of steps begins later.
        out = network(x) if step > 3 else network[:3](x)
        out.square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_it_is_torchs_to_the_last_bit(decay):
    x = torch.randn(20, 7)
    mine, theirs = make_network(), make_network()
    train(mine, Adam(mine.parameters(), 0.01, decay), x)
    adam = torch.optim.Adam(theirs.parameters(), 0.01, weight_decay=decay, fused=True)
    train(theirs, adam, x)
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_goes_on_from_its_state(tmp_path):
    x = torch.randn(20, 7)
    whole, first = make_network(), make_network()
    train(whole, Adam(whole.parameters(), 0.01, 0.0), x, 9)
    optimizer = Adam(first.parameters(), 0.01, 0.0)
    train(first, optimizer, x, 5)
    torch.save([first.state_dict(), optimizer.state_dict()], tmp_path / "state")
    second = make_network()
    again = Adam(second.parameters(), 0.01, 0.0)
    weights, state = torch.load(tmp_path / "state", weights_only=True)
    second.load_state_dict(weights)
    again.load_state_dict(state)
    for _ in range(4):
        again.zero_grad()
        second(x).square().sum().backward()
        again.step()
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="zip"):
        Adam(second[0].parameters(), 0.01, 0.0).load_state_dict(state)
