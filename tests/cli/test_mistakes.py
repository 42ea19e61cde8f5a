"""The command line: mistakes are answered in a line, with exit code 2."""

import os
import re

import pytest
import torch
from safetensors.torch import save_file

from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.bench.runs import BenchmarkRuns
from aiec_graph.bench.store import RunStore
from aiec_graph.cli.main import main
from tests.cli.conftest import TINY, fails


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--dataset", "reddit"], "--dataset is there twice"),
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
    assert "Did you mean 'reddit'" in fails(["--dataset", "redit"], capsys)
    for content, message in (
        ("datasets: [reddit]", "Did you mean 'dataset'"),
        ("dataset: [reddit]\noverrides: [{when: {model: gcm}, set: {}}]", "Did you mean 'gcn'"),
        ("dataset: [reddit]\noverrides: [{when: {mode: gcn}, set: {}}]", "Did you mean 'model'"),
        ("dataset: [reddit]\noverrides: [{when: {}, set: {lamda_gate: 1}}]", "'lambda_gate'"),
        ("dataset: [reddit]\noverrides: [{when: {}, set: {lr: fast}}]", "must be a number"),
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
    assert "there is nothing" in fails(["score", str(tmp_path / "none.pt")], capsys)


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
