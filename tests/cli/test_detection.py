import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from aiec_graph.cli.detection import Standing
from aiec_graph.cli.main import main
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.names import CLASSIFIERS
from aiec_graph.train import registry
from tests.detect.conftest import make_frames


def write(folder, seed=0, **columns):
    folder.mkdir(parents=True)
    nodes, edges = make_frames(600, seed, **columns)
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges.to_csv(folder / "edges.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    write(folder / "now")
    write(folder / "later", seed=1, **{"=note": 1.0})
    arguments = ["fit", folder / "now", "--out", folder / "model", "--model", "logistic_graph"]
    assert main([*map(str, arguments), "--test-size", "0.3"]) == 0
    return folder


def call(*arguments):
    return main([str(argument) for argument in arguments])


def test_the_names_in_the_help_are_those_of_the_registry():
    assert tuple(CLASSIFIERS) and set(CLASSIFIERS) == set(registry.CLASSIFIERS)


def test_a_fit_says_what_to_expect(tmp_path, capsys):
    data = write(tmp_path / "data")
    assert call("fit", data, "--out", tmp_path / "m", "--model", "logistic") == 0
    out, err = capsys.readouterr()
    assert "m: fitted; see" in out
    assert call("fit", data, "--out", tmp_path / "a", "--budget", "0.1") == 0
    assert re.search(r"1 of 14  xgb: validation AP \d+\.\d %, \d+\.\d s", capsys.readouterr().err)
    for part in ("600 nodes", "training logistic", "threshold f1", "recall", "test: "):
        assert part in err
    assert "has no use for" not in err
    assert call("fit", data, "--out", tmp_path / "m", "--model", "logistic") == 2
    assert "a model already" in capsys.readouterr().err
    assert call("fit", data, "--out", tmp_path / "m", "--model", "logistic", "--overwrite") == 0


def test_a_list_is_written_highest_first(work, tmp_path, capsys):
    out = tmp_path / "suspects.csv"
    assert call("score", work / "model", work / "later", "--out", out) == 0
    frame = pd.read_csv(out)
    assert list(frame)[:5] == ["id", "score", "probability", "flag", "rank"]
    assert frame["score"].is_monotonic_decreasing and len(frame) == 600
    assert f"600 nodes, {frame['flag'].sum()} of them flagged" in capsys.readouterr().out
    expected = FraudDetector.load(work / "model").rank(work / "later")
    np.testing.assert_array_equal(frame["score"], expected["score"])
    assert call("score", work / "model", work / "later", "--out", out) == 0  # a list of ours
    parquet = out.with_suffix(".parquet")
    for _ in range(2):
        assert call("score", work / "model", "--dataset", work / "later", "--out", parquet) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), expected, check_dtype=False)


