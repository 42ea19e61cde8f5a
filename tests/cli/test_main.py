"""The command line: results, and runs that are gone on with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from aiec_graph.bench.runs import BenchmarkRuns
from aiec_graph.bench.store import columns_of
from aiec_graph.cli.bench import bench
from aiec_graph.cli.main import main
from aiec_graph.cli.options import Signature, parse
from tests.cli.conftest import TINY, fails

COLUMNS = columns_of(BenchmarkRuns)
ROOT = Path(__file__).parents[2]
# Those of images, of studies, of mechanisms and of backtests have tests of their own.
OTHERS = (
    "aiec backtest",
    "backbone:",
    "candidates:",
    "run_bench.py dynamics",
    "run_bench.py planted",
)
CONFIGS = sorted(
    path
    for path in (ROOT / "configs").glob("*.yaml")
    if not any(word in path.read_text() for word in OTHERS)
)


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
