"""Metrics by time step, and runs on data that are the user's own or have changed."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from aiec_graph.bench.report.time_steps import draw_panel
from aiec_graph.cli.main import main
from aiec_graph.data import load_dataset, make_split
from aiec_graph.metrics import evaluate

TINY = ["--hidden", "4", "--epochs", "4", "--seeds", "1"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


def test_metrics_by_time_step(tmp_path, data_root):
    out = tmp_path / "run"
    base = ["--dataset", "elliptic", "--simulate", "0.02", "--data-root", str(data_root)]
    arguments = [*base, *TINY, "--act", "relu", "aiec", "--model", "gcn", "--out", str(out)]
    assert main([*arguments, "--save-scores"]) == 0
    steps = pd.read_csv(out / "time_steps.csv")
    graph = load_dataset("elliptic", data_root, 0.02)
    split = make_split(graph, "supervised", 3407, (0.4, 0.2))
    assert graph.time_step is not None
    assert set(steps["time_step"]) == set(graph.time_step[split.test_mask])
    assert steps["simulated"].all()
    for act in ("relu", "aiec"):
        (path,) = (out / "scores").glob(f"*_gcn_{act}_*.csv")
        score = pd.read_csv(path)["score"].to_numpy()
        own = steps[steps["act"] == act].set_index("time_step")
        assert own["nodes"].sum() == split.test_mask.sum()
        for step, row in own.iterrows():
            mask = split.test_mask & (graph.time_step == step)
            assert (row["nodes"], row["anomalous"]) == (mask.sum(), graph.y[mask].sum())
            if 0 < row["anomalous"] < row["nodes"]:
                expected = evaluate(graph.y[mask], score[mask])
                np.testing.assert_allclose(
                    row[["auc", "ap", "rec_at_k"]].astype(float), expected, rtol=1e-4
                )
            else:
                assert row[["auc", "ap", "rec_at_k"]].isna().all()
    with Image.open(out / "time_steps.png") as image:
        assert image.width > 500
        assert len(image.convert("RGB").getcolors(2**20) or []) > 10
    first = (out / "time_steps.csv").read_bytes()
    (out / "time_steps.csv").unlink()
    assert main(arguments) == 0
    assert (out / "time_steps.csv").read_bytes() == first


def test_the_figure_has_whole_steps_a_base_rate_and_whole_markers(tmp_path):
    steps = pd.DataFrame({"time_step": [7, 8, 9], "nodes": 100, "anomalous": [2, 4, 5]})
    runs = [
        steps.assign(act=act, seed=seed, config_hash=act, ap=[9.0 + seed, np.nan, 3.0])
        for act in ("relu", "aiec")
        for seed in (0, 2)
    ]
    figure = Figure()
    axis = figure.add_subplot()
    draw_panel(axis, pd.concat(runs, ignore_index=True))
    figure.canvas.draw()
    low, high = axis.get_xlim()
    assert [t for t in axis.get_xticks() if low <= t <= high] == [7, 8, 9]
    base_rate, relu, aiec = axis.get_lines()
    assert list(base_rate.get_ydata()) == [2, 4, 5]
    for line in (relu, aiec):
        assert list(line.get_xdata()) == [7, 9]
        assert list(line.get_ydata()) == [10, 3]
        assert not line.get_clip_on()
    assert low < 7 and high > 9
    assert axis.get_ylim()[0] == 0
    assert 10 < axis.get_ylim()[1] < 20


@pytest.fixture
def mine(tmp_path):
    """A folder as an analyst has it: texts for ids, a category, gaps, unknown labels."""
    rng = np.random.default_rng(0)
    count = 200
    y = (rng.random(count) < 0.2).astype(int)
    nodes = pd.DataFrame(
        {
            "id": [f"A{i:03}" for i in range(count)],
            "amount": np.where(rng.random(count) < 0.1, np.nan, rng.normal(size=count) + y),
            "branch": rng.choice(["Rome", "Oslo"], count),
            "label": np.where(np.arange(count) < 180, y.astype(str), ""),
        }
    )
    ends = rng.choice(nodes["id"], (2, 600))
    folder = tmp_path / "mine"
    folder.mkdir()
    nodes.to_csv(folder / "nodes.csv", index=False)
    pd.DataFrame({"source": ends[0], "target": ends[1]}).to_csv(folder / "edges.csv", index=False)
    return folder


@pytest.mark.parametrize("features", ["raw", "standard"])
def test_an_own_graph_from_tables_to_scores(mine, tmp_path, features):
    out = tmp_path / "run"
    arguments = ["--dataset", str(mine), *TINY, "--act", "aiec", "--model", "sage"]
    arguments += ["--features", features, "--out", str(out), "--save-scores", "--checkpoint"]
    assert main(arguments) == 0
    runs = pd.read_csv(out / "runs.csv")
    assert runs["dataset"].tolist() == ["mine"]
    assert not runs["simulated"].any()
    assert "paper" not in (out / "table.md").read_text()
    (checkpoint,) = (out / "checkpoints").iterdir()
    again = tmp_path / "again.csv"
    assert main(["score", str(checkpoint), "--data-root", str(tmp_path), "--out", str(again)]) == 0
    (scores,) = (out / "scores").iterdir()
    found = pd.read_csv(again)
    pd.testing.assert_frame_equal(found, pd.read_csv(scores), rtol=1e-6)
    assert found["node"].tolist() == [f"A{i:03}" for i in range(200)]
    assert (found["label"] == "unknown").sum() == 20


def test_runs_on_other_files_are_not_mixed(mine, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--dataset", str(mine), *TINY, "--act", "relu", "--model", "gcn"]
    arguments += ["--out", str(out)]
    assert main(arguments) == 0
    runs = (out / "runs.csv").read_bytes()
    edges = mine / "edges.csv"
    edges.write_text(edges.read_text() + "A000,A001\n")
    assert main([*arguments, "--seeds", "2"]) == 2
    assert "other data files" in capsys.readouterr().err
    assert (out / "runs.csv").read_bytes() == runs


def test_mistakes_in_an_own_graph_are_one_line(mine, tmp_path, capsys):
    (mine / "nodes.csv").write_text("id,a,label\nA,1,0\nA,2,1\n")
    assert main(["--dataset", str(mine), "--out", str(tmp_path / "run")]) == 2
    line = capsys.readouterr().err
    assert "nodes.csv, line 3: the id 'A' is repeated" in line
    assert "Traceback" not in line
    assert main(["--dataset", str(mine), "--simulate", "0.1"]) == 2
    assert "takes a data set by name" in capsys.readouterr().err
