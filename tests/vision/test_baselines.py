"""The baselines of Table 8, and ReLU and GELU by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from aiec_graph.bench.paper_images import paper_top1
from aiec_graph.bench.vision_config import VisionConfig
from aiec_graph.errors import InputError
from aiec_graph.vision import BACKBONES, VisionSettings, convert, make_backbone
from aiec_graph.vision.baselines import BETA, CBAM, GAMMA, GELUL0, ZETA, ReLUL0, SqueezeExcite
from aiec_graph.vision.naive import NaiveGELU, NaiveReLU


def test_by_hand_equals_the_library():
    x = torch.randn(50, 20, dtype=torch.double, requires_grad=True)
    for own, library in ((NaiveReLU(), F.relu), (NaiveGELU(), F.gelu)):
        assert torch.allclose(own(x), library(x), atol=1e-14)
        grads = [torch.autograd.grad(f(x).sum(), x)[0] for f in (own, library)]
        assert torch.allclose(*grads, atol=1e-12)


@pytest.mark.parametrize(("cls", "plain"), [(ReLUL0, F.relu), (GELUL0, F.gelu)])
def test_hard_concrete_gates(cls, plain):
    torch.manual_seed(0)
    layer = cls(3)
    with torch.no_grad():
        layer.log_alpha.copy_(torch.tensor([-9.0, 0.0, 9.0]))
    # The share of draws that leave a gate open is what the penalty expects (eq. 12 of the source).
    draws = torch.stack([layer.gates() for _ in range(20000)])
    expected = torch.sigmoid(layer.log_alpha - BETA * math.log(-GAMMA / ZETA))
    assert torch.allclose((draws > 0).float().mean(0), expected, atol=0.015)
    assert torch.allclose(layer.penalty(), expected.mean(), rtol=1e-5)
    layer.eval()
    assert torch.allclose(layer.gates(), torch.tensor([0.0, 0.5, 1.0]), atol=1e-3)
    x = torch.randn(2, 3, 4, 4)
    assert torch.allclose(layer(x), plain(x) * layer.gates().view(1, 3, 1, 1))
    tokens = torch.randn(2, 7, 3)
    assert torch.allclose(layer(tokens), plain(tokens) * layer.gates())
    layer.penalty().backward()
    assert (layer.log_alpha.grad > 0).all()


def test_tokens_are_squeezed_as_the_places_of_a_map_are():
    torch.manual_seed(0)
    layer = SqueezeExcite(16).eval()
    maps = torch.randn(2, 16, 3, 5)
    tokens = maps.flatten(2).mT
    assert torch.allclose(layer(tokens), layer(maps).flatten(2).mT, atol=1e-6)
    pooled = F.relu(maps).mean((2, 3), keepdim=True)
    scale = torch.sigmoid(layer.block.fc2(F.relu(layer.block.fc1(pooled))))
    assert torch.allclose(layer(maps), F.relu(maps) * scale, atol=1e-6)


@pytest.mark.parametrize("act", ["relu_l0", "gelu_l0", "senet", "relu_naive"])
@pytest.mark.parametrize("name", ["vit_tiny", "resnet18"])
def test_baselines_train_at_the_sites_of_aiec(name, act):
    torch.manual_seed(0)
    network = make_backbone(name, 10, 32)
    chosen = convert(network, act, num_classes=10, image_size=32, blocks=BACKBONES[name].blocks)
    plain = make_backbone(name, 10, 32)
    assert chosen == convert(
        plain, "aiec", num_classes=10, image_size=32, blocks=BACKBONES[name].blocks
    )
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    for place in chosen:
        for parameter in network.get_submodule(place).parameters():
            assert parameter.grad is not None


def test_cbam_fits_maps_alone():
    network = make_backbone("resnet18", 10, 32)
    names = convert(network, "cbam", num_classes=10, image_size=32, blocks=r"layer4\.1\.act[12]")
    assert all(isinstance(network.get_submodule(n), CBAM) for n in names)
    with pytest.raises(InputError, match="convolves over maps"):
        convert(make_backbone("vit_tiny", 10, 32), "cbam", num_classes=10, image_size=32)
    with pytest.raises(InputError, match=r"skip: \[\{backbone: vit_tiny, act: cbam\}\]"):
        VisionConfig(backbone=["vit_tiny"], act=["cbam"]).check()
    both = VisionConfig(act=["relu", "cbam"], skip=[{"backbone": "vit_tiny", "act": "cbam"}])
    both.check()
    assert [(c.backbone, c.act) for c in both.specs()] == [
        ("vit_tiny", "relu"),
        ("resnet18", "relu"),
        ("resnet18", "cbam"),
    ]


def test_the_papers_figures_stand_beside_the_full_protocol_alone():
    full = VisionSettings()
    assert paper_top1("cifar100", "vit_tiny", "aiec", full) == 71.1
    assert paper_top1("cifar10", "resnet18", "relu", full) == 95.0
    assert paper_top1("cifar100", "resnet18", "union", full) == 76.6
    assert paper_top1("cifar100", "vit_tiny", "cbam", full) is None
    assert paper_top1("cifar10", "vit_tiny", "union", full) is None
    assert paper_top1("digits", "vit_tiny", "relu", full) is None
    for changes in ({"epochs": 299}, {"limit_train": 9}, {"image_size": 64}, {"augment": "none"}):
        assert paper_top1("cifar10", "vit_tiny", "relu", VisionSettings(**changes)) is None
    assert paper_top1("cifar100", "vit_tiny", "aiec:tau=0.1", full) is None
