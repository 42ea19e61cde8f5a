"""A backtest from the command to its report, stopped and continued; its statistics."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from aiec_graph.bench.backtest.config import BacktestConfig
from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.bench.backtest.run import backtest
from aiec_graph.bench.backtest.runs import BacktestRuns, Views
from aiec_graph.bench.backtest.statistics import compare_cuts, inflation_of
from aiec_graph.bench.backtest.timeline import StepTimeline
from aiec_graph.bench.backtest.tuning import choose
from aiec_graph.bench.study.statistics import compare
from aiec_graph.cli.main import main
from aiec_graph.detect.report.backtest import read_backtest
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import UNKNOWN
from aiec_graph.metrics import evaluate
from aiec_graph.train.settings import TrainSettings

KEYS = ["cut", "model", "act", "seed"]


@pytest.fixture
def folder(tmp_path, drifting):
    """The drifting graph as a user's own folder."""
    path = tmp_path / "payments"
    path.mkdir()
    labels = pd.Series(drifting.y).map({-1: None, 0: 0, 1: 1}).astype("Int64")
    nodes = pd.DataFrame(drifting.x.numpy(), columns=["a", "b", "c"])
    nodes.insert(0, "id", drifting.node_ids)
    nodes["label"], nodes["time_step"] = labels, drifting.time_step
    nodes.to_csv(path / "nodes.csv", index=False)
    source, target = drifting.edge_index.numpy()
    pd.DataFrame({"source": source, "target": target}).to_csv(path / "edges.csv", index=False)
    return path


def test_models_are_compared_cut_by_cut(folder, tmp_path):
    found = backtest(
        folder,
        out=tmp_path / "out",
        model=["gcn", "hgb_graph"],
        act=["relu", "aiec"],
        cuts=3,
        seeds=2,
        jobs=1,
        train=TrainSettings(epochs=4, hidden=8),
    )
    rows = found.rows
    assert len(rows) == 3 * 3 * 2
    assert not rows.duplicated(KEYS).any()
    assert (rows["base_rate"] == 100 * rows["anomalies"] / rows["labelled"]).all()
    # Seeds are averaged before anything is compared: cuts are the sample.
    ap = rows.groupby(["cut", "model", "act"])["ap"].mean().unstack([1, 2])
    expected = compare((ap["gcn", "aiec"] - ap["gcn", "relu"]).to_numpy(), 0)
    pair = found.pairs[(found.pairs["metric"] == "ap") & (found.pairs["model"] == "GCN-AIEC")]
    assert pair["cuts"].item() == 3
    assert pair["difference"].item() == pytest.approx(expected.difference)
    assert pair["p"].item() == pytest.approx(expected.p)
    ages = found.ages
    assert set(ages["age"]) == {1, 2}
    assert ages.groupby(KEYS)["anomalies"].sum().tolist() == (
        rows.set_index(KEYS).sort_index()["anomalies"].tolist()
    )
    assert set(found.leakage["model"]) == {"gcn", "hgb_graph"}
    assert set(found.drift["age"]) == {1, 2}
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "GCN-AIEC" in page
    # What the report on a detector shows of it.
    section = read_backtest(tmp_path / "out")
    assert section.unit == "step"
    assert section.cuts.header == ["cut", "GCN-ReLU", "GCN-AIEC", "HGBGraph", "base rate"]
    wide = found.cuts.pivot(index="cut", columns=["model", "act"], values="ap")
    assert section.cuts.rows[0][1] == f"{wide['gcn', 'relu'].iloc[0]:.1f}"
    assert section.ages is not None
    assert section.leakage is not None
    assert [row[0] for row in section.leakage.rows] == ["GCN-ReLU", "GCN-AIEC", "HGBGraph"]
    assert all("<svg" in str(drawn) for drawn in (section.by_cut, section.by_age, section.drift))
    with pytest.raises(InputError, match="cuts.csv: there is no such file"):
        read_backtest(tmp_path)
    assert (tmp_path / "out" / "cuts.png").stat().st_size > 10_000
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "out" / "backtest.csv")[["cut", "ap"]], rows[["cut", "ap"]]
    )


