"""L0 gates on graphs: gates of the paper's rival, in AIEC's place."""

import pytest
import torch

import research.l0  # noqa: F401 (registers the variant)
from aiec_graph.core import AIECLoss
from aiec_graph.train import TrainSettings, build_model


def test_gates_are_drawn_in_training_and_their_open_share_is_the_loss():
    torch.manual_seed(0)
    settings = TrainSettings(hidden=8, act_options={"variant": "l0"})
    network = build_model("gcn", "aiec", 5, settings)
    assert not network.trains_as_it_predicts
    assert build_model("gcn", "relu", 5, TrainSettings(hidden=8)).trains_as_it_predicts
    x, edges = torch.randn(30, 5), torch.randint(30, (2, 90))
    y = torch.randint(2, (30,))
    assert not torch.equal(network(x, edges), network(x, edges))
    for act in network.acts:
        act.clear()
    losses = AIECLoss(network, 0.0, 1.0)(network(x, edges), y)
    # P(z > 0) = sigmoid(log α - β log(-γ / ζ)), with the paper's constants and 0.9 to begin with.
    expected = torch.sigmoid(torch.logit(torch.tensor(0.9)) - 2 / 3 * torch.tensor(0.1 / 1.1).log())
    assert losses.gate.item() == pytest.approx(expected.item())
    losses.total.backward()
    assert network.acts[0].gated.log_alpha.grad.abs().sum() > 0
    network.eval()
    assert torch.equal(network(x, edges), network(x, edges))
