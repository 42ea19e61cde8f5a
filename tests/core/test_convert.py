"""Putting activations into existing models."""

import pytest
import torch
from torch import nn

from aiec_graph.core import AIEC, GDN, AIECLoss, build_activations, convert


def mlp(act=nn.ReLU):
    return nn.Sequential(
        nn.Linear(5, 8), act(), nn.Sequential(nn.Linear(8, 6), act()), nn.Linear(6, 2)
    )


def test_each_site_gets_its_own_instance_of_its_width():
    model = mlp()
    x = torch.randn(4, 5)
    before = model.eval()(x)
    model.train()
    assert convert(model, "aiec", (x,)) == ["1", "2.1"]
    assert model[1] is not model[2][1]
    assert model[1].decision.weight.shape == (2, 8)
    assert model[2][1].decision.weight.shape == (2, 6)
    assert model.training and model[1].training
    assert torch.equal(model.eval()(x), before)


def test_one_instance_at_two_places_becomes_two():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(5, 8), shared, nn.Linear(8, 8), shared, nn.Linear(8, 2))
    assert convert(model, "aiec", (torch.randn(4, 5),)) == ["1", "3"]
    assert model[1] is not model[3]


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act = nn.Linear(5, 5), nn.ReLU()

    def forward(self, x):
        return self.act(self.a(self.act(x)))


def test_a_site_that_runs_twice_is_refused_and_the_model_stays():
    model = Twice()
    with pytest.raises(ValueError, match="'act' ran 2 times"):
        convert(model, "aiec", (torch.randn(4, 5),))
    assert isinstance(model.act, nn.ReLU)
    with pytest.raises(ValueError, match="no activation module"):
        convert(nn.Linear(2, 2), "aiec", (torch.randn(1, 2),))


def test_where_chooses():
    model = mlp(nn.GELU)
    replaced = convert(
        model,
        "aiec",
        (torch.randn(4, 5),),
        where=lambda name, m: name.startswith("2.") and isinstance(m, nn.GELU),
    )
    assert replaced == ["2.1"]
    assert isinstance(model[1], nn.GELU)


def test_dtype_and_options_carry_over():
    model = mlp().double()
    options = {"gate": "union", "tau": 0.1}
    convert(model, "aiec", (torch.randn(4, 5).double(),), num_classes=3, options=options)
    assert model[1].decision.weight.dtype == torch.float64
    assert model[1].decision.weight.shape == (3, 8)
    assert model[1].gate.mode == "union"
    convert(model, "gdn", (torch.randn(4, 5).double(),))
    assert isinstance(model[1], GDN)


def test_models_that_make_the_activation_from_a_class():
    model = mlp(AIEC)
    build_activations(model, (torch.randn(4, 5),))
    y = torch.tensor([0, 1, 0, 1])
    assert AIECLoss(model)(model(torch.randn(4, 5)), y).total.isfinite()
