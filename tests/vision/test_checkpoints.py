"""Checkpoints of image networks: figures of their channels, export, and costs."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from aiec_graph.artifacts.export import describe, export_onnx, export_torch
from aiec_graph.artifacts.image_checkpoint import load_image_checkpoint
from aiec_graph.cli.main import main
from aiec_graph.core import AIEC, strip
from aiec_graph.vision import VisionSettings
from aiec_graph.vision.training import build_network
from aiec_graph.vision.transforms import MEAN, STD

TINY = ["--limit-train", "24", "--batch-size", "12", "--image-size", "16", "--epochs", "1"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    arguments = ["vision", "--backbone", "shufflenet", "--act", "relu", "aiec", *TINY]
    assert main([*arguments, "--seeds", "1", "--checkpoint", "--out", str(out)]) == 0
    found = sorted((out / "checkpoints").iterdir())
    assert len(found) == 2
    return found  # aiec, relu


def test_a_checkpoint_comes_back_whole(checkpoints):
    loaded = load_image_checkpoint(checkpoints[0])
    assert loaded.spec.act_label == "aiec"
    assert loaded.class_names == [str(i) for i in range(10)]
    state = load_file(checkpoints[0])
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[name])
    assert not loaded.network.training


def test_channels_of_two_networks(checkpoints, tmp_path, capsys):
    arguments = ["channels", *map(str, checkpoints[::-1]), "--out", str(tmp_path)]
    assert main([*arguments, "--classes", "0", "1", "2", "3", "4"]) == 0
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [
        *("channels.csv", "channels_conv5_2-1.png", "channels_conv5_2-2.png"),
        "channels_summary.csv",
    ]
    rows = pd.read_csv(tmp_path / "channels.csv")
    assert len(rows) == 2 * 5 * 1024
    assert rows["activity_level"].between(-1, 1).all()
    for _, own in rows.groupby(["network", "class"]):
        ordered = own.sort_values("rank")["activity_level"].to_numpy()
        assert (np.diff(ordered) <= 0).all()
        assert sorted(own["rank"]) == list(range(1024))
    summary = pd.read_csv(tmp_path / "channels_summary.csv")
    assert set(summary["weights"]) == {"own", "fitted"}
    assert len(summary) == 10 and summary["samples"].between(35, 37).all()  # a stratified fifth


def test_channels_of_one_network_and_of_a_graph(checkpoints, tmp_path, monkeypatch):
    assert main(["channels", str(checkpoints[1]), "--classes", "3", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "channels_conv5_2.png").is_file()
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    graph = ["--dataset", "elliptic", "--simulate", "0.02", "--model", "gcn", "--act", "aiec"]
    graph += ["--seeds", "1", "--epochs", "2", "--checkpoint", "--data-root", str(tmp_path)]
    assert main([*graph, "--out", str(tmp_path / "run")]) == 0
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    out = tmp_path / "graph"
    arguments = ["channels", str(path), "--layer", "all", "--out", str(out)]
    assert main([*arguments, "--data-root", str(tmp_path)]) == 0
    assert {p.name for p in out.glob("*.png")} == {"channels_layer1.png", "channels_layer2.png"}
    rows = pd.read_csv(out / "channels.csv")
    assert rows["data"].str.contains("simulated").all()
    assert len(rows) == 2 * 2 * 32
    # Two kinds of data cannot stand side by side.
    assert main([*arguments, str(checkpoints[0]), "--data-root", str(tmp_path)]) == 2
    assert main(["export", str(path), "--out", str(tmp_path / "n.onnx")]) == 2
    assert not (tmp_path / "n.onnx").exists()


@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_export_by_command(checkpoints, suffix, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    out = tmp_path / f"network.{suffix}"
    assert main(["export", str(checkpoints[0]), "--out", str(out)]) == 0
    assert "logits within" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == [out.name]
    if suffix == "onnx":
        import onnxruntime

        about = onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map
    else:
        about = dict.fromkeys(describe(load_image_checkpoint(checkpoints[0])), "")
        torch.export.load(out, extra_files=about)
    found = {name.removeprefix("aiec_"): json.loads(value) for name, value in about.items()}
    assert found["image_size"] == 16 and found["classes"] == [str(i) for i in range(10)]
    assert found["mean"] == list(MEAN) and found["std"] == list(STD)


def test_test_images_are_scored(checkpoints, tmp_path, capsys):
    out = tmp_path / "s.csv"
    assert main(["score", str(checkpoints[0]), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    rows = pd.read_csv(out, dtype={"class": str, "predicted": str})
    each = rows[[f"p_{i}" for i in range(10)]].to_numpy()
    assert len(rows) == 360 and np.allclose(each.sum(1), 1, atol=1e-5)
    assert (each.argmax(1).astype(str) == rows["predicted"]).all()
    right = 100 * (rows["class"] == rows["predicted"]).mean()
    assert f"{right:.1f} % of them right" in shown
    runs = pd.read_csv(checkpoints[0].parents[1] / "runs.csv")
    assert right == pytest.approx(runs.loc[runs["act"] == "aiec", "test_top1"].item())


def test_new_pictures_are_scored_and_broken_ones_named(checkpoints, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in ("3", "8", "upside"):
        (tmp_path / "new" / name).mkdir(parents=True)
        for i in range(2):
            pixels = rng.integers(0, 255, (9, 11, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "new" / name / f"{i}.png")
    (tmp_path / "new" / "3" / "x.jpg").write_bytes(b"<html>")
    (tmp_path / "new" / "3" / "list.txt").write_text("")
    out = tmp_path / "s.csv"
    arguments = ["score", str(checkpoints[0]), str(tmp_path / "new"), "--out", str(out)]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "x.jpg: no picture that can be read, but a web page" in shown.err
    assert "list.txt" in shown.err and "right" not in shown.out
    rows = pd.read_csv(out)
    assert list(rows["image"]) == [f"{n}/{i}.png" for n in ("3", "8", "upside") for i in (0, 1)]
    assert "class" not in rows
    alone = ["score", str(checkpoints[0]), str(tmp_path / "new" / "8" / "1.png")]
    assert main([*alone, "--out", str(tmp_path / "one.csv")]) == 0
    one = pd.read_csv(tmp_path / "one.csv")
    assert one["p_3"][0] == pytest.approx(rows["p_3"][3], rel=1e-4)
    shutil.rmtree(tmp_path / "new" / "upside")
    assert main(arguments) == 0
    assert list(pd.read_csv(out)["class"].astype(str)) == ["3", "3", "8", "8"]
    for path in (tmp_path / "new").rglob("*.png"):
        path.write_bytes(b"")
    before = out.read_bytes()
    assert main(arguments) == 2 and out.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "save", "file"),
    [("pvt_tiny", export_onnx, "n.onnx"), ("vit_tiny", export_torch, "n.pt2")],
)
def test_exported_networks_compute_the_same(name, save, file, tmp_path):
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = build_network(name, "aiec", 10, 32, VisionSettings()).eval()
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        before = network(images)
        stripped = strip(network)
        assert torch.equal(stripped(images), before)
    assert not any(isinstance(m, AIEC) for m in stripped.modules())
    assert save(stripped, 32, tmp_path / file) <= 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["channels", "{c}", "--layer", "conv6"], "no layer 'conv6'"),
        (["channels", "{c}", "--classes", "eleven"], "unknown class 'eleven'"),
        (["channels", "/nowhere.pt"], "No such file"),
        (["export", "{c}", "--out", "network.pb"], "must end in .onnx or .pt2"),
        (["cost", "--act", "rleu"], "Did you mean 'relu'"),
        (["cost", "--image-size", "100"], "in multiples of 16, not 100"),
        (["cost", "--rounds", "0"], "rounds must be at least 1"),
        (["cost", "--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_mistakes(checkpoints, arguments, message, capsys):
    assert main([a.replace("{c}", str(checkpoints[0])) for a in arguments]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in line


def test_costs_are_measured(tmp_path):
    arguments = ["cost", "--backbone", "shufflenet", "--act", "relu", "aiec", "--rounds", "2"]
    arguments += ["--image-size", "32", "--batch-size", "4", "--warmup", "0", "--device", "cpu"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    rows = pd.read_csv(tmp_path / "cost.csv")
    assert rows[["act", "phase"]].to_numpy().tolist() == [
        [act, phase] for phase in ("train", "inference") for act in ("relu", "aiec")
    ]
    assert (rows["latency_ms_median"] > 0).all() and (rows["peak_memory_mb"] > 0).all()
    assert "(1.000)" in (tmp_path / "table.md").read_text()
