"""Networks by name."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aiec_graph.nn import Adjacency
from aiec_graph.train import TrainSettings, build_model


@pytest.mark.parametrize("model", ["gcn", "sage"])
def test_under_one_seed_networks_differ_in_the_activation_alone(model):
    def weights(act):
        torch.manual_seed(1)
        network = build_model(model, act, 6, TrainSettings())
        return {k: v for k, v in network.state_dict().items() if not k.startswith("acts.")}

    relu, aiec = weights("relu"), weights("aiec")
    assert relu.keys() == aiec.keys()
    assert all(torch.equal(relu[k], aiec[k]) for k in relu)


def test_a_residual_layer_adds_its_input():
    torch.manual_seed(1)
    network = build_model("gcn", "relu", 4, TrainSettings(residual=True, hidden=4)).eval()
    x, adjacency = torch.randn(3, 4), Adjacency(sp.csr_array(np.eye(3, dtype=np.float32)))
    with torch.no_grad():
        first = network.acts[0](network.convs[0](x, adjacency))
        second = network.acts[1](network.convs[1](first, adjacency)) + first
        assert torch.allclose(network(x, adjacency), network.lin(second))
