"""A module is a module: hooks, wrappers, other heads, parametrisations, quantisation."""

import pytest
import torch
import torch.nn.utils.parametrize as parametrize
from torch import nn
from torch.nn.utils import prune

from aiec_graph.core import AIECLoss
from aiec_graph.nn import AGGREGATORS, GCN, Adjacency, GraphSAGE

MAKERS = {"gcn": GCN} | {
    aggr: (lambda *args, aggr=aggr, **options: GraphSAGE(*args, aggr=aggr, **options))
    for aggr in AGGREGATORS
}


@pytest.fixture(params=MAKERS)
def model(request):
    torch.manual_seed(0)
    return MAKERS[request.param](4, 6, act="aiec")


@pytest.fixture
def graph():
    g = torch.Generator().manual_seed(0)
    return torch.randn(30, 4, generator=g), torch.randint(30, (2, 90), generator=g)


def linears(model):
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}


def train(model, graph, steps=3):
    """Some steps; returns the losses."""
    x, edges = graph
    objective, y = AIECLoss(model), torch.arange(30) % 2
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.05)
    losses = []
    for _ in range(steps):
        objective.start_epoch()
        loss = objective(model(x, edges), y).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_every_submodule_is_called_once_and_hooks_see_it(model, graph):
    seen = []
    for name, module in model.named_modules():
        if not list(module.children()) and "decision" not in name and "counter" not in name:
            module.register_forward_hook(lambda _, __, out, name=name: seen.append((name, out)))
    model.train()
    model(*graph)
    names = [name for name, _ in seen]
    expected = {*linears(model), "dropout", "norms.0", "norms.1"}
    assert expected <= set(names)
    assert all(names.count(name) == 1 for name in linears(model))


def test_global_hooks_see_the_linear_maps(model, graph):
    seen = []
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, _, __: seen.append(module)
    )
    model(*graph)
    handle.remove()
    assert all(linear in seen for linear in linears(model).values())
    assert all(act in seen for act in model.acts)


def test_a_hook_on_a_convolution_is_before_the_activation(model, graph):
    outs = []
    handle = model.convs[0].register_forward_hook(lambda _, __, out: outs.append(out) or -out)
    into = []
    model.acts[0].register_forward_hook(lambda _, args, out: into.append((args[0], out)))
    model.train()
    AIECLoss(model)(model(*graph), torch.arange(30) % 2)
    handle.remove()
    assert (outs[0] < 0).any()
    entered, left = into[0]
    assert torch.equal(entered, -outs[0])
    assert torch.equal(left, entered.relu())
    assert (model.acts[0].counter.theta >= 0).all()


def test_captum_attributes_to_layers(graph):
    captum = pytest.importorskip("captum.attr")
    model, (x, edges) = GCN(4, 6, act="aiec").eval(), graph
    adjacency = Adjacency.from_edge_index(edges, 30)

    def margin(x):
        return model(x, adjacency).diff(dim=1)[:, 0].sum()[None]

    for layer in (model.lin, model.convs[1].lin, model.acts[0]):
        found = captum.LayerActivation(margin, layer).attribute(x)
        assert len(found) == 30
    gradient = captum.Saliency(margin).attribute(x.clone().requires_grad_(), abs=False)
    (expected,) = torch.autograd.grad(margin(leaf := x.clone().requires_grad_()), leaf)
    torch.testing.assert_close(gradient, expected)


class Lora(nn.Module):
    """A frozen linear map with a trained map of rank 2 beside it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.down = nn.Linear(inner.in_features, 2, bias=False)
        self.up = nn.Linear(2, inner.out_features, bias=False)
        nn.init.ones_(self.up.weight)

    def forward(self, x):
        return self.inner(x) + self.up(self.down(x))


def test_wrappers_take_part_and_train(model, graph):
    before = model.eval()(*graph)
    for name, linear in linears(model).items():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, Lora(linear))
    assert not torch.allclose(model(*graph), before)
    wrappers = [m for m in model.modules() if isinstance(m, Lora)]
    train(model.train(), graph, 1)
    assert all(w.inner.weight.grad is None for w in wrappers)
    assert all(w.down.weight.grad is not None for w in wrappers)


def test_other_heads(model, graph):
    plain = model.eval()(*graph)
    head = model.lin
    model.lin = nn.Identity()
    embedding = model(*graph)
    assert embedding.shape == (30, 6)
    torch.testing.assert_close(head(embedding), plain)
    model.lin = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    losses = train(model.train(), graph, 8)
    assert losses[-1] < losses[0]


def test_weight_norm_trains_and_gives_the_same_output(model, graph):
    expected = model.eval()(*graph)
    for linear in linears(model).values():
        nn.utils.parametrizations.weight_norm(linear)
    torch.testing.assert_close(model(*graph), expected)
    losses = train(model.train(), graph, 8)
    assert losses[-1] < losses[0]
    assert all(parametrize.is_parametrized(linear) for linear in linears(model).values())


def test_pruned_weights_stay_zero(model, graph):
    for linear in linears(model).values():
        prune.l1_unstructured(linear, "weight", amount=0.5)
    losses = train(model, graph, 8)
    assert losses[-1] < losses[0]
    for linear in linears(model).values():
        assert (linear.weight[linear.weight_mask == 0] == 0).all()
        prune.remove(linear, "weight")
    assert model.eval()(*graph).isfinite().all()


@pytest.mark.filterwarnings("ignore")  # torch deprecates its own quantisation
def test_dynamic_quantisation_is_near(model, graph):
    expected = model.eval()(*graph)
    small = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    assert not isinstance(small.lin, nn.Linear)
    out = small(*graph)
    assert not torch.equal(out, expected)
    torch.testing.assert_close(out, expected, atol=0.1, rtol=0.1)
