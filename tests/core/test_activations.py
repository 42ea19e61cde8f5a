"""The eight activations by name, and GDN against its formula."""

import pytest
import torch
from torch import nn

from aiec_graph.core import ACTIVATIONS, AIEC, GDN, make_activation
from aiec_graph.errors import InputError


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(6, 4), (2, 4, 3, 3), (2, 5, 4)])
def test_each_keeps_the_shape_and_has_a_gradient(name, shape):
    act = make_activation(name, 4)
    x = torch.randn(shape, requires_grad=True)
    out = act(x)
    assert out.shape == x.shape
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_the_eight_are_there():
    expected = {"softplus", "elu", "selu", "silu", "relu", "gelu", "gdn", "aiec"}
    assert set(ACTIVATIONS) == expected


def test_names_classes_and_options():
    assert isinstance(make_activation(nn.Tanh, 4), nn.Tanh)
    aiec = make_activation("aiec", 4, 3, {"gate": "union"})
    assert isinstance(aiec, AIEC)
    assert aiec.gate.mode == "union"
    assert aiec.decision.weight.shape == (3, 4)
    with pytest.raises(InputError, match="Did you mean 'relu'"):
        make_activation("rellu")
    with pytest.raises(TypeError, match="instance"):
        make_activation(nn.ReLU())
    with pytest.raises(TypeError, match="gates"):
        make_activation("aiec", 4, options={"gates": "union"})


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 4), (2, 5, 3)])
def test_gdn_equals_the_loop(shape):
    torch.manual_seed(0)
    gdn = GDN(3).double()
    with torch.no_grad():
        gdn.root_beta.uniform_(0.5, 2)
        gdn.root_gamma.uniform_(0, 1)
    x = torch.randn(shape, dtype=torch.float64)
    beta, gamma = gdn.root_beta**2 + 1e-6, gdn.root_gamma**2
    rows = x if len(shape) == 2 else x.movedim(1, -1) if len(shape) == 4 else x
    expected = torch.empty_like(rows)
    for i in range(3):
        energy = beta[i] + sum(gamma[i, j] * rows[..., j] ** 2 for j in range(3))
        expected[..., i] = rows[..., i] / energy.sqrt()
    expected = expected.movedim(-1, 1) if len(shape) == 4 else expected
    torch.testing.assert_close(gdn(x), expected)


def test_gdn_starts_as_published_and_learns_every_parameter():
    gdn = GDN(3)
    torch.testing.assert_close(gdn.root_beta**2 + 1e-6, torch.ones(3))
    torch.testing.assert_close(gdn.root_gamma**2, 0.1 * torch.eye(3), atol=1e-6, rtol=0)
    gdn(torch.randn(9, 3)).pow(2).sum().backward()
    assert (gdn.root_gamma.grad != 0).all()
    with pytest.raises(RuntimeError, match="build"):
        GDN()(torch.randn(2, 3))
