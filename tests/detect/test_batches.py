"""Networks in mini-batches: trained on sampled neighbours, scored exactly without the whole graph."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aiec_graph.artifacts.predict import reopen, score
from aiec_graph.cli.main import main
from aiec_graph.data.user import from_frames
from aiec_graph.detect import FraudDetector
from aiec_graph.detect.effort import effort_of_scoring
from aiec_graph.detect.reasons import Explainer
from aiec_graph.errors import InputError
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.trainer import predict
from tests.detect.conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
SMALL = {"epochs": 3, "hidden": 4}


@pytest.fixture
def whole_graph_is_refused(monkeypatch):
    def refuse(self):
        raise AssertionError("the whole graph was prepared")

    monkeypatch.setattr(Prepared, "adjacency", property(refuse))


def in_batches(detector):
    """The same networks, which are to be scored layer by layer."""
    classifier = detector.classifier_
    changed = replace(classifier, settings=replace(classifier.settings, batch_size="64"))
    changed.networks_, changed.preprocessor_ = classifier.networks_, classifier.preprocessor_
    return changed


@pytest.mark.parametrize("model", ["sage", "gat"])
def test_scores_and_channels_are_those_of_full_batch(graph, model, monkeypatch):
    detector = FraudDetector(model, batch_size="full", **SMALL).fit(graph)
    whole = detector.decision_function(graph)
    channels = Explainer(detector, graph).explain(np.array([3]))[0].channels
    detector.classifier_ = in_batches(detector)
    monkeypatch.setattr(Prepared, "adjacency", property(lambda self: 1 / 0))
    monkeypatch.setattr("aiec_graph.nn.sampled.ENTRIES_AT_ONCE", 200)
    np.testing.assert_allclose(detector.decision_function(graph), whole, rtol=0, atol=1e-5)
    again = Explainer(detector, graph).explain(np.array([3]))[0].channels
    assert channels is not None and again is not None
    np.testing.assert_allclose(again.active, channels.active, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(again.channels.activity, channels.channels.activity)


def test_a_detector_in_batches_never_prepares_the_whole_graph(
    whole_graph_is_refused, tmp_path, frames
):
    detector = FraudDetector("sage", batch_size=64, fanout=(3, -1), **SMALL).fit(frames)
    settings = detector.classifier_.settings
    assert (settings.batch_size, settings.fanout) == ("64", [3, -1])
    again = FraudDetector.load(detector.save(tmp_path / "model"))
    assert again.get_params()["batch_size"] == 64 and list(again.fanout) == [3, -1]
    later = from_frames(*make_frames(seed=1))
    scores = again.decision_function(later)
    np.testing.assert_array_equal(scores, detector.decision_function(later))
    assert again.explain(later, ["N1-7"])[0].columns
    assert effort_of_scoring(again.classifier_, later).gigabytes > 0


def test_too_little_memory_means_batches(frames, monkeypatch, caplog):
    caplog.set_level("INFO", "aiec_graph.detect")
    monkeypatch.setattr("aiec_graph.train.memory.available_bytes", lambda: 1e6)
    FraudDetector("sage", **SMALL).fit(frames)
    assert "batches of 1024, fanout 10 10" in caplog.text


def test_slips_are_told(graph, tmp_path, capsys):
    with pytest.raises(InputError, match="batch_size must be a number of at least 1"):
        FraudDetector("sage", batch_size="ful").fit(graph)
    with pytest.raises(InputError, match="a number for each of the 2 layers"):
        FraudDetector("sage", batch_size=64, fanout=[5]).fit(graph)
    with pytest.raises(InputError, match="bwgnn computes with the whole graph"):
        FraudDetector("bwgnn", batch_size=64, epochs=2).fit(graph)
    nodes, edges = make_frames(300)
    nodes.to_csv(tmp_path / "nodes.csv", index=False)
    edges.to_csv(tmp_path / "edges.csv", index=False)
    model = ["--model", "gcn", "--epochs", "2", "--out", str(tmp_path / "m")]
    batches = ["--batch-size", "64", "--fanout", "4", "4"]
    assert main(["fit", str(tmp_path), *model, *batches]) == 0
    assert FraudDetector.load(tmp_path / "m").classifier_.settings.fanout == [4, 4]
    assert main(["fit", str(tmp_path), *model, "--overwrite", "--fanout", "4"]) == 2
    assert "each of the 2 layers" in capsys.readouterr().err


def test_a_checkpoint_of_batches_is_scored_without_the_whole_graph(tmp_path, monkeypatch):
    nodes, edges = make_frames(300)
    folder = tmp_path / "data"
    folder.mkdir()
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges.to_csv(folder / "edges.csv", index=False)
    command = ["--dataset", str(folder), "--out", str(tmp_path / "out"), "--model", "gcn"]
    command += ["--act", "relu", "--seeds", "1", "--epochs", "2", "--checkpoint"]
    assert main([*command, "--batch-size", "64"]) == 0
    (path,) = (tmp_path / "out" / "checkpoints").iterdir()
    opened = reopen(path, tmp_path)
    x = opened.preprocessor.network_inputs(opened.prepared.graph)
    whole = predict(opened.network, x, opened.prepared.adjacency).softmax(1)[:, 1]
    monkeypatch.setattr(Prepared, "adjacency", property(lambda self: 1 / 0))
    score(path, tmp_path / "scores.csv", tmp_path)
    written = pd.read_csv(tmp_path / "scores.csv")["score"]
    np.testing.assert_allclose(written, whole, rtol=0, atol=1e-5)
