"""The command line: results, resuming, and one-line errors with exit code 2."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.bench.runs import BenchmarkRuns
from aiec_graph.bench.store import RunStore, columns_of
from aiec_graph.cli.bench import bench
from aiec_graph.cli.main import main
from aiec_graph.cli.options import Signature, parse
from aiec_graph.data import read_card
from aiec_graph.data.simulate import simulate_dataset

COLUMNS = columns_of(BenchmarkRuns)
ROOT = Path(__file__).parents[2]
# Those of images, of studies and of mechanisms have tests of their own.
OTHERS = ("backbone:", "candidates:", "run_bench.py dynamics", "run_bench.py planted")
CONFIGS = sorted(
    path
    for path in (ROOT / "configs").glob("*.yaml")
    if not any(word in path.read_text() for word in OTHERS)
)
TINY = ["--hidden", "4", "--epochs", "4"]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    simulate_dataset(read_card("elliptic"), root / "elliptic", 0.02)
    return root


@pytest.fixture
def command(data_root, tmp_path):
    def make(*extra, out="run"):
        base = ["--dataset", "elliptic", "--simulate", "0.02", "--data-root", str(data_root)]
        return [*base, "--out", str(tmp_path / out), *TINY, *extra]

    return make


def test_writes_everything_it_promises(command, tmp_path, capsys):
    assert (
        main(command("--act", "relu", "aiec", "--seeds", "2", "--save-scores", "--checkpoint")) == 0
    )
    out = tmp_path / "run"
    runs = pd.read_csv(out / "runs.csv")
    assert list(runs.columns) == COLUMNS
    assert len(runs) == 2 * 2 * 2
    assert runs["simulated"].all()
    assert set(runs["seed"]) == {3407, 3417}
    assert runs.drop(columns=["simulated"]).notna().all(axis=None)
    summary = pd.read_csv(out / "summary.csv")
    for _, row in summary.iterrows():
        own = runs[(runs["model"] == row["model"]) & (runs["act"] == row["act"])]
        assert row["test_ap_mean"] == pytest.approx(own["test_ap"].mean())
        assert row["test_ap_std"] == pytest.approx(own["test_ap"].std(ddof=1))
    shown = capsys.readouterr().out
    for text in ((out / "table.md").read_text(), (out / "table.tex").read_text(), shown):
        assert "simulated" in text
        assert "GraphSAGE-AIEC" in text
        assert "paper" not in text
    scores = sorted((out / "scores").iterdir())
    assert len(scores) == 8
    assert all("simulated" in path.name for path in scores)
    frame = pd.read_csv(scores[0])
    assert list(frame.columns) == ["node", "simulated", "label", "split", "score"]
    assert frame["node"].is_unique
    assert set(frame["split"].dropna()) == {"train", "val", "test"}
    for row in runs.itertuples():
        settings = yaml.safe_load((out / "settings" / f"{row.config_hash}.yaml").read_text())
        assert (settings["model"], settings["settings"]["epochs"]) == (row.model, 4)


def test_a_checkpoint_scores_as_its_run_did(command, data_root, tmp_path, capsys):
    extra = ["--model", "sage", "--act", "aiec", "--seeds", "1", "--features", "standard"]
    assert main(command(*extra, "--save-scores", "--checkpoint")) == 0
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    load_file(checkpoint)
    out = tmp_path / "again.csv"
    assert main(["score", str(checkpoint), "--data-root", str(data_root), "--out", str(out)]) == 0
    (expected,) = (tmp_path / "run" / "scores").iterdir()
    pd.testing.assert_frame_equal(pd.read_csv(out), pd.read_csv(expected), rtol=1e-6)
    assert "test AUC" in capsys.readouterr().out


def test_scores_of_other_data_come_without_a_split(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    folders = [tmp_path / "this", tmp_path / "next"]
    for folder, count in zip(folders, (60, 80), strict=True):
        folder.mkdir()
        nodes = {
            "id": range(count),
            "x": rng.normal(size=count),
            "label": np.arange(count) % 4 == 0,
        }
        pd.DataFrame(nodes).to_csv(folder / "nodes.csv", index=False)
        edges = rng.integers(0, count, (200, 2))
        pd.DataFrame(edges, columns=["source", "target"]).to_csv(folder / "edges.csv", index=False)
    run = ["--dataset", str(folders[0]), "--seeds", "1", "--epochs", "2", "--checkpoint"]
    run += ["--out", str(tmp_path / "run")]
    whole = (folders[0] / "edges.csv").read_text()
    (folders[0] / "edges.csv").write_text(f"{whole}1,1000\n")
    assert "no node has the id '1000'" in fails(run, capsys)
    assert not (tmp_path / "run").exists()
    (folders[0] / "edges.csv").write_text(whole)
    assert main(run) == 0
    assert "warning" not in capsys.readouterr().err
    checkpoint = str(next((tmp_path / "run" / "checkpoints").iterdir()))
    out = tmp_path / "scores.csv"
    score = ["score", checkpoint, "--out", str(out)]
    assert "name the data by --dataset" in fails(score, capsys)
    assert str(tmp_path) not in Path(checkpoint).read_bytes().decode("latin-1")
    score += ["--data-root", str(tmp_path)]
    assert main(score) == 0
    assert "test AUC" in capsys.readouterr().out
    assert set(pd.read_csv(out).split) == {"train", "val", "test"}

    assert main([*score, "--dataset", str(folders[1])]) == 0
    assert "not what the network was trained on" in capsys.readouterr().out
    frame = pd.read_csv(out)
    assert len(frame) == 80
    assert frame.split.isna().all()

    changed = (folders[0] / "nodes.csv").read_text()
    (folders[0] / "nodes.csv").write_text(f"{changed}999,0.5,True\n")
    assert main(score) == 0
    assert "not what the network was trained on" in capsys.readouterr().out
    assert "has changed since" in fails(["channels", checkpoint, *score[-2:]], capsys)
    # Nothing but scores is written over.
    own = folders[0] / "edges.csv"
    before = own.read_bytes()
    assert "holds no scores" in fails(["score", checkpoint, "--out", str(own)], capsys)
    assert own.read_bytes() == before


def test_a_graph_may_be_called_na_and_results_of_another_command_stay(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "NA"
    folder.mkdir()
    nodes = {"id": range(40), "x": np.arange(40) * 1e4, "label": np.arange(40) % 4 == 0}
    pd.DataFrame(nodes).to_csv(folder / "nodes.csv", index=False)
    edges = {"source": range(40), "target": np.roll(range(40), 1)}
    pd.DataFrame(edges).to_csv(folder / "edges.csv", index=False)
    run = ["--dataset", str(folder), "--seeds", "1", "--epochs", "2", "--out", str(tmp_path / "o")]
    run += ["--model", "gcn", "--act", "relu"]
    assert main([*run, "--features", "raw"]) == 0
    assert "warning: NA: x reaches 3.9e+05" in capsys.readouterr().err
    assert main(run) == 0  # standardised by default: another run, and nothing to warn of
    assert "warning" not in capsys.readouterr().err
    before = (tmp_path / "o" / "summary.csv").read_bytes()
    assert "another command" in fails(["dynamics", *run], capsys)
    assert (tmp_path / "o" / "summary.csv").read_bytes() == before


def test_finished_runs_are_not_repeated_and_more_seeds_add_rows(command, tmp_path):
    runs = tmp_path / "run" / "runs.csv"
    assert main(command("--act", "relu", "--seeds", "1")) == 0
    first = runs.read_text()
    assert main(command("--act", "relu", "--seeds", "1")) == 0
    assert runs.read_text() == first
    assert main(command("--act", "relu", "--seeds", "2")) == 0
    assert runs.read_text().startswith(first)
    assert len(pd.read_csv(runs)) == 4
    # Another setting is another row; relu does not depend on AIEC's.
    assert main(command("--act", "relu", "--seeds", "2", "--lambda-gate", "5")) == 0
    assert len(pd.read_csv(runs)) == 4
    assert main(command("--act", "relu", "--seeds", "2", "--lr", "0.1")) == 0
    assert len(pd.read_csv(runs)) == 8


def test_two_names_of_one_setting_are_run_once_and_both_shown(command, tmp_path, capsys):
    extra = ["--model", "gcn", "--act", "aiec", "aiec:lambda_gate=0.1", "relu"]
    assert main(command(*extra, "--seeds", "2")) == 0
    assert "4 runs" in capsys.readouterr().err
    folder = tmp_path / "run"
    assert len(pd.read_csv(folder / "runs.csv")) == 4
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["seeds"].tolist() == [2, 2, 2]
    assert summary["test_ap_mean"][0] == summary["test_ap_mean"][1]


def test_runs_side_by_side_give_what_runs_in_turn_do(command, tmp_path, capsys):
    options = ["--act", "relu", "aiec", "--seeds", "2", "--save-scores"]
    assert main(command(*options, out="in_turn")) == 0
    table = capsys.readouterr().out
    assert main(command(*options, "--jobs", "2", out="beside")) == 0
    assert capsys.readouterr().out == table
    names = ["model", "act", "seed"]
    of = {
        way: pd.read_csv(tmp_path / way / "runs.csv").sort_values(names, ignore_index=True)
        for way in ("in_turn", "beside")
    }
    numbers = [c for c in COLUMNS if c not in ("seconds_per_epoch", "peak_memory_mb", "threads")]
    pd.testing.assert_frame_equal(of["beside"][numbers], of["in_turn"][numbers])
    for path in (tmp_path / "in_turn" / "scores").iterdir():
        assert (tmp_path / "beside" / "scores" / path.name).read_bytes() == path.read_bytes()


def test_a_line_torn_by_a_crash_is_dropped_and_run_again(command, tmp_path):
    runs = tmp_path / "run" / "runs.csv"
    arguments = command("--model", "gcn", "--act", "relu", "--seeds", "2")
    assert main(arguments) == 0
    whole = pd.read_csv(runs)
    runs.write_bytes(runs.read_bytes()[:-40])
    assert main(arguments) == 0
    again = pd.read_csv(runs)
    numbers = [c for c in COLUMNS if c not in ("seconds_per_epoch", "peak_memory_mb", "threads")]
    pd.testing.assert_frame_equal(again[numbers], whole[numbers])


def configuration(path):
    """What `bench` is called with for a YAML file."""
    signature = Signature(bench)
    return signature.arguments(parse("bench", signature, [str(path)]))["config"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_configuration_runs_on_a_small_simulated_graph(path, data_root, tmp_path):
    text = yaml.safe_load(path.read_text())
    text["dataset"], text["simulate"] = ["elliptic"], 0.02
    small = tmp_path / "small.yaml"
    small.write_text(yaml.safe_dump(text))
    configuration(path).check()
    extra = ["--seeds", "1", "--data-root", str(data_root), "--out", str(tmp_path / "run"), *TINY]
    assert main(["--config", str(small), *extra]) == 0


def test_overrides_reach_their_cells(data_root, tmp_path):
    config = tmp_path / "c.yaml"
    rule = {"when": {"model": "gcn", "act": "aiec"}, "set": {"lambda_gate": 0.0}}
    config.write_text(
        yaml.safe_dump({"dataset": ["elliptic"], "simulate": 0.02, "overrides": [rule]})
    )
    parsed = configuration(config)
    found = {(c.model, c.act): c.settings.lambda_gate for c in parsed.specs()}
    assert found["gcn", "aiec"] == 0
    assert found["sage", "aiec"] == found["gcn", "relu"] == 0.1
    labels = [c.act_label for c in parsed.specs() if c.act == "aiec"]
    assert labels == ["aux_only", "aiec"]


def fails(arguments, capsys):
    """Runs a command that must fail, and returns its one line."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert lines[-1].startswith("aiec: error: ")
    assert "Traceback" not in captured.err
    return lines[-1]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--dataset", "redit"], "Did you mean 'reddit'"),
        (["--model", "sgae"], "Did you mean 'sage'"),
        (["--act", "aeic"], "Did you mean 'aiec'"),
        (["--act-options", "{gate: unoin}"], "Did you mean 'union'"),
        (["--features", "standart"], "Did you mean 'standard'"),
        (["--split", "smei"], "Did you mean 'semi'"),
        (["--modle", "gcn"], "unknown option '--modle'. Did you mean '--model'"),
        (["--seed", "3"], "Did you mean '--seeds'"),
        (["--seeds", "0"], "seeds must be at least 1"),
        (["--jobs", "-1"], "jobs must be at least 0"),
        (["--seeds", "many"], "seeds"),
        (["--lr", "fast"], "lr"),
        (["--simulate", "7"], "scale"),
        (["--simulate", "nan"], "simulate"),
        (["--config", "missing.yaml"], "missing.yaml"),
    ],
)
def test_slips_are_answered_in_a_line(command, capsys, extra, message):
    assert message in fails(command(*extra), capsys)


