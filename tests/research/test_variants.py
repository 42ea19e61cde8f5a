"""Variants of AIEC that are not the paper's: what each changes, and that it changes no more."""

import copy

import pytest
import torch

from aiec_graph.core import AIECLoss
from aiec_graph.data import load_dataset, make_split
from aiec_graph.errors import InputError
from aiec_graph.train import TrainSettings, build_model, check_settings, prepare_graph, train
from research.variants import MARGIN, RAMP, TRIED

N, FEATURES, C = 60, 5, 16


@pytest.fixture(scope="module")
def data():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, FEATURES, generator=g, dtype=torch.float64)
    y = (torch.rand(N, generator=g) < 0.3).long()
    edges = torch.randint(N, (2, 4 * N), generator=g)
    return x, edges, y


def trained(data, variant, steps=1):
    """The network after some steps' judgements (its weights stay), and the last one's losses."""
    x, edges, y = data
    torch.manual_seed(1)
    options = {} if variant is None else {"act_options": {"variant": variant}}
    network = build_model("gcn", "aiec", FEATURES, TrainSettings(hidden=C, **options))
    network = network.double()
    objective = AIECLoss(network, 1.0, 1.0)
    for _ in range(steps):
        objective.start_epoch()
        losses = objective(network(x, edges), y)
    return network, losses


def features_of(network, data):
    x, edges, _ = data
    h = [network.acts[0](network.convs[0](x, edges))]
    h.append(network.acts[1](network.convs[1](h[0], edges)))
    for act in network.acts:
        act.clear()
    return [each.detach() for each in h]


@pytest.mark.parametrize("variant", TRIED)
def test_every_variant_trains_and_leaves_the_auxiliary_loss_as_it_is(data, variant):
    _, plain = trained(data, None)
    _, losses = trained(data, variant)
    assert torch.equal(losses.aux, plain.aux) and torch.equal(losses.task, plain.task)
    assert losses.gate.isfinite() and losses.gate >= 0


@pytest.mark.parametrize("variant", TRIED)
def test_every_variant_runs_in_the_training_loop(tmp_path, variant):
    prepared = prepare_graph(load_dataset("elliptic", tmp_path, 0.02))
    split = make_split(prepared.graph, "supervised", 0, (0.4, 0.2))
    settings = TrainSettings(hidden=8, epochs=4, lambda_gate=0.5, normalise="in")
    results = [
        train(prepared, split, "gcn", "aiec", each, 0)
        for each in (
            settings,
            TrainSettings(**{**vars(settings), "act_options": {"variant": variant}}),
        )
    ]
    assert results[1].epochs == 4
    assert not torch.equal(*(torch.from_numpy(result.score) for result in results))


@pytest.mark.parametrize("variant", ["scale", "width", "balanced", "first_layer", "last_layer"])
def test_linear_variants_weigh_the_published_loss(data, variant):
    network, plain = trained(data, None)
    _, losses = trained(data, variant)
    y, expected = data[2], 0.0
    for i, (act, a) in enumerate(zip(network.acts, features_of(network, data), strict=True)):
        gates = act.gates().double()
        per_sample = (a * gates[y]).sum(1) / gates[y].sum(1).clamp(min=1)
        per_class = torch.stack([per_sample[y == k].mean() for k in (0, 1)])
        expected += {
            "scale": per_sample.mean() / a.mean(),
            "width": per_sample.mean() * C / 32,
            "balanced": per_class.mean(),
            "first_layer": per_sample.mean() * (i == 0),
            "last_layer": per_sample.mean() * (i == 1),
        }[variant] / 2
    assert losses.gate.item() == pytest.approx(expected.item(), rel=1e-9)
    assert losses.gate != plain.gate


def test_share_is_the_gated_part_of_each_samples_response(data):
    network, losses = trained(data, "share")
    y, shares = data[2], []
    for act, a in zip(network.acts, features_of(network, data), strict=True):
        gated = (a * act.gates().double()[y]).sum(1)
        shares.append((gated / a.sum(1)).nan_to_num(0.0).mean())
    assert losses.gate.item() == pytest.approx(torch.stack(shares).mean().item(), rel=1e-9)


def test_relative_variants_follow_the_auxiliary_loss(data):
    network, _ = trained(data, None)
    y = data[2]
    ratios, weighed = [], []
    for act, a in zip(network.acts, features_of(network, data), strict=True):
        a = a.requires_grad_()
        aux = torch.nn.functional.cross_entropy(act.decision(a), y)
        gates = act.gates().double()
        gate = ((a * gates[y]).sum(1) / gates[y].sum(1).clamp(min=1)).mean()
        (of_aux,) = torch.autograd.grad(aux, a)
        (of_gate,) = torch.autograd.grad(gate, a)
        ratios.append(gate.item() * (of_aux.norm() / of_gate.norm()).item())
        weighed.append(gate.item() * aux.item())
    assert trained(data, "gradient")[1].gate.item() == pytest.approx(sum(ratios) / 2, rel=1e-9)
    assert trained(data, "loss")[1].gate.item() == pytest.approx(sum(weighed) / 2, rel=1e-9)


def test_ramps_begin_and_end_where_they_should(data):
    plain = trained(data, None)[1].gate
    for variant, first in (("warm_up", 0.0), ("decay", 1.0)):
        halfway, end = 1 + RAMP // 2, 1 + RAMP
        for steps, share in ((1, first), (halfway, 0.5), (end, 1 - first), (end + 9, 1 - first)):
            gate = trained(data, variant, steps=steps)[1].gate
            assert gate.item() == pytest.approx(share * plain.item(), rel=1e-9)