def test_the_random_split_has_the_same_nodes_and_labels(drifting, folder, tmp_path):
    cut = Cut(6, 1, 3, 5, 4)
    views = Views(StepTimeline(drifting))
    first, second = (views.shuffled(cut, seed) for seed in (1, 2))
    expected = cut.split_of(views.timeline)
    before, after = (s.masks() for s in (expected, first.split))
    count, y = len(first.y), first.y
    assert (
        np.logical_or.reduce(list(before.values()))[:count]
        == (np.logical_or.reduce(list(after.values())))
    ).all()
    for part, mask in after.items():
        assert np.bincount(y[mask]).tolist() == np.bincount(y[before[part][:count]]).tolist()
    assert (first.graph.y[first.split.test_mask] == UNKNOWN).all()
    assert not np.array_equal(first.split.test_mask, second.split.test_mask)
    found = backtest(
        folder,
        out=tmp_path / "out",
        model=["logistic", "hgb"],
        cuts=2,
        seeds=1,
        jobs=1,
        random_split=True,
        skip_leakage=True,
    )
    assert len(found.shuffled) == 4
    ap = [f.pivot(index="cut", columns="model", values="ap") for f in (found.rows, found.shuffled)]
    lead = [(wide["hgb"] - wide["logistic"]).mean() for wide in ap]
    row = found.control[(found.control["metric"] == "ap") & found.control["difference"].notna()]
    assert row["difference"].item() == pytest.approx(lead[0] - lead[1])
    assert "Over time, and at random" in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_settings_are_chosen_on_the_first_cuts_and_confirmed_on_the_others(folder, tmp_path):
    found = backtest(
        folder,
        out=tmp_path / "out",
        model=["gcn"],
        act=["relu", "relu:dropout=0.9", "aiec", "aiec:lambda_gate=1"],
        cuts=3,
        tune=1,
        seeds=1,
        jobs=1,
        skip_leakage=True,
        train=TrainSettings(epochs=2, hidden=4),
    )
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    first = runs[runs["cut"] == runs["cut"].min()]
    assert len(first) == 4
    best = {
        name: own.loc[own["val_ap"].idxmax(), "act"]
        for name, own in first.groupby(first["act"].str.partition(":")[0])
    }
    assert set(found.rows["act"]) == set(best.values())
    assert found.rows["cut"].nunique() == 2
    assert not set(found.rows["seed"]) & set(first["seed"])
    with pytest.raises(InputError, match="leaves none of the 2 cuts"):
        backtest(folder, out=tmp_path / "none", model=["gcn"], cuts=2, tune=2)


def test_stopped_and_continued_it_gives_the_same_rows(folder, tmp_path, monkeypatch):
    command = ["backtest", str(folder), "--model", "gcn", "--cuts", "3", "--epochs", "4"]
    command += ["--seeds", "2", "--jobs", "1", "--skip-leakage"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*command, "--out", str(whole)]) == 0
    make, made = BacktestRuns.make, []

    def stop_after_three(self, run, data):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(run)
        return make(self, run, data)

    with monkeypatch.context() as patch:
        patch.setattr(BacktestRuns, "make", stop_after_three)
        assert main([*command, "--out", str(broken)]) == 130
    assert len(pd.read_csv(broken / "runs.csv")) == 3
    assert main([*command, "--out", str(broken)]) == 0
    for name in ("backtest.csv", "ages.csv", "cuts.csv", "pairs.csv"):
        first, second = (pd.read_csv(path / name) for path in (whole, broken))
        timed = [c for c in first.columns if c.startswith("seconds")]
        pd.testing.assert_frame_equal(first.drop(columns=timed), second.drop(columns=timed))


