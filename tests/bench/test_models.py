"""Networks and models without an activation, side by side in the benchmark."""

import pandas as pd
import pytest

from aiec_graph.bench.config import BenchConfig
from aiec_graph.cli.main import main
from aiec_graph.errors import InputError
from aiec_graph.train.budget import Budget, parse_seconds


@pytest.fixture
def command(data_root):
    base = ["--dataset", "elliptic", "--simulate", "0.02", "--data-root", str(data_root)]
    return [*base, "--seeds", "2", "--epochs", "3"]


def test_each_model_has_its_rows(command, tmp_path, capsys):
    out = tmp_path / "out"
    models = ["--model", "rf_graph", "gcn", "logistic", "--act", "relu", "gelu", "--save-scores"]
    assert main([*command, *models, "--out", str(out)]) == 0
    runs = pd.read_csv(out / "runs.csv")
    counts = runs.groupby(["model", "act"]).size().to_dict()
    names = [("gcn", "gelu"), ("gcn", "relu"), ("logistic", "none"), ("rf_graph", "none")]
    assert counts == dict.fromkeys(names, 2)
    assert len(list((out / "scores").iterdir())) == 8
    table = (out / "table.md").read_text()
    assert "RFGraph" in table and "Logistic" in table and "GCN-GELU" in table
    before = (out / "runs.csv").read_text()
    assert main([*command, *models, "--out", str(out)]) == 0
    assert (out / "runs.csv").read_text() == before


def test_a_checkpoint_of_a_forest_is_refused_before_anything_runs(command, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*command, "--model", "rf", "--checkpoint", "--out", str(out)]) == 2
    assert "checkpoints hold networks alone, not rf" in capsys.readouterr().err
    assert not out.exists()


def test_a_network_alone_has_settings_of_training():
    config = BenchConfig(dataset=["reddit"], model=["rf", "auto", "gcn"], budget="1.5m")
    specs = {spec.model: spec for spec in config.specs()}
    assert specs["auto"].relevant()["settings"] == {"budget": 90.0, "refit": False}
    other = BenchConfig(dataset=["reddit"], model=["rf", "auto", "gcn"])
    others = {spec.model: spec for spec in other.specs()}
    same = {name: others[name].config_hash == specs[name].config_hash for name in specs}
    assert same == {"rf": True, "auto": False, "gcn": True}


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_times(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1m", "1 day", "nan"])
def test_what_is_no_time(text):
    with pytest.raises(InputError, match="a time such as 90s"):
        parse_seconds(text)


def test_a_forecast_goes_by_the_pace_of_its_kind():
    budget = Budget(10)
    assert budget.forecast("table", 3) == 0
    budget.note("table", 2, 4)
    assert budget.forecast("network", 1) == 2
    budget.note("network", 1, 6)
    assert budget.forecast("network", 2) == 12
    assert budget.forecast("table", 3) == 6
    assert Budget(0).left == 0