def test_a_month_with_new_nodes_categories_and_columns_is_scored(work, tmp_path, capsys):
    """A tenth of the nodes are new, a tenth are of a new category, columns are moved and added."""
    nodes, edges = (pd.read_csv(work / "now" / f"{name}.csv") for name in ("nodes", "edges"))
    new = nodes.index % 10 == 0
    renamed = dict(zip(nodes["id"][new], "new" + nodes["id"][new], strict=True))
    nodes["id"] = nodes["id"].replace(renamed)
    edges = edges.replace(renamed)
    nodes.loc[nodes.index % 10 == 1, "kind"] = "brand-new"
    nodes["extra"] = 1.5
    folder = tmp_path / "month"
    folder.mkdir()
    nodes[["extra", "kind", "label", "b", "id", "a"]].to_csv(folder / "nodes.csv", index=False)
    edges[["target", "source"]].to_csv(folder / "edges.csv", index=False)
    out = tmp_path / "list.csv"
    assert call("score", work / "model", folder, "--out", out) == 0
    said = capsys.readouterr().err
    assert "kind has shifted" in said and "10% of the nodes have a category" in said
    assert "extra" in said
    frame = pd.read_csv(out).set_index("id")
    assert len(frame) == 600
    assert frame.loc[list(renamed.values()), "part"].isna().all()
    # What did not change scores as it did: the same columns, in whatever order.
    before = FraudDetector.load(work / "model").rank(work / "now").set_index("id")["score"]
    far = frame.index.intersection(before.index)
    assert np.isclose(frame.loc[far, "score"], before[far], atol=1e-5).mean() > 0.2
    nodes.drop(columns="a").to_csv(folder / "nodes.csv", index=False)
    old = out.read_bytes()
    assert call("score", work / "model", folder, "--out", out) == 2
    assert "'a'" in capsys.readouterr().err and out.read_bytes() == old
    assert call("explain", work / "model", folder, "--node", "N0-1") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda nodes: nodes.drop(columns="label"), "no node is labelled"),
        (lambda nodes: nodes.assign(label=0), "anomalous"),
        (lambda nodes: nodes.iloc[:0], "nodes.csv"),
        (lambda nodes: nodes.drop(columns=["a", "b", "kind"]), "column"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(work, tmp_path, capsys, change, message):
    folder = tmp_path / "data"
    folder.mkdir()
    change(pd.read_csv(work / "now" / "nodes.csv")).to_csv(folder / "nodes.csv", index=False)
    (folder / "edges.csv").write_bytes((work / "now" / "edges.csv").read_bytes())
    assert call("fit", folder, "--out", tmp_path / "model", "--model", "logistic") == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--hidden=abc", "--hidden takes a whole number, not 'abc'"),
        ("--base-rate=nan", "--base-rate takes a number, not 'nan'"),
        ("--test-size=much", "--test-size takes a number, not 'much'"),
        ("--fanout=x", "--fanout takes a list, each of it a whole number, not 'x'"),
        ("--base-rate=2", "base_rate must be between 0 and 1"),
    ],
)
def test_a_value_of_another_kind_is_told_in_plain_words(work, capsys, option, message):
    assert call("fit", work / "now", option) == 2
    assert message in capsys.readouterr().err


def test_a_list_longer_than_the_graph_is_said(work, tmp_path, capsys):
    shutil.copytree(work / "model", tmp_path / "model")
    assert call("threshold", tmp_path / "model", "top=700") == 0
    said = capsys.readouterr().out
    assert "warning: top=700 is more than there are, 600 nodes" in said
    assert "flagged 600 (600 to 600), 100.00% of the nodes" in said


def test_progress_says_what_is_left():
    standing = Standing()
    standing.begin("fitting", 90.0)
    assert str(standing).startswith("fitting, about 0:01:")
    assert [standing.count(step, 50) for step in (1, 2)] == [None, None]
    assert "fitting, 2 of 50, about 0:00:0" in str(standing)
    standing._due -= 60
    assert standing.count(3, 50).startswith("fitting, 3 of 50")
    standing.begin("scoring")
    assert str(standing) == "scoring"
    assert standing.count(2 * 10**8, 8 * 10**8, "reading a.csv", "bytes") is None
    standing._begun -= 30
    standing._due -= 30  # seconds later: a line, and the next one ten seconds after it
    line = standing.count(4 * 10**8, 8 * 10**8, "reading a.csv", "bytes")
    assert line is not None and line.startswith("reading a.csv, 400 of 800 MB, about 0:01:00")
    assert standing.count(5 * 10**8, 8 * 10**8, "reading a.csv", "bytes") is None
    assert standing.count(1, 9, "reading the columns") is None


def test_reading_says_how_far_it_is(work, caplog):
    caplog.set_level("DEBUG", "aiec_graph.graph")
    as_nodes(work / "now")
    found = [(r.getMessage(), r.done, r.total, r.unit) for r in caplog.records]
    for table, columns in (("nodes.csv", 5), ("edges.csv", 2)):
        path = work / "now" / table
        of_file = [r for r in found if r[0] == f"reading {path}"]
        assert of_file[-1][1] == of_file[-1][2] > 1000 and of_file[-1][3] == "bytes"
        of_columns = [r[1:3] for r in found if f"columns of {path}" in r[0]]
        assert of_columns[-1] == (columns, columns)