def test_unknown_commands_and_keys(capsys, tmp_path):
    assert "Did you mean 'score'" in fails(["scor", "x"], capsys)
    assert "name a data set" in fails(["--seeds", "3"], capsys)
    for content, message in (
        ("datasets: [reddit]", "Did you mean 'dataset'"),
        ("dataset: [reddit]\noverrides: [{when: {model: gcm}, set: {}}]", "Did you mean 'gcn'"),
        ("dataset: [reddit]\noverrides: [{when: {mode: gcn}, set: {}}]", "Did you mean 'model'"),
        ("dataset: [reddit]\noverrides: [{when: {}, set: {lamda_gate: 1}}]", "'lambda_gate'"),
        ("dataset: [reddit]\noverrides: [{when: {}, set: {lr: fast}}]", "must be a float"),
        ("dataset: [reddit", "line 1, column 17: not YAML"),
        ("dataset: [reddit]\nact: []", "at least one act"),
        (
            "dataset: [reddit]\nact: [aiec]\nact_options: {detach_aux: maybe}",
            "detach_aux cannot be",
        ),
        ("dataset: [reddit]\nact: [aiec]\nact_options: {1: 2}", "unknown AIEC option '1'"),
    ):
        path = tmp_path / "c.yaml"
        path.write_text(content)
        assert message in fails(["--config", str(path)], capsys)


