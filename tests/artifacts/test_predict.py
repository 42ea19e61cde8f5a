"""Scoring later data with a checkpoint of the benchmark."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aiec_graph.artifacts.predict import score
from aiec_graph.artifacts.scores import describe_ties, notes_of
from aiec_graph.cli.main import main
from aiec_graph.errors import InputError

N = 80
YAML = "nodes: accounts.csv\nedges: links.csv\nlabel: is_fraud\nmissing_of: {tenure: zero}\n"


def tables(seed, first=0):
    rng = np.random.default_rng(seed)
    y = np.arange(N) % 5 == 0
    nodes = pd.DataFrame(
        {
            "id": [f"k{first + i}" for i in range(N)],
            "size": rng.normal(y * 2.0, 1),
            "code": rng.choice([5, 7, 9], N),
            "tenure": rng.normal(size=N),
            "is_fraud": np.where(y, "yes", "no"),
        }
    )
    ends = rng.integers(0, N, (240, 2)) + first
    edges = pd.DataFrame(ends, columns=["source", "target"]).map(lambda i: f"k{i}")
    return nodes, edges


@dataclass
class Trained:
    folder: Path
    checkpoint: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("scoring")
    (root / "jan").mkdir()
    nodes, edges = tables(0)
    nodes.to_csv(root / "jan/accounts.csv", index=False)
    edges.to_csv(root / "jan/links.csv", index=False)
    (root / "jan/graph.yaml").write_text(YAML + "categorical: [code]\n")
    command = "--model gcn --act relu --seeds 1 --epochs 5 --checkpoint"
    out = root / "out"
    assert main(["--dataset", str(root / "jan"), "--out", str(out), *command.split()]) == 0
    (checkpoint,) = (out / "checkpoints").iterdir()
    return Trained(root, checkpoint)


@pytest.fixture
def later(trained, tmp_path):
    def write(change=lambda nodes: nodes, seed=1, first=40):
        nodes, edges = tables(seed, first)
        change(nodes).to_csv(tmp_path / "accounts.csv", index=False)
        edges.to_csv(tmp_path / "links.csv", index=False)
        out = tmp_path / "scores.csv"
        scored = score(trained.checkpoint, out, None, str(tmp_path))
        return scored, pd.read_csv(out), "\n".join([*scored.warnings, *scored.notes])

    return write


def test_the_declaration_comes_with_the_checkpoint_and_new_nodes_are_measured(later, tmp_path):
    scored, frame, notes = later()
    fresh = frame["split"].isna() & (frame["label"] != "unknown")
    assert scored.is_other
    assert set(frame["label"]) == {"normal", "anomalous"}
    known = frame["node"].isin([f"k{i}" for i in range(N)])
    assert (known | frame["split"].isna()).all()
    assert int((~known).sum()) == 40
    assert f"{int(fresh.sum())} of 80 nodes were neither trained on" in notes
    assert scored.metrics is not None
    from sklearn.metrics import roc_auc_score

    want = roc_auc_score(frame["label"][fresh] == "anomalous", frame["score"][fresh])
    assert scored.metrics.auc == pytest.approx(100 * want, abs=0.2)
    assert notes_of(tmp_path / "scores.csv").read_text().splitlines()[1:] == notes.splitlines()


def test_weights_that_the_training_did_not_have_are_told(later, trained, tmp_path):
    _, _, notes = later()
    assert "the edges have" not in notes
    edges = pd.read_csv(tmp_path / "links.csv").assign(weight=2.5)
    edges.to_csv(tmp_path / "links.csv", index=False)
    scored = score(trained.checkpoint, tmp_path / "scores.csv", None, str(tmp_path))
    assert "the edges have weights, and had none in the training data" in scored.warnings


def test_a_column_under_nearly_its_name_is_asked_about(later):
    with pytest.raises(InputError, match="no column 'size', .* is it 'SIZE'"):
        later(lambda nodes: nodes.rename(columns={"size": "SIZE"}))


def test_columns_are_matched_by_name(later):
    scores = later()[1]["score"]
    order = ["is_fraud", "tenure", "id", "code", "size"]
    _, frame, notes = later(lambda nodes: nodes[order].assign(more=1.5))
    np.testing.assert_array_equal(frame["score"], scores)
    assert "more is not used" in notes


@pytest.mark.parametrize("spelling", [float, str, lambda value: f"{value}.0"])
def test_a_category_is_the_same_however_it_is_written(later, spelling):
    scores = later()[1]["score"]
    frame = later(lambda nodes: nodes.assign(code=nodes["code"].map(spelling)))[1]
    np.testing.assert_array_equal(frame["score"], scores)


def test_a_missing_column_is_refused_by_name_unless_it_may_be_missing(later):
    with pytest.raises(InputError, match="no column 'size', which the training data had"):
        later(lambda nodes: nodes.drop(columns="size"))
    assert (
        "no column 'tenure'; all its values count as missing"
        in later(lambda nodes: nodes.drop(columns="tenure"))[2]
    )


@pytest.mark.parametrize("name", ["size", "code"])
def test_an_empty_column_takes_its_trained_kind(later, name):
    _, frame, notes = later(lambda nodes: nodes.assign(**{name: None}))
    assert frame["score"].notna().all()
    assert f"column {name}: is empty throughout" in notes


def test_categories_that_are_new_are_counted(later):
    notes = later(lambda nodes: nodes.assign(code=[11] * 30 + list(nodes["code"][30:])))[2]
    assert "30 of 80 rows hold 1 category that the training data did not have ('11')" in notes


def test_the_data_of_the_training_are_known_again(trained, tmp_path):
    scored = score(trained.checkpoint, tmp_path / "s.csv", None, str(trained.folder / "jan"))
    assert not scored.is_other
    assert set(pd.read_csv(tmp_path / "s.csv")["split"]) == {"train", "val", "test"}


def test_the_command_tells_the_notes_and_the_metrics(later, trained, tmp_path, capsys):
    later()
    code = main(["score", str(trained.checkpoint), str(tmp_path), "--out", str(tmp_path / "s.csv")])
    told = capsys.readouterr()
    assert code == 0
    assert "not trained on AUC" in told.out
    assert "neither trained on" in told.err


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (np.arange(100.0), None),
        (np.maximum(np.arange(100.0), 49), "50% .* the lowest score, 49"),
        (np.minimum(np.arange(100.0), 30), "70% .* the highest score, 30"),
        (np.r_[np.arange(40.0), np.full(60, 7.5)], "60% .* the same score, 7.5"),
        (np.ones(5), None),
    ],
)
def test_ties_are_told_at_whatever_value(score, message):
    import re

    line = describe_ties(score)
    assert line is None if message is None else re.search(message, line)
