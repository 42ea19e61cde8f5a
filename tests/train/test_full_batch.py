"""Full-batch epochs: what they see, share and compute, on which device."""

import copy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from aiec_graph.core import AIEC
from aiec_graph.errors import InputError
from aiec_graph.metrics import evaluate
from aiec_graph.nn import Adjacency
from aiec_graph.train import TrainSettings, build_trainer, train
from aiec_graph.train.device import resolve_device
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.trainer import margin_of

SHORT = TrainSettings(hidden=8, epochs=5, device="cpu")


def state(trainer):
    return {k: v.clone() for k, v in trainer.network.state_dict().items()}


@pytest.mark.parametrize("model", ["mlp", "gcn", "sage"])
@pytest.mark.parametrize("act", ["relu", "aiec", "gelu", "elu"])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_shared_pass_changes_no_bit(prepared, split, model, act, norm):
    """The pass that validates and begins the next step, against one of its own for each."""
    settings = TrainSettings(hidden=8, epochs=5, norm=norm, aggr="mean", device="cpu")
    shared, own = (build_trainer(prepared, split, model, act, settings, 0)[0] for _ in range(2))
    assert shared.network.trains_as_it_predicts
    shared.shares_passes = True
    for _ in range(4):
        shared.train_epoch()
        own.train_epoch()
        assert np.array_equal(shared.validate(), own.validate())
    assert all(map(torch.equal, state(shared).values(), state(own).values()))


@pytest.mark.parametrize("act", ["aiec", "gelu"])
@pytest.mark.parametrize("change", ["x", "weights", "tau", "eval mode"])
def test_what_changes_between_epochs_is_seen(prepared, split, act, change):
    one, other = (build_trainer(prepared, split, "sage", act, SHORT, 0)[0] for _ in range(2))
    for trainer in (one, other):
        trainer.train_epoch()
        trainer.validate()
    for trainer in (one, other):
        if change == "x":
            trainer.x = trainer.x * 2
        elif change == "weights":
            trainer.network.convs[0].lin_l.weight.data.zero_()
        elif change == "eval mode":
            trainer.network.eval()
        elif isinstance(trainer.network.acts[0], AIEC):
            trainer.network.acts[0].tau = 0.3
    other.step(other.forward())
    one.train_epoch()
    assert all(map(torch.equal, state(one).values(), state(other).values()))
    after = one.validate()
    assert np.array_equal(after, other.validate())
    if not (change == "eval mode" or (change == "tau" and act != "aiec")):
        untouched = build_trainer(prepared, split, "sage", act, SHORT, 0)[0]
        for _ in range(2):
            untouched.train_epoch()
        assert not np.array_equal(after, untouched.validate())


def test_fit_with_a_callback_shares_no_pass_and_stops_at_no_patience(prepared, split):
    settings = TrainSettings(hidden=8, epochs=6, patience=1, device="cpu")
    watched, usual = (build_trainer(prepared, split, "gcn", "aiec", settings, 0)[0] for _ in "ab")
    aps = []
    fitted = watched.fit("run", settings, aps.append)
    assert (fitted.epochs, len(aps), watched.shares_passes) == (6, 6, False)
    assert fitted.best_epoch == int(np.argmax(aps)) + 1
    stopped = usual.fit("run", settings)
    assert usual.shares_passes
    assert stopped.epochs <= 6


def test_metrics_rank_by_the_margin(prepared, split):
    """Margins that the probability cannot tell apart, and another order of the nodes."""
    result = train(prepared, split, "gcn", "relu", SHORT, 0)
    y, test = prepared.graph.y, split.test_mask
    assert result.margin.dtype == np.float64
    assert result.test == evaluate(y[test], result.margin[test])
    np.testing.assert_allclose(result.score, 1 / (1 + np.exp(-result.margin)), rtol=1e-12)
    logits = torch.tensor([[-20.0, 20.0], [-20.0, 20.000002], [0.0, 20.0], [-30.0, 30.0]])
    margin = margin_of(logits)
    assert len(set(margin.tolist())) == 4
    assert evaluate(np.array([0, 1, 0, 1]), margin).auc == 100


def test_a_constant_scorer_is_chance_whatever_the_number_of_nodes():
    margin = margin_of(torch.full((1003, 2), 0.3) * torch.tensor([1.0, 1.7]))
    y = (np.arange(1003) % 7 == 0).astype(int)
    assert evaluate(y, margin).auc == pytest.approx(50)
    assert evaluate(y, margin).ap == pytest.approx(100 * y.mean())


def test_out_in_is_the_protocol_and_equals_in_on_an_undirected_graph(prepared, split):
    assert TrainSettings().normalise == "out_in"
    graph, adjacency = prepared
    both = Prepared(graph, Adjacency(adjacency.csr.maximum(adjacency.csr.T)))
    found = {
        (name, normalise): train(
            which,
            split,
            "gcn",
            "aiec",
            TrainSettings(hidden=8, epochs=3, normalise=normalise, device="cpu"),
            0,
        ).margin
        for name, which in (("directed", prepared), ("undirected", both))
        for normalise in ("in", "out_in")
    }
    assert np.array_equal(found["undirected", "in"], found["undirected", "out_in"])
    assert not np.allclose(found["directed", "in"], found["directed", "out_in"])


def test_devices_by_name():
    assert resolve_device("cpu").type == "cpu"
    cuda = torch.cuda.is_available()
    assert resolve_device("auto").type == ("cuda" if cuda else "cpu")
    with pytest.raises(InputError, match="Did you mean 'cuda'"):
        resolve_device("cuda0")
    with pytest.raises(InputError, match="only cuda takes a number"):
        resolve_device("cpu:1")
    with pytest.raises(InputError, match="has none"):
        resolve_device("cuda:99")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there_is_an_input_error(prepared, split):
    with pytest.raises(InputError, match="'cuda': this machine"):
        train(prepared, split, "gcn", "relu", TrainSettings(device="cuda"), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize(
    ("model", "options", "batches"),
    [
        ("bwgnn", {}, "full"),
        *[("sage", {"aggr": aggr}, "full") for aggr in ("mean", "max", "pool", "gcn")],
        *product(("gcn", "sage", "gin", "gat", "mlp"), ({},), ("full", "200")),
    ],
)
def test_a_gpu_gives_what_the_cpu_does(prepared, split, model, options, batches):
    fanout = [] if batches == "full" else [-1, -1]
    short = TrainSettings(hidden=8, epochs=2, batch_size=batches, fanout=fanout, **options)
    cpu, gpu = (
        train(prepared, split, model, "aiec", replace(short, device=device), 0)
        for device in ("cpu", "cuda")
    )
    assert (cpu.device, gpu.device) == ("cpu", "cuda")
    np.testing.assert_allclose(gpu.margin, cpu.margin, rtol=1e-3, atol=1e-4)
    again = train(prepared, split, model, "aiec", replace(short, device="cuda"), 0)
    np.testing.assert_array_equal(again.margin, gpu.margin)


def test_the_result_says_where_it_was_trained(prepared, split):
    result = train(prepared, split, "sage", "relu", SHORT, 0)
    assert result.device == "cpu"
    twin = copy.deepcopy(result.model)
    assert all(p.device.type == "cpu" for p in twin.parameters())