def test_missing_and_faulty_files(tmp_path, capsys, data_root):
    base = [
        "--model",
        "gcn",
        "--act",
        "relu",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "run"),
        *TINY,
    ]
    line = fails(["--dataset", "elliptic", "--data-root", str(tmp_path), *base], capsys)
    assert "kaggle" in line
    assert "--simulate" in line

    folder = tmp_path / "faulty" / "elliptic"
    folder.mkdir(parents=True)
    source = next((data_root / "elliptic").glob("simulated-*"))
    for file in source.glob("*.csv"):
        (folder / file.name).write_bytes(file.read_bytes())
    features = folder / "elliptic_txs_features.csv"
    sound = features.read_text()
    arguments = ["--dataset", "elliptic", "--data-root", str(tmp_path / "faulty"), *base]
    for broken in (
        sound.replace(",", ",x", 1),
        sound.replace(",", ",nan,", 1),
        sound.replace(",", "", 1),
    ):
        features.write_text(broken)
        assert re.search("features.csv, line 1", fails(arguments, capsys))
    features.write_text(sound)
    classes = folder / "elliptic_txs_classes.csv"
    classes.write_text(classes.read_text().replace(",1\n", ",2\n"))
    assert "no anomalous node" in fails(arguments, capsys)


def test_a_forbidden_constructor(tmp_path, capsys):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "reddit").mkdir()
    torch.save({"x": Bomb()}, tmp_path / "reddit" / "reddit.pt")
    line = fails(
        ["--dataset", "reddit", "--data-root", str(tmp_path), "--out", str(tmp_path / "o")], capsys
    )
    assert "constructor" in line
    assert not (tmp_path / "ran").exists()