def test_before_activation_pushes_silent_channels_too(data):
    x, edges, y = data
    silent = [trained(data, variant)[0] for variant in (None, "before_activation")]
    for network in silent:
        with torch.no_grad():
            network.convs[1].lin.weight.zero_()
            network.convs[1].bias.fill_(-1.0)  # nothing passes the last threshold
        AIECLoss(network)(network(x, edges), y).gate.backward()
    published, variant = (network.convs[1].bias.grad for network in silent)
    assert published.abs().max() == 0
    gated = silent[1].acts[1].gates()
    assert gated.any() and (variant[gated.any(0)] > 0).all()


def test_all_nodes_reaches_beyond_the_labels(data):
    index = torch.arange(5)
    unlabelled = torch.arange(5, N)
    x, edges, y = data
    found = []
    for variant in (None, "all_nodes"):
        network = trained(data, variant)[0]
        shown = network(x, edges)
        network.acts[1]._captured.features.retain_grad()
        seen = network.acts[1]._captured.features
        AIECLoss(network)(shown[index], y[index], index).gate.backward()
        found.append(seen.grad[unlabelled].abs().sum())
    assert found[0] == 0 and found[1] > 0


def layer(variant, theta, phi, weight):
    """A layer with counters and decision weights as given, [K, C]."""
    made = TRIED[variant](len(weight[0]))
    set_to(made, theta, phi, weight)
    return made


def set_to(made, theta, phi, weight):
    made.counter.theta.copy_(torch.tensor(theta))
    made.counter.phi.copy_(torch.tensor(phi))
    made.decision.weight.data.copy_(torch.tensor(weight))


WEIGHT = [[-1.0, -1.0, -1e-3, 1.0], [1.0, 1.0, 1.0, -1.0]]


def test_margin_spares_the_doubtful():
    # Rates of −1, −0.1, −1 and −1 for class 0; its third weight is all but 0.
    made = layer("margin", [[0, 45, 0, 0], [0, 0, 0, 0]], [100, 100], WEIGHT)
    assert made.gates().tolist() == [[True, False, False, False], [False, False, False, True]]


def test_hysteresis_keeps_its_mind_within_the_margin():
    weight = [[-1.0, -2.0, 1.0, 2.0], [1.0, 2.0, -1.0, -2.0]]
    made = layer("hysteresis", [[40, 60, 40, 60], [40, 60, 40, 60]], [100, 100], weight)
    first = [[True, False, False, False], [False, False, True, False]]
    assert made.gates().tolist() == first
    # Rates of ±0.2 either way lie within the margin of ±0.25: nobody's mind changes.
    set_to(made, [[60, 40, 60, 40], [60, 40, 60, 40]], [100, 100], weight)
    assert made.gates().tolist() == first == made.gates().tolist()
    assert MARGIN == 0.25
    set_to(made, [[70, 20, 70, 20], [70, 20, 70, 20]], [100, 100], weight)
    assert made.gates().tolist() == [[False, True, False, False], [False, False, False, True]]


def test_confidence_grows_with_both_assessments():
    made = layer("confidence", [[0, 50, 100, 0], [0, 0, 0, 0]], [100, 0], WEIGHT)
    gates = made.gates()
    assert (gates[0, 0] > gates[0, 1] > gates[0, 2]) and gates[0, 0] > gates[0, 3]
    assert (gates[1] == 0).all(), "no sample of the class was counted"


def test_protect_spares_what_another_class_needs():
    # Channel 0 fires for class 1 and speaks for it; channel 1 speaks for it but never fires.
    made = layer("protect", [[0, 0, 0, 100], [100, 0, 0, 0]], [100, 100], WEIGHT)
    assert made.gates()[0].tolist() == [False, True, True, False]


def test_memory_outlives_the_epoch(data):
    x, edges, y = data
    network, _ = trained(data, "memory")
    act = network.acts[0]
    before = act.gates()
    assert torch.equal(act.mean_theta, act.counter.theta.double())
    assert before.any()
    with torch.no_grad():
        network.convs[0].bias.fill_(100.0)  # from now on, every channel fires
    objective = AIECLoss(network)
    objective.start_epoch()
    objective(network(x, edges), y)
    assert torch.equal(act.counter.theta, act.counter.phi[:, None].expand(2, C))
    expected = 0.9 * trained(data, "memory")[0].acts[0].mean_theta + act.counter.theta
    assert torch.allclose(act.mean_theta, expected)
    assert torch.equal(
        act.gates(), (2 * act.mean_theta <= act.mean_phi[:, None]) & (act.decision.weight <= 0)
    )


def test_a_network_can_be_copied_between_steps(data):
    for variant in TRIED:
        network, _ = trained(data, variant)
        x, edges, _ = data
        network(x, edges)
        copy.deepcopy(network)


def test_a_variant_decides_about_the_gate_alone():
    with pytest.raises(InputError, match="decides itself about gate_norm"):
        check_settings(TrainSettings(act_options={"variant": "margin", "gate_norm": "square"}))


def test_an_unknown_variant_is_refused():
    with pytest.raises(InputError, match="Did you mean 'margin'"):
        check_settings(TrainSettings(act_options={"variant": "marign"}))