def test_alerts_are_a_column_with_their_assumption(work, tmp_path, capsys):
    out = tmp_path / "suspects.csv"
    assert call("score", work / "model", work / "later", "--out", out, "--alerts", 0.3) == 0
    frame, said = pd.read_csv(out), capsys.readouterr().out
    detector = FraudDetector.load(work / "model")
    expected = detector.rank(work / "later", 0.3)
    np.testing.assert_array_equal(frame["p_value"], expected["p_value"])
    np.testing.assert_array_equal(frame["alert"], expected["alert"])
    by_id = frame.set_index("id")["alert"].loc[detector.read(work / "later").graph.node_ids]
    np.testing.assert_array_equal(by_id, detector.alerts(work / "later", 0.3))
    assert f"{frame['alert'].sum()} alerts, of which on average at most 0.3 are false" in said
    assert "exchangeable" in said
    assert "exchangeable" in out.with_name("suspects.notes.txt").read_text()
    normal = int((detector.validation_y_ == 0).sum())
    assert call("score", work / "model", work / "later", "--out", out, "--alerts", 1e-4) == 0
    least = math.ceil(600 / (normal + 1) / 1e-4)
    assert f"at least {least:,} of 600 nodes" in capsys.readouterr().out


def test_a_list_runs_nothing_in_a_spreadsheet(work, tmp_path):
    folder = tmp_path / "data"
    write(folder)
    for name in ("nodes.csv", "edges.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("N0-", "=N0-"))
    assert call("score", work / "model", folder, "--out", tmp_path / "s.csv") == 0
    assert pd.read_csv(tmp_path / "s.csv")["id"].str.startswith("'=N0-").all()


def test_drift_is_said(work, tmp_path, capsys):
    folder = tmp_path / "data"
    write(folder, 1, a=5.0)
    assert call("score", work / "model", folder, "--out", tmp_path / "s.csv") == 0
    assert "warning: data: a has shifted" in capsys.readouterr().err


def test_a_threshold_is_shown_and_changed(work, capsys):
    assert call("threshold", work / "model") == 0
    assert "threshold f1" in capsys.readouterr().out
    assert call("threshold", work / "model", "top=25") == 0
    assert "threshold top=25" in capsys.readouterr().out
    assert FraudDetector.load(work / "model").predict(work / "later").sum() == 25
    assert call("threshold", work / "model", "f1") == 0
    assert call("threshold", work / "model", "tpo=25") == 2
    assert "Did you mean 'top'" in capsys.readouterr().err


def test_later_labels_are_evaluated(work, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert call("evaluate", work / "model", work / "later", "--out", out) == 0
    found = json.loads(out.read_text())
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    assert "took no part in the training" in capsys.readouterr().out
    assert call("evaluate", work / "model", work / "later", "--out", out) == 2
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("score", "{}/model"), "name the data"),
        (("score", "{}/model", "{}/nowhere/"), "no such file or folder"),
        (("score", "{}/model", "{}/now", "--out", "x.xlsx"), "suffix"),
        (("score", "{}/model", "{}/now", "--out", "{}/now/nodes.csv"), "no list of ours"),
        (("score", "{}/model", "{}/now", "--dataset", "{}/now"), "named twice"),
        (("score", "{}/now", "{}/now"), "no fitted model"),
        (("score", "{}/modle", "{}/now"), "a model is a folder that fit wrote"),
        (("score", "{}/model", "{}/now", "--alerts", "5"), "share of false alarms must be between"),
        (("score", "{}/model", "{}/now", "--reasons", "-1"), "at least 0"),
        (("score", "{}/now/nodes.csv", "--alerts", "0.1"), "--alerts takes a folder"),
        (("threshold", "{}/model", "precison=0.9"), "Did you mean 'precision'"),
        (("explain", "{}/model", "{}/now", "--node", "nobody"), "no node 'nobody'"),
        (("threshold", "{}/now"), "no fitted model"),
        (("evaluate", "{}/model"), "data"),
        (("fit", "{}/now", "--out", "{}/now"), "no part of a model"),
        (("fit", "{}/now", "--out", "{}/new", "--treshold", "f1"), "'--threshold'"),
        (("fit", "{}/now", "--out", "{}/new", "--threshold", "f2"), "unknown threshold"),
    ],
)
def test_slips_end_in_a_line_and_code_2(work, capsys, arguments, message):
    before = {f: f.read_bytes() for f in work.rglob("*") if f.is_file()}
    assert call(*(argument.replace("{}", str(work)) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert {f: f.read_bytes() for f in work.rglob("*") if f.is_file()} == before
