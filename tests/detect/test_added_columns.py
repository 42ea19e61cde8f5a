"""Columns that are made of the graph: by name, without a leak, and the same after a load."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.cli.main import main
from aiec_graph.data.transforms.label_columns import label_columns
from aiec_graph.data.transforms.position import position_columns
from aiec_graph.data.user import from_frames
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.detect.added_columns import parse_features
from aiec_graph.errors import InputError
from tests.detect.conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("raw", ("raw", ("own",))),
        ("structural", ("standard", ("structural",))),
        ("own+labels+spectral", ("standard", ("own", "labels", "spectral"))),
    ],
)
def test_features_are_named(text, found):
    assert parse_features(text) == found


def test_slips_in_the_features_are_told_before_the_data_are_read():
    for text in ("structral", "own+own", "raw+labels", ""):
        with pytest.raises(InputError, match="features"):
            FraudDetector(features=text).fit("nowhere/")


def test_payments_with_a_day_and_labels_are_enough(tmp_path, capsys):
    """No table of nodes: they are whom payments name, as of a day those up to it."""
    rng = np.random.default_rng(0)
    fraud = np.arange(200) % 5 == 0
    ends = (
        rng.choice(200, 1500, p=(1 + 4 * fraud) / (1 + 4 * fraud).sum()),
        rng.integers(200, size=1500),
    )
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(60, size=1500), "D")
    source, target = ([f"A{i}" for i in end] for end in ends)
    edges = pd.DataFrame({"source": source, "target": target, "time": day.strftime("%Y-%m-%d")})
    labels = pd.DataFrame({"id": [f"A{i}" for i in range(200)], "label": fraud.astype(int)})
    data = tmp_path / "data"
    data.mkdir()
    edges.to_csv(data / "edges.csv", index=False)
    labels.to_csv(data / "labels.csv", index=False)
    arguments = ["fit", str(data), "--model", "hgb", "--out", str(tmp_path / "model")]
    assert main([*arguments]) == 2
    assert "--features structural" in capsys.readouterr().err
    assert main([*arguments, "--features", "structural", "--as-of", "2026-01-10"]) == 0
    assert "leakage gap: AP" in capsys.readouterr().err
    detector = FraudDetector.load(tmp_path / "model")
    known = edges[edges["time"] <= "2026-01-10"]
    graph = as_nodes(data, as_of="2026-01-10", columns=()).graph
    assert set(graph.node_ids) == {*known["source"], *known["target"]}
    found = detector.in_columns(detector.read(data, as_of="2026-01-10")).graph
    values, names = position_columns(graph.edges)
    assert [column.name for column in found.columns or ()] == names
    np.testing.assert_array_equal(found.x, values)
    said = detector.explain(data, str(graph.node_ids[0]), 20)[0].columns
    counts = [str(reason) for reason in said if reason.column.startswith("log ")]
    assert counts and not any(text.startswith("log") for text in counts)
    out = str(tmp_path / "s.csv")
    assert main(["score", str(tmp_path / "model"), str(data), "--out", out]) == 0
    assert len(pd.read_csv(out)) == 200


def test_labels_come_of_the_training_nodes_alone(tmp_path):
    nodes, edges = make_frames(700, labelled=1.0)
    # What tells the label is only who one's partners are.
    fraud = nodes["id"][nodes["label"] == 1].to_numpy()
    rings = {"source": fraud, "target": np.roll(fraud, 1)}
    edges = pd.concat([edges.iloc[:600], pd.DataFrame(rings)], ignore_index=True)
    nodes = nodes[["id", "b", "label"]]
    detector = FraudDetector("hgb", features="own+labels").fit((nodes, edges))
    plain = FraudDetector("hgb").fit((nodes, edges))
    assert detector.metrics_["test"].ap.value > plain.metrics_["test"].ap.value + 0.2
    again = FraudDetector.load(detector.save(tmp_path / "model"))
    scores = detector.decision_function((nodes, edges))
    np.testing.assert_array_equal(again.decision_function((nodes, edges)), scores)
    # Labels of other nodes than those of the training are not looked at.
    part = detector.trained_on_.parts(from_frames(nodes, edges))
    hidden = nodes.assign(label=nodes["label"].where(part == "train", -1))
    np.testing.assert_array_equal(detector.decision_function((hidden, edges)), scores)
    graph = from_frames(nodes, edges)
    expected = label_columns(graph.edges, graph.y, part == "train", 0).values
    found = detector.in_columns(as_nodes(graph)).graph
    np.testing.assert_array_equal(found.x[:, -4:], expected)
    with pytest.raises(InputError, match="label columns need 5 known nodes"):
        detector.decision_function(make_frames(300, seed=5))


def test_random_labels_stay_random():
    nodes, edges = make_frames(900, labelled=1.0)
    rng = np.random.default_rng(3)
    nodes = nodes.assign(label=(rng.random(900) < 0.3).astype(int))[["id", "b", "label"]]
    ap = FraudDetector("hgb", features="labels").fit((nodes, edges)).metrics_["test"].ap
    assert ap.low < 0.3 < ap.high + 0.05


def test_the_spectrum_of_another_graph_is_refused(frames, tmp_path):
    detector = FraudDetector("logistic", features="own+spectral").fit(frames)
    assert "spectrum 16" in detector.data_["features"]
    again = FraudDetector.load(detector.save(tmp_path / "model"))
    np.testing.assert_array_equal(
        again.decision_function(frames), detector.decision_function(frames)
    )
    with pytest.raises(InputError, match="spectrum of another graph"):
        again.decision_function(make_frames(seed=1))
