"""Where channels are: declared, followed through a forward pass, or refused."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from aiec_graph.core import AIEC, GDN, AIECLoss, build_activations, convert
from aiec_graph.core.layout import LAYOUTS, ChannelTracker, tracked_layout

SHAPES = {
    "NC": (3, 4),
    "NLC": (3, 5, 4),
    "NCL": (3, 4, 5),
    "NCHW": (3, 4, 5, 6),
    "NHWC": (3, 5, 6, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_pooled_and_normalised_over_its_channels(layout):
    x = torch.randn(SHAPES[layout])
    layer = AIEC(4, layout=layout)
    layer(x)
    last = torch.relu(x).movedim(layout.index("C"), -1).reshape(3, -1, 4)
    torch.testing.assert_close(layer.pop(), last.mean(1))
    gdn = GDN(4, layout=layout).double()
    with torch.no_grad():
        gdn.root_gamma.uniform_(0, 1)
    channels = x.double().movedim(layout.index("C"), -1)
    expected = channels / (1 + channels.square() @ gdn.root_gamma.square().T).sqrt()
    torch.testing.assert_close(gdn(x.double()), expected.movedim(-1, layout.index("C")))


def test_a_layout_is_checked():
    with pytest.raises(ValueError, match="NHWC"):
        AIEC(4, layout="CHW")
    with pytest.raises(ValueError, match="layout NHWC"):
        AIEC(4, layout="NHWC")(torch.randn(3, 4))
    layer = AIEC(4)  # channels last, but nobody said so
    layer(torch.randn(2, 7, 7, 4))
    with pytest.raises(ValueError, match="layout='NHWC'"):
        AIECLoss(layer)(torch.zeros(2, 2), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: nn.Conv2d(4, 6, 1)(x), "NCHW"),
        (lambda x: nn.Linear(6, 8)(x), "NHWC"),
        (lambda x: nn.Conv2d(4, 6, 1)(x).permute(0, 2, 3, 1), "NHWC"),
        (lambda x: nn.Conv2d(4, 6, 1)(x).permute((0, 2, 3, 1)), "NHWC"),
        (lambda x: torch.permute(nn.Linear(6, 8)(x), dims=(0, 3, 1, 2)), "NCHW"),
        (lambda x: nn.Linear(6, 8)(x).transpose(1, 3), "NCHW"),
        (lambda x: nn.Conv2d(4, 4, 1)(x) + x, "NCHW"),
        (lambda x: x.add_(nn.Conv2d(4, 4, 1)(x)), "NCHW"),
        (lambda x: F.dropout(nn.BatchNorm2d(4)(x), 0.5), "NCHW"),
        (lambda x: F.conv2d(x, torch.ones(6, 4, 1, 1)).relu_(), "NCHW"),
        (lambda x: nn.Conv2d(4, 4, 1)(x) + nn.Linear(6, 6)(x), None),  # they disagree
        (lambda x: x + 1, None),
        (lambda x: nn.Conv2d(4, 6, 1)(x).flatten(2), None),
        (lambda x: nn.Conv2d(4, 6, 1)(x).mean((2, 3)), "NC"),
        (lambda x: nn.Conv1d(4, 6, 1)(x[0, ..., 0]), None),  # no samples
    ],
)
def test_channels_are_followed_or_unknown(compute, expected):
    x = torch.randn(2, 4, 6, 6)
    with ChannelTracker():
        found = compute(x)
    assert tracked_layout(found) == expected


def conv1d():
    return nn.Sequential(
        nn.Conv1d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 2)
    )


def test_sequences_of_a_convolution_have_their_channels_second():
    model = conv1d()
    convert(model, "aiec", (torch.randn(4, 3, 10),))
    assert (model[1].layout, tuple(model[1].decision.weight.shape)) == ("NCL", (2, 8))
    losses = AIECLoss(model)(model.train()(torch.randn(4, 3, 10)), torch.tensor([0, 1, 0, 1]))
    assert losses.total.isfinite()


def test_channels_last_networks_get_their_true_width():
    model = timm.create_model("convnext_atto", num_classes=2, act_layer=AIEC)
    build_activations(model, (torch.randn(2, 3, 64, 64),))
    layers = [m for m in model.modules() if isinstance(m, AIEC)]
    fc1 = [m.fc1 for m in model.modules() if hasattr(m, "fc1")]
    widths = [(fc.weight.shape[0], "NHWC" if isinstance(fc, nn.Linear) else "NCHW") for fc in fc1]
    assert [(layer.decision.weight.shape[1], layer.layout) for layer in layers] == widths
    assert {layout for _, layout in widths} <= {"NCHW", "NHWC"}
    y = torch.tensor([0, 1])
    AIECLoss(model)(model.train()(torch.randn(2, 3, 64, 64)), y).total.backward()


class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.head = nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.act(x * 2).mean((1, 2)))


def test_what_cannot_be_known_is_declared_or_refused():
    x = torch.randn(3, 7, 7, 4)
    model = Unknown()
    with pytest.raises(ValueError, match="'act' takes a tensor of shape .* 'NHWC'"):
        convert(model, "aiec", (x,))
    assert isinstance(model.act, nn.ReLU)
    convert(model, "aiec", (x,), options={"layout": "NHWC"})
    assert model.act.decision.weight.shape == (2, 4)


def test_rows_that_are_no_samples_are_refused():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.act, self.head = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.act(self.lin(x)).view(3, 2, 4).sum(1))

    with pytest.raises(ValueError, match=r"3 samples.*'act' \(6\).*where"):
        convert(Pooled(), "aiec", (torch.randn(6, 4),))
    convert(Pooled(), "gdn", (torch.randn(6, 4),))  # it needs no labels


class Pair(nn.Module):
    """Two kinds of rows, as of a heterogeneous graph."""

    def __init__(self):
        super().__init__()
        self.lin = nn.ModuleDict({"author": nn.Linear(4, 2), "paper": nn.Linear(4, 2)})
        self.act = nn.ModuleDict({"author": nn.ReLU(), "paper": nn.ReLU()})

    def forward(self, author, paper):
        x = {"author": author, "paper": paper}
        return {k: self.act[k](self.lin[k](v)) for k, v in x.items()}


def test_of_several_kinds_of_rows_one_is_named():
    five, six = torch.randn(5, 4), torch.randn(6, 4)
    with pytest.raises(ValueError, match="returns a dict.*num_samples"):
        convert(Pair(), "aiec", (five, six))
    with pytest.raises(ValueError, match=r"'act.author' \(5\)"):
        convert(Pair(), "aiec", (five, six), num_samples=6)
    with pytest.raises(ValueError, match="cannot be told apart"):
        convert(Pair(), "aiec", (six, six), num_samples=6, where=lambda n, m: n == "act.paper")
    model = Pair()
    assert convert(
        model, "aiec", (five, six), num_samples=6, where=lambda n, m: n == "act.paper"
    ) == ["act.paper"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_weights_are_float32(dtype):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.autocast("cpu", dtype):
        convert(model, "aiec", (torch.randn(3, 4),))
    assert model[1].decision.weight.dtype == torch.float32
    half = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).bfloat16()
    convert(half, "aiec", (torch.randn(3, 4).bfloat16(),))
    assert half[1].decision.weight.dtype == torch.bfloat16