def test_the_plan_trains_nothing(folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["backtest", str(folder), "--from", "6", "--every", "2", "--plan"]
    assert main([*command, "--out", str(out)]) == 0
    text = capsys.readouterr().err
    assert "cut 6, 2 steps after it: train" in text
    assert "24 trainings, at most about" in text  # 3 cuts, 2 models, 3 seeds and a leaking one
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-delay", "60d"], "--label-delay takes a whole number of steps"),
        (["--from", "monday"], "--from takes a time step such as 25"),
        (["--horizon", "0"], "--horizon must be at least 1"),
        (["--model", "rf_grap"], "unknown model 'rf_grap'. Did you mean 'rf_graph'?"),
        (["--threshold", "f2"], "unknown threshold"),
        (["--cuts", "40"], "too short for 40 cuts every 1 steps"),
        (["--horizon", "12"], "appear from 1 to 12: --horizon must be less than these 12 steps"),
        (["--from", "12"], "before the last of them, not at 12"),
        (["--label-delay", "12"], "3: no label is known yet, 12 steps being their delay)"),
        (["--train-window", "1"], "validation takes all of the 1 with known labels"),
    ],
)
def test_slips_are_answered_in_a_line(folder, tmp_path, capsys, options, message):
    assert main(["backtest", str(folder), "--out", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_configuration_gives_all_activations_as_many_candidates():
    path = Path(__file__).parents[3] / "configs" / "when_aiec_helps.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    config = BacktestConfig(**{**values, "out": Path(values["out"])})
    config.check("elliptic_graph")
    specs = list(config.specs("elliptic_graph", Cut(6, 1, 3, 5, 4)))
    rows = pd.DataFrame({"model": "gcn", "act": [s.act_label for s in specs], "val_ap": 1.0})
    assert choose(rows).groupby("group").size().to_dict() == {
        **{"relu": 4, "gelu": 4, "aux_only": 4, "aiec": 4, "aiec:variant=l0": 4}
    }


def test_data_without_times_are_refused():
    with pytest.raises(InputError, match="has no times"):
        backtest("weibo21", out="unused")


def test_horizons_apart_leave_the_plain_t_test():
    differences = np.random.default_rng(0).standard_normal(9)
    assert compare_cuts(differences, np.eye(9)) == compare(differences, 0)


def test_correlated_cuts_count_for_less():
    """Against the variance of the mean and the mean of s² under the correlation itself."""
    lags = np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
    correlation = np.maximum(1 - lags / 3, 0)
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((20_000, 9)) @ np.linalg.cholesky(correlation).T
    s2 = drawn.var(axis=1, ddof=1)
    expected = drawn.mean(axis=1).var() / s2.mean()
    assert 1 / 9 + inflation_of(correlation) == pytest.approx(expected, rel=0.05)
    p = np.array([compare_cuts(d, correlation).p for d in drawn[:2000]])
    assert 0.035 < (p < 0.05).mean() < 0.065
    assert np.isnan(compare_cuts(drawn[0], correlation).p_wilcoxon)


def test_the_metrics_are_those_of_the_horizon():
    from aiec_graph.bench.backtest.runs import Scored, measure

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.choice([-1, 0, 1], 50), "score": rng.standard_normal(50)})
    frame["age"] = 1
    y_val, score_val = np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 0.5, 0.8])
    row = measure(Scored(y_val, score_val, frame, {}, {}), "f1")
    labelled = frame[frame["y"] >= 0]
    expected = evaluate(labelled["y"].to_numpy(), labelled["score"].to_numpy())
    assert (row["auc"], row["ap"], row["rec_at_k"]) == expected
    listed = frame["score"] >= 0.65  # halfway between the last hit and the first normal node
    assert row["alerts"] == listed.sum()
    assert row["hits"] == (listed & (frame["y"] == 1)).sum()
    assert row["labelled_alerts"] == (listed & (frame["y"] >= 0)).sum()
    assert measure(Scored(y_val, score_val, frame, {}, {}), "top=7")["alerts"] == 7
