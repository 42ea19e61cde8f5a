"""What is watched in training, against what training itself sees; planted noise; the commands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from aiec_graph.artifacts.specs import RunSpec, split_of
from aiec_graph.bench.probes.attribution import total_effects
from aiec_graph.bench.probes.criteria import (
    MAJORITY,
    OWN,
    QUARTERS,
    Found,
    marked_rows,
    share_rows,
)
from aiec_graph.bench.probes.history import History, follow
from aiec_graph.bench.probes.measures import epoch_rows, gate_rows
from aiec_graph.bench.runs import train_network
from aiec_graph.cli.main import main
from aiec_graph.core import AIEC
from aiec_graph.data import find_source, load_dataset, read_card
from aiec_graph.data.simulate import simulate_dataset
from aiec_graph.data.simulate.marker import read_planted
from aiec_graph.errors import InputError
from aiec_graph.nn import GCN
from aiec_graph.train import FullBatch, TrainSettings, build_trainer, prepare_graph

CONFIGS = Path(__file__).parents[3] / "configs"
SCALE = 0.1
SEED = 3407


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    simulate_dataset(read_card("reddit"), root / "reddit", SCALE)
    return root


@pytest.fixture(scope="module")
def prepared(data_root):
    return prepare_graph(load_dataset("reddit", data_root, SCALE))


def spec(act="aiec", model="gcn", **changes):
    settings = TrainSettings(hidden=8, epochs=12, features="standard", aggr="mean", **changes)
    return RunSpec("reddit", SCALE, "supervised", model, act, settings)


@pytest.mark.parametrize("act", ["relu", "aiec"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_watched_run_is_the_benchmarks_run(prepared, act, dropout):
    asked = spec(act, dropout=dropout)
    followed = follow(asked, SEED, prepared)
    _, result = train_network(asked, SEED, prepared)
    assert followed.best + 1 == result.best_epoch
    assert followed.history.val_ap[followed.best] == pytest.approx(result.val.ap, abs=1e-3)
    for name, value in result.model.state_dict().items():
        torch.testing.assert_close(followed.network.state_dict()[name], value)


def test_the_gates_are_those_that_the_next_step_takes(prepared, monkeypatch):
    """Without dropout, what is noted after an epoch is what the objective judges in the next."""
    used = []

    class Spied(FullBatch):
        def step(self, logits):
            weights = [a.decision.weight.detach().clone() for a in self.network.acts]
            super().step(logits)
            layers = []
            for act, weight in zip(self.network.acts, weights, strict=True):
                assert isinstance(act, AIEC)
                assert act.counter is not None
                layers.append(act.gate(act.counter.theta, act.counter.phi, weight))
            used.append(torch.stack(layers).numpy())

    monkeypatch.setattr("aiec_graph.train.run.FullBatch", Spied)
    history = follow(spec(), SEED, prepared).history
    np.testing.assert_array_equal(history.gates[:-1], np.stack(used)[1:])
    np.testing.assert_array_equal(history.gates, history.intrinsic & history.extrinsic)
    assert history.gates.any()


def test_what_is_noted_of_a_class(prepared):
    followed = follow(spec(), SEED, prepared)
    history, split = followed.history, followed.split
    last = followed.history.epochs - 1
    if followed.best != last:  # the network that is kept is another epoch's
        asked = spec()
        short = RunSpec(**{**vars(asked), "settings": TrainSettings(**{
            **vars(asked.settings), "epochs": followed.best + 1})})  # fmt: skip
        followed = follow(short, SEED, prepared)
        history, last = followed.history, followed.best
    seen = []
    handles = [
        a.register_forward_hook(lambda _, __, out: seen.append(out)) for a in followed.network.acts
    ]
    with torch.no_grad():
        followed.network(followed.x, prepared.adjacency)
    for handle in handles:
        handle.remove()
    for layer, a in enumerate(seen):
        for k in (0, 1):
            own = a[torch.from_numpy(split.train_mask & (followed.graph.y == k))]
            np.testing.assert_allclose(history.mean[last, layer, k], own.mean(0), rtol=1e-4)
            np.testing.assert_allclose(
                history.fired[last, layer, k], (own > 0).float().mean(0), rtol=1e-5
            )


def test_agreement_is_the_cosine_of_the_gradients_that_training_takes(prepared):
    """Against autograd, on the network as it is after its last epoch."""
    asked = spec()
    history = follow(asked, SEED, prepared).history
    last = history.epochs - 1
    split = split_of(asked, SEED, prepared.graph)
    run, _ = build_trainer(prepared, split, asked.model, asked.act, asked.settings, SEED)
    for _ in range(history.epochs):
        run.train_epoch()
        run.validate()
    run.objective.clear()
    network, y = run.network.train(), run.y_train
    entered = []
    handles = [
        conv.register_forward_hook(lambda _, __, out: entered.append(out)) for conv in network.convs
    ]
    # Through a module of its own, the activation is computed apart from the layer before it.
    handles += [act.register_forward_pre_hook(lambda *_: None) for act in network.acts]
    network(run.x, run.blocks)
    for layer, (act, z) in enumerate(zip(network.acts, entered, strict=True)):
        a = act.pop()[run.train_rows]
        gates = torch.from_numpy(history.gates[last, layer]).float()
        for k in (0, 1):
            own = y == k
            aux = torch.nn.functional.cross_entropy(act.decision(a[own]), y[own])
            gradients = [
                torch.autograd.grad(loss, z, retain_graph=True)[0].flatten()
                for loss in (aux, (a[own] * gates[k]).sum())
            ]
            expected = torch.cosine_similarity(*gradients, dim=0).item() or float("nan")
            found = history.agreement[last, layer, k]
            assert found == pytest.approx(expected, abs=1e-4, nan_ok=True)
    for handle in handles:
        handle.remove()


def made_up():
    """A history of two epochs, one layer, two classes and four channels."""
    gates = np.array([[[[1, 1, 0, 0], [1, 0, 0, 0]]], [[[1, 1, 0, 0], [1, 0, 1, 0]]]], bool)
    mean = np.array([[[[1, 1, 2, 4], [2, 2, 2, 2]]]] * 2, np.float32)
    return History(
        fired=(mean > 1).astype(np.float32),
        mean=mean,
        alive=np.array([[[1, 1, 1, 0]]] * 2, bool),
        intrinsic=gates,
        extrinsic=gates,
        gates=gates,
        counted=np.ones((2, 1, 2), np.float32),
        agreement=np.array([[[0.5, -0.5]]] * 2, np.float32),
        losses=np.zeros((2, 3), np.float32),
        val_ap=np.array([50, 60], np.float32),
        fitted=gates[-1],
        importance=np.array([[0.0, 1.0, 0.4, 9.0]], np.float32),
    )


def test_rows_of_an_epoch():
    history = made_up()
    relu = History(**{**history.arrays(), "mean": history.mean / 2})
    rows = epoch_rows(history, history, relu).set_index(["epoch", "layer", "class"])
    last = rows.loc[(2, 1, "anomalous")]
    assert last["gated_%"] == 50
    assert last["changed_%"] == 25
    assert np.isnan(rows.loc[(1, 1, "anomalous"), "changed_%"])
    assert last["gated_response_%"] == 50
    assert last["agreement"] == -0.5
    assert last["dead_%"] == 25
    normal = rows.loc[(2, 1, "normal")]
    assert normal["silent_%"] == 50
    assert (normal["relevant"], normal["irrelevant"]) == (3, 1)
    assert normal["relevant_to_relu"] == normal["irrelevant_to_relu"] == 2
    assert normal["firing_rate"] == 0
    alone = epoch_rows(History(**{**history.arrays(), "gates": np.empty(0)}), None, None)
    assert "gated_%" not in alone
    assert "relevant" not in alone


def test_verdicts_leave_dead_channels_out():
    found = {row["gates_call_it"]: row for row in gate_rows(made_up())}
    assert found["irrelevant to both"]["importance"] == 0
    assert found["irrelevant to normal alone"]["importance"] == 1
    assert found["irrelevant to anomalous alone"]["important_%"] == 0
    assert found["relevant to both"]["channels_%"] == 25
    assert np.isnan(found["relevant to both"]["importance"])


def test_total_effects_of_a_linear_layer_are_its_weights_and_variances(prepared):
    graph, adjacency = prepared
    torch.manual_seed(0)
    x = torch.randn(len(graph.y), 6)
    network = GCN(6, 5, num_layers=2).eval()
    rows = np.arange(len(x))
    found = total_effects(network, x, adjacency, [1, 4], rows, 0)
    from aiec_graph.nn.adjacency import prepare

    aggregated = prepare(adjacency, len(x)).aggregate(x, "gcn")
    weight = network.convs[0].lin.weight
    expected = (weight[:, [1, 4]] ** 2 @ aggregated[:, [1, 4]].var(0)[:, None])[:, 0]
    np.testing.assert_allclose(found.channels[0], expected.detach(), rtol=0.15)
    assert found.channels.shape == (2, 5)
    nothing = total_effects(network, x, adjacency, [], rows, 0)
    assert nothing.margin == 0
    assert not nothing.channels.any()
    every = total_effects(network, x, adjacency, list(range(6)), rows, 0)
    assert (every.channels >= found.channels * 0.9).all()


def test_readings_of_relevance():
    found = Found(
        noise=np.array([[9.0, 8.0, 1.0, 1.0]]),
        signal=np.array([[1.0, 2.0, 9.0, 9.0]]),
        mean=np.array([[[1, 3, 1, 4], [2, 2, 3, 1]]], np.float32),
        gates=np.array([[[1, 0, 0, 0], [1, 1, 1, 0]]], bool),
        output=np.array([1.0, 3.0]),
        quality=np.array([50.0, 7]),
    )
    rows = {(r["criterion"], r["class"]): r for r in marked_rows(found)}
    assert rows[MAJORITY, "normal"]["irrelevant_marked_%"] == 25
    assert rows[MAJORITY, "normal"]["relevant_marked_%"] == 0
    assert rows[MAJORITY, "anomalous"]["irrelevant_marked_%"] == 100
    assert rows[MAJORITY, "anomalous"]["relevant_marked_%"] == 75
    assert rows[MAJORITY, "anomalous"]["relevant_channels_marked_%"] == 50
    assert rows[OWN, "anomalous"]["relevant_marked_%"] == 100
    assert rows[QUARTERS, "normal"]["irrelevant_channels"] == 1
    assert rows[QUARTERS, "normal"]["irrelevant_marked_%"] == 100
    layer, margin = share_rows(found)
    assert layer["noise_majority_%"] == 50
    assert margin["median_%"] == 25


@pytest.fixture
def command(data_root, tmp_path):
    def make(name, *extra, out="run"):
        base = ["--dataset", "reddit", "--simulate", str(SCALE), "--data-root", str(data_root)]
        base += ["--features", "standard", "--hidden", "8", "--epochs", "4", "--seeds", "2"]
        return [name, *base, "--jobs", "1", "--out", str(tmp_path / out), *extra]

    return make


def test_dynamics_writes_what_it_promises_and_goes_on(command, tmp_path, capsys):
    assert main(command("dynamics", "--act", "relu", "gelu", "aux_only", "aiec")) == 0
    out = tmp_path / "run"
    epochs = pd.read_csv(out / "epochs.csv")
    assert len(epochs) == 4 * 2 * 4 * 2 * 2
    assert epochs["simulated"].all()
    assert (epochs.loc[epochs["act"] == "relu", "relevant_to_relu"].dropna() == 1).all()
    assert epochs.loc[epochs["act"] == "relu", "gated_%"].isna().all()
    assert epochs.loc[epochs["act"] == "aux_only", "gated_%"].notna().all()
    page = (out / "index.md").read_text()
    assert "simulated" in page.splitlines()[0]
    (figure,) = out.glob("*.png")
    assert "simulated" in figure.name
    assert figure.name in page
    assert figure.stat().st_size > 20_000
    runs = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    assert len(runs) == 8
    first, *others = runs
    first.unlink()
    before = (out / "summary.csv").read_bytes()
    assert main(command("dynamics", "--act", "relu", "gelu", "aux_only", "aiec")) == 0
    assert (out / "summary.csv").read_bytes() == before
    assert all(path.stat().st_mtime_ns == runs[path] for path in others)
    assert "7 of them finished before" in capsys.readouterr().err


def test_dynamics_without_relu_and_aiec_has_nothing_to_compare_with(command, tmp_path):
    assert main(command("dynamics", "--act", "gelu")) == 0
    assert "relevant" not in pd.read_csv(tmp_path / "run" / "epochs.csv")
    assert (tmp_path / "run" / "index.md").is_file()


def test_planted_writes_what_it_promises(command, tmp_path, data_root):
    assert main(command("planted", "--act", "relu", "union", "aiec")) == 0
    out = tmp_path / "run"
    channels = pd.read_csv(out / "channels.csv")
    assert len(channels) == 3 * 2 * 2 * 8
    assert (channels[["noise", "signal"]] >= 0).all(axis=None)
    marked = pd.read_csv(out / "marked.csv")
    assert set(marked["act"]) == {"union", "aiec"}
    page = (out / "index.md").read_text()
    assert "simulated" in page.splitlines()[0]
    source = find_source("reddit", data_root, SCALE)
    planted = read_planted(source.files[0].parent)
    assert f"{len(planted.noise)} columns of noise" in page
    assert all("simulated" in path.name for path in out.glob("*.png"))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["dynamics", "--dataset", "redit"], "Did you mean 'reddit'"),
        (["dynamics", "--dataset", "reddit", "--act", "aeic"], "Did you mean 'aiec'"),
        (["dynamics", "--dataset", "reddit", "--features", "standart"], "Did you mean 'standard'"),
        (["dynamics", "--datset", "reddit"], "Did you mean '--dataset'"),
        (["dynamics", "--seeds", "3"], "at least one dataset"),
        (["dynamics", "--dataset", "reddit", "--jobs", "-1"], "jobs must be at least 0"),
        (["planted", "--dataset", "reddit"], "give --simulate"),
        (["plantd"], "Did you mean 'planted'"),
    ],
)
def test_slips_are_answered_in_a_line(extra, message, capsys):
    assert main(extra) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


def test_nothing_is_planted_in_real_files_or_in_texts(tmp_path, capsys):
    with pytest.raises(InputError, match="not simulated"):
        read_planted(tmp_path)
    base = ["--simulate", "0.05", "--data-root", str(tmp_path), "--out", str(tmp_path / "o")]
    assert main(["planted", "--dataset", "weibo21", *base]) == 2
    assert "plants words" in capsys.readouterr().err
    folder = next((tmp_path / "weibo21").glob("simulated-*"))
    (folder / "simulated.json").write_text('{"simulated": true, "scale": 0.05}')
    with pytest.raises(InputError, match="damaged"):
        read_planted(folder)


@pytest.mark.parametrize("name", ["dynamics", "planted"])
def test_the_configurations_run_on_a_small_simulated_graph(name, data_root, tmp_path):
    text = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    small = {"dataset": ["reddit"], "simulate": SCALE, "seeds": 1, "hidden": 4, "epochs": 3}
    small |= {"jobs": 1, "data_root": str(data_root), "out": str(tmp_path / "run")}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(text | small))
    assert main([name, str(path)]) == 0
    assert (tmp_path / "run" / "index.md").is_file()
