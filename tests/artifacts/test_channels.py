"""Activity levels and decision weights of a trained network's channels."""

import numpy as np
import pytest
import torch
from torch import nn

from aiec_graph.artifacts.channels import collect_features, measure_channels
from aiec_graph.core import AIEC, AIECLoss


def test_activity_is_counted_by_class():
    a = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    y = torch.tensor([0, 0, 1, 1])
    channels = measure_channels(nn.ReLU(), a, y, 2)
    assert channels.activity.tolist() == [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]
    assert not channels.own and not channels.gated.any()
    assert channels.weight[0, 0] > 0 > channels.weight[0, 1]
    assert np.allclose(channels.weight[0], -channels.weight[1])


def test_aiec_brings_its_own_weights_unless_asked_otherwise():
    torch.manual_seed(0)
    layer = AIEC(5, 3).train()
    objective = AIECLoss(layer)
    y = torch.arange(30) % 3
    objective(layer(torch.randn(30, 5, requires_grad=True))[:, :3], y)
    a = torch.rand(30, 5)
    channels = measure_channels(layer, a, y, 3)
    assert channels.own
    assert np.array_equal(channels.weight, layer.decision.weight.detach().numpy())
    assert np.array_equal(channels.gated, layer.gates().numpy())
    fitted = measure_channels(layer, a, y, 3, fit=True)
    assert not fitted.own and not np.array_equal(fitted.weight, channels.weight)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 2, 2), (4, 9, 6)])
def test_features_are_collected_over_batches(shape):
    act = nn.ReLU()
    model = nn.Sequential(act)
    x = torch.randn(shape)

    def forward():
        for part in x.split(2):
            model(part)
            yield torch.tensor([1])

    features = collect_features(forward, {"act": (act, "mean")})["act"]
    assert features.shape == (2, 6)
    assert not act._forward_hooks
