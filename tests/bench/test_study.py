"""A study: fair tuning, fresh seeds, no second look, and a report that can be recomputed."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from aiec_graph.artifacts.specs import FIRST_SEED, SEED_STEP, RunSpec
from aiec_graph.bench.study.plan import StudyConfig
from aiec_graph.bench.study.run import choose
from aiec_graph.cli.main import main
from aiec_graph.errors import InputError

CONFIGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")
    if "candidates:" in path.read_text()
)


@pytest.fixture
def command(data_root, tmp_path):
    def make(*extra, **content):
        base = {
            **{"dataset": ["elliptic"], "simulate": 0.02, "data_root": str(data_root)},
            **{"model": ["gcn"], "act": ["relu", "aiec"], "reference": ["relu"]},
            **{"features": ["standard"], "candidates": 3, "tuning_seeds": 1, "seeds": 3},
            **{"epochs": 3, "jobs": 1, "out": str(tmp_path / "study")},
        }
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(base | content))
        return ["study", str(path), *extra]

    return make


def trial(number):
    return FIRST_SEED + SEED_STEP * number


def test_from_plan_to_report(command, tmp_path, capsys):
    assert main(command(classifiers=["rf", "rf_graph"], tree_space={"min_samples_leaf": [5]})) == 0
    folder = tmp_path / "study"
    runs = pd.read_csv(folder / "runs.csv")
    tuning, confirmed = runs[runs["seed"] < trial(100)], runs[runs["seed"] >= trial(100)]
    assert set(tuning["seed"]) == {trial(0)}
    assert sorted(set(confirmed["seed"])) == [trial(100), trial(101), trial(102)]
    networks = tuning[tuning["act"] != "none"]
    assert networks.groupby("act")["config_hash"].nunique().to_dict() == {"relu": 3, "aiec": 3}
    report = folder / "report"
    results = pd.read_csv(report / "results.csv").set_index(["model", "act"])
    assert set(results.index) == {
        ("gcn", "relu"),
        ("gcn", "aiec"),
        ("rf", "none"),
        ("rf_graph", "none"),
    }
    selection = pd.read_csv(folder / "selection.csv").set_index(["model", "act"])
    for name, row in results.iterrows():
        own = confirmed[confirmed["config_hash"] == selection.loc[name, "config_hash"]]
        assert row["test_ap_mean"] == pytest.approx(own["test_ap"].mean())
        tried = tuning[(tuning["model"] == name[0]) & (tuning["act"] == name[1])]
        best = tried.loc[tried["val_ap"].idxmax(), "config_hash"]
        assert selection.loc[name, "config_hash"] == best
    (pair,) = pd.read_csv(report / "comparisons.csv").to_dict("records")
    assert pair["simulated"]
    assert "\n### elliptic (simulated data, scale 0.02)" in (report / "index.md").read_text()
    of = {
        act: confirmed[confirmed["config_hash"] == selection.loc[("gcn", act), "config_hash"]]
        for act in ("relu", "aiec")
    }
    difference = of["aiec"]["test_ap"].mean() - of["relu"]["test_ap"].mean()
    assert pair["difference"] == pytest.approx(difference)
    page = (report / "index.md").read_text()
    assert "simulated" in page.splitlines()[0]
    assert "say nothing about the real data set" in page
    assert "paper" not in page
    overview = page.split("## Test AP, minus ReLU's")[1].split("##")[0]
    row = next(line for line in overview.splitlines() if line.startswith("| AIEC"))
    assert f"{pair['difference']:+.2f}" in row
    assert (report / "forest_1.png").stat().st_size > 5000
    before = (folder / "runs.csv").read_text()
    assert main(command(classifiers=["rf", "rf_graph"], tree_space={"min_samples_leaf": [5]})) == 0
    assert (folder / "runs.csv").read_text() == before


def test_models_without_an_activation_are_compared_among_themselves(command, tmp_path):
    names = ["rf_graph", "rf_graph:refit", "logistic"]
    assert main(command(classifiers=names, baselines=["rf_graph"], candidates=1)) == 0
    runs = pd.read_csv(tmp_path / "study" / "runs.csv")
    val = {
        act: own["val_ap"].to_list()
        for act, own in runs[runs["model"] == "rf_graph"].groupby("act")
    }
    assert val["none"] == val["refit"]  # of a model that has not seen these nodes, both times
    table = pd.read_csv(tmp_path / "study" / "report" / "models.csv")
    assert set(table["model"]) == {"rf_graph:refit", "logistic"}
    assert set(table["reference"]) == {"rf_graph"}
    mean = runs.groupby(["model", "act"])["test_ap"].mean()
    found = table.set_index("model")["difference"]["logistic"]
    assert found == pytest.approx(mean["logistic", "none"] - mean["rf_graph", "none"])
    page = (tmp_path / "study" / "report" / "index.md").read_text()
    assert "RFGraph, refit − RFGraph" in page


def test_every_activation_has_the_same_candidates():
    config = StudyConfig(dataset=["reddit"], candidates=6)
    found = {}
    for group in config.groups():
        specs = [spec for spec in group.candidates if isinstance(spec, RunSpec)]
        found[group.act, group.model, group.features] = {
            (c.settings.lr, c.settings.dropout, c.settings.hidden) for c in specs
        }
        assert len(specs) == 6
    assert len(found) == 16
    assert len({frozenset(settings) for settings in found.values()}) == 1


def test_the_choice_sees_validation_on_tuning_seeds_alone():
    groups = list(StudyConfig(dataset=["reddit"], act=["relu"], candidates=3).groups())[:1]
    first, second, third = (spec.config_hash for spec in groups[0].candidates)
    rows = [
        (first, trial(0), 5.0, 99.0),
        (second, trial(0), 6.0, 0.0),
        (third, trial(0), 4.0, 50.0),
        (first, trial(100), 99.0, 99.0),
    ]
    runs = pd.DataFrame(rows, columns=["config_hash", "seed", "val_ap", "test_ap"])
    ((_, spec),) = choose(groups, runs, [trial(0)])
    assert spec.config_hash == second
    ((_, spec),) = choose(groups, runs, [trial(0)], excluded=[second])
    assert spec.config_hash == first
    with pytest.raises(InputError, match="every candidate diverged"):
        choose(groups, runs, [trial(0)], excluded=[first, second, third])


def test_no_second_look_at_seeds_that_confirmed(command, tmp_path, capsys):
    assert main(command(candidates=1)) == 0
    changed = {"candidates": 1, "hidden": 8}
    assert main(command(**changed)) == 2
    assert "--confirm-from" in capsys.readouterr().err
    runs = pd.read_csv(tmp_path / "study" / "runs.csv")
    assert len(runs) == 6
    assert main(command("--confirm-from", "110", **changed)) == 0
    # An activation more is no second look: the others' choices stand.
    more = {"act": ["relu", "gelu", "aiec"], "confirm_from": 110}
    assert main(command(**changed, **more)) == 0


def test_a_factor_is_varied_and_drawn(command, tmp_path):
    assert main(command(candidates=1, factor={"noise": [0, 2]})) == 0
    report = tmp_path / "study" / "report"
    results = pd.read_csv(report / "results.csv")
    assert sorted(results["level"]) == [0, 0, 2, 2]
    assert (report / "factor.png").stat().st_size > 5000
    page = (report / "index.md").read_text()
    assert "Test AP over noise" in page
    assert len(pd.read_csv(report / "comparisons.csv")) == 2


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_study_runs_on_a_small_simulated_graph(path, command, tmp_path):
    text = yaml.safe_load(path.read_text())
    shorter = {
        **{"candidates": min(text["candidates"], 2), "tuning_seeds": 1, "seeds": 2},
        **{"factor": {name: values[:2] for name, values in text.get("factor", {}).items()}},
    }
    if "budget" in text:
        shorter["budget"] = "1s"  # then auto fits its first candidate alone
    kept = {k: v for k, v in text.items() if k not in ("dataset", "out", "epochs")}
    if text.get("split") == "semi":  # the small graph has too few anomalous nodes for it
        shorter |= {"dataset": ["reddit"], "simulate": 0.3}
    assert main(command(**{"reference": ["relu"], **kept, **shorter})) == 0
    assert (tmp_path / "study" / "report" / "index.md").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"act": ["relu"], "reference": ["gelu"]}, "'gelu' is not in act"),
        ({"confirm_from": 5}, "confirm-from must be at least 100"),
        ({"space": {"lrr": [1]}}, "Did you mean 'lr'"),
        ({"space": {"lr": []}}, "lr needs a list"),
        ({"space": {"lr": ["fast"]}}, "lr must be a number"),
        ({"factor": {"noise": [-1]}}, "noise must be at least 0"),
        ({"factor": {"labels": [0.5], "noise": [1]}}, "factor takes one setting"),
        ({"classifiers": ["rff"]}, "Did you mean 'rf'"),
        ({"seeds": 1}, "seeds must be at least 2"),
        ({"candidats": 3}, "Did you mean 'candidates'"),
    ],
)
def test_bad_input_is_one_line(command, content, message, capsys, tmp_path):
    assert main(command(**content)) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "study").exists()