def test_corrupt_checkpoints(tmp_path, capsys, command):
    assert main(command("--model", "gcn", "--act", "aiec", "--seeds", "1", "--checkpoint")) == 0
    (good,) = (tmp_path / "run" / "checkpoints").iterdir()
    content, tensors = load_tensors(good)
    bad = tmp_path / "bad.safetensors"
    capsys.readouterr()

    def refused():
        return fails(["score", str(bad)], capsys)

    for data in (b"", b"garbage", good.read_bytes()[:-500], b"\xff" * 64):
        bad.write_bytes(data)
        assert "bad.safetensors: damaged" in refused()
    save_file(tensors, bad)
    assert "not a checkpoint" in refused()
    torch.save({"format": 2}, bad)
    assert "train it anew" in refused()
    for altered in ({**content, "format": "graph-9"}, {}):
        save_tensors(bad, altered, tensors)
        assert "another version" in refused()
    for key, value in (("seed", None), ("in_channels", "x"), ("spec", {}), ("preprocessor", {})):
        save_tensors(bad, {**content, key: value}, tensors)
        assert "incomplete or altered" in refused()
    save_tensors(bad, content, {k: v for k, v in tensors.items() if k != "network.lin.weight"})
    assert "for lin.weight its settings ask for shape [2, 32]" in refused().replace("4]", "32]")
    assert "No such file" in fails(["score", str(tmp_path / "none.pt")], capsys)


@pytest.mark.parametrize("sizes", [{"hidden": 10**9}, {"layers": 10**12}, {"hidden": 10**15}])
def test_a_checkpoint_cannot_ask_for_more_than_it_holds(tmp_path, capsys, command, sizes):
    assert main(command("--model", "gcn", "--act", "relu", "--seeds", "1", "--checkpoint")) == 0
    (good,) = (tmp_path / "run" / "checkpoints").iterdir()
    content, tensors = load_tensors(good)
    content["spec"]["settings"] |= sizes
    save_tensors(tmp_path / "bad.safetensors", content, tensors)
    assert "bad.safetensors: " in fails(["score", str(tmp_path / "bad.safetensors")], capsys)


def test_folders_that_cannot_be_written(command, tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    assert "cannot write" in fails(command(out="file"), capsys)
    assert "cannot write" in fails(command(out="file/below"), capsys)
    assert (tmp_path / "file").read_text() == "precious"
    (tmp_path / "other").mkdir()
    for content in ("a,b\n1,2\n", "precious user data"):
        (tmp_path / "other" / "runs.csv").write_text(content)
        assert "other columns" in fails(command(out="other"), capsys)
        assert (tmp_path / "other" / "runs.csv").read_text() == content


def test_two_runs_do_not_share_a_folder(command, tmp_path, capsys):
    holder = RunStore(tmp_path / "run", BenchmarkRuns)
    try:
        assert "another run is writing" in fails(command(), capsys)
    finally:
        holder.close()


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in (
        "--lambda-gate",
        "--simulate",
        "--save-scores",
        "GraphSAGE's aggregator",
        "elliptic",
    ):
        assert word in text


def test_a_damaged_results_file_is_named_and_kept(command, tmp_path, capsys):
    assert main(command("--model", "gcn", "--act", "relu", "--seeds", "1")) == 0
    runs = tmp_path / "run" / "runs.csv"
    for damage in (
        "elliptic,True,supervised,gcn,relu,notaseed" + "," * 20 + "\n",
        "a," * 40 + "\n",
    ):
        before = runs.read_text()
        runs.write_text(before + damage)
        capsys.readouterr()
        assert "runs.csv is damaged" in fails(command("--model", "gcn", "--act", "gelu"), capsys)
        assert runs.read_text() == before + damage
        runs.write_text(before)
