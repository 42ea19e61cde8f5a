import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as checks
from torch_geometric.data import Data, HeteroData

from aiec_graph.artifacts.scores import describe_ties
from aiec_graph.detect import (
    DriftWarning,
    FraudDetector,
    GraphSplit,
    ThresholdWarning,
    TiesWarning,
    as_nodes,
)
from aiec_graph.errors import InputError
from aiec_graph.names import CLASSIFIERS
from tests.detect.conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.ThresholdWarning")


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
        "check_estimator_cloneable",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_valid_tag_types",
        "check_estimator_tags_renamed",
    ],
)
def test_checks_of_scikit_learn_that_need_no_matrix(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        getattr(checks, name)("FraudDetector", FraudDetector())


def test_scikit_learn_knows_what_it_is():
    with warnings.catch_warnings():  # that it takes no matrix, and is not checked on any
        warnings.simplefilter("ignore")
        checks.check_estimator(FraudDetector())
    assert is_classifier(FraudDetector())
    assert not FraudDetector().__sklearn_tags__().input_tags.two_d_array


def test_it_scores_ranks_and_flags(detector, frames):
    score = detector.decision_function(frames)
    chance = detector.predict_proba(frames)
    assert score.shape == (900,) and chance.shape == (900, 2)
    np.testing.assert_allclose(chance.sum(1), 1)
    np.testing.assert_array_equal(detector.predict(frames), score >= detector.threshold_.cut.value)
    y = frames[0]["label"].to_numpy()
    assert detector.score(frames) > y[y >= 0].mean() + 0.2
    ranked = detector.rank(frames)
    assert list(ranked)[:5] == ["id", "score", "probability", "flag", "rank"]
    assert ranked["score"].is_monotonic_decreasing and ranked["rank"].is_monotonic_increasing
    by_id = ranked.set_index("id")["score"].loc[frames[0]["id"]]
    np.testing.assert_array_equal(by_id, score)
    parts = ranked["part"].value_counts()
    assert parts["train"] == detector.data_["parts"]["train"]["nodes"]
    assert parts["val"] == detector.data_["parts"]["val"]["nodes"]


def test_the_input_is_not_changed(frames):
    before = [frame.copy() for frame in frames]
    FraudDetector("logistic").fit(frames).rank(frames)
    for frame, old in zip(frames, before, strict=True):
        pd.testing.assert_frame_equal(frame, old)


def test_scores_do_not_depend_on_the_order_of_nodes_and_columns(detector, frames):
    nodes, edges = frames
    shuffled = nodes.sample(frac=1, random_state=0)[["kind", "b", "id", "a", "label"]]
    score = pd.Series(detector.decision_function((shuffled, edges)), shuffled["id"])
    expected = detector.decision_function(frames)
    np.testing.assert_allclose(score.loc[nodes["id"]], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", ["sage", "logistic_graph"])
def test_saved_and_loaded_scores_are_equal_bit_for_bit(model, frames, tmp_path):
    found = FraudDetector(model, epochs=5, base_rate=0.05, threshold="top=30").fit(frames)
    found.save(tmp_path / "model")
    assert {f.name for f in (tmp_path / "model").iterdir()} == {
        "model.safetensors",
        "card.json",
        "card.md",
    }
    loaded = FraudDetector.load(tmp_path / "model")
    later = make_frames(300, seed=5)
    for data in (frames, later):
        np.testing.assert_array_equal(loaded.decision_function(data), found.decision_function(data))
        np.testing.assert_array_equal(loaded.predict_proba(data), found.predict_proba(data))
        np.testing.assert_array_equal(loaded.predict(data), found.predict(data))
    pd.testing.assert_frame_equal(loaded.drift(later).table, found.drift(later).table)
    assert loaded.get_params() == found.get_params()
    assert loaded.threshold_ == found.threshold_ and loaded.metrics_ == found.metrics_
    assert loaded.set_threshold("f1").threshold_ == found.set_threshold("f1").threshold_
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["threshold"]["rule"] == "top=30"
    assert card["metrics"]["test"]["ap"]["low"] <= card["metrics"]["test"]["ap"]["high"]
    assert "# Model card" in (tmp_path / "model" / "card.md").read_text()


@pytest.mark.parametrize("model", sorted(CLASSIFIERS))
@pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
def test_every_model_scores_the_same_once_it_is_loaded(model, tmp_path):
    tiny, later = make_frames(160, seed=2), make_frames(60, seed=4)
    found = FraudDetector(model, epochs=2, hidden=4, budget=0.2, n_jobs=1).fit(tiny)
    loaded = FraudDetector.load(found.save(tmp_path / "model"))
    for data in (tiny, later):
        np.testing.assert_array_equal(loaded.decision_function(data), found.decision_function(data))
        pd.testing.assert_frame_equal(loaded.rank(data), found.rank(data))


@pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
def test_one_type_of_nodes_of_a_heterogeneous_graph_from_fit_to_list(graph, tmp_path):
    data = HeteroData()
    data["account"].x, data["account"].y = graph.x[:, :2], torch.from_numpy(graph.y)
    pairs = torch.from_numpy(np.stack([graph.edges.indices, graph.edges.targets])).long()
    data["account", "pays", "account"].edge_index = pairs[:, ::2]
    data["account", "calls", "account"].edge_index = pairs[:, 1::2]
    data["shop"].x = torch.zeros(3, 1)
    data["account", "visits", "shop"].edge_index = torch.tensor([[0, 1, 2], [0, 1, 2]])
    found = FraudDetector("sage", epochs=5, hidden=8).fit((data, "account"))
    loaded = FraudDetector.load(found.save(tmp_path / "model"))
    ranked = loaded.rank((data, "account"))
    assert len(ranked) == len(graph.y)
    pd.testing.assert_frame_equal(ranked, found.rank((data, "account")))
    plain = Data(x=data["account"].x, y=data["account"].y, edge_index=pairs)
    by_node = ranked.sort_values("id")["score"]
    np.testing.assert_array_equal(loaded.decision_function(plain), by_node)
    with pytest.raises(InputError, match="Known: account, shop"):
        loaded.rank((data, "acount"))


def test_nothing_is_overwritten_by_surprise(detector, tmp_path):
    detector.save(tmp_path / "model")
    with pytest.raises(InputError, match="a model already"):
        detector.save(tmp_path / "model")
    detector.save(tmp_path / "model", overwrite=True)
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes.txt"):
        detector.save(tmp_path / "model", overwrite=True)
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="a file of that name"):
        detector.save(tmp_path / "file", overwrite=True)


def test_what_is_no_model_is_refused(detector, tmp_path):
    with pytest.raises(InputError, match="no fitted model"):
        FraudDetector.load(tmp_path)
    path = detector.save(tmp_path / "model") / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        FraudDetector.load(tmp_path / "model")


def test_another_threshold_needs_no_fit(frames):
    frames = (frames[0].drop(columns=["a", "kind"]), frames[1])  # what is left tells nothing
    found = FraudDetector("logistic").fit(frames)
    before = found.decision_function(frames)
    assert found.set_threshold("top=17") is found
    assert found.predict(frames).sum() == 17
    np.testing.assert_array_equal(
        np.sort(before)[-17:], np.sort(before[found.predict(frames) == 1])
    )
    assert found.set_threshold("recall=1") is found
    assert found.threshold_.cut.recall == 1
    old = found.threshold_
    with pytest.raises(InputError, match="no threshold reaches"):
        found.set_threshold("precision=1")
    assert found.threshold_ == old
    np.testing.assert_array_equal(found.decision_function(frames), before)


def test_without_calibration_nothing_is_called_a_probability(frames):
    found = FraudDetector("logistic", calibrate=False).fit(frames)
    assert not hasattr(found, "predict_proba")
    assert "probability" not in found.rank(frames)


def test_new_nodes_and_new_categories_are_scored_and_drift_is_named(detector):
    nodes, edges = make_frames(900, seed=9)
    quiet = detector.drift((nodes, edges))
    assert quiet.warnings == []
    nodes["a"] += 3
    nodes.loc[:99, "kind"] = "never seen"
    with pytest.warns(DriftWarning) as found:
        ranked = detector.rank((nodes, edges))
    text = " ".join(str(w.message) for w in found)
    assert "a has shifted" in text and "b has shifted" not in text
    assert "11% of the nodes have a category" in text
    assert len(ranked) == 900 and np.isfinite(ranked["score"]).all()
    assert "part" not in ranked


def test_a_denser_graph_is_named(detector):
    nodes, edges = make_frames(900, seed=9)
    more = make_frames(900, seed=9)[1].sample(frac=1, random_state=1)
    edges = pd.concat([edges] * 1 + [edges.assign(target=more["target"].to_numpy())] * 2)
    edges = pd.concat([edges, edges.assign(source=edges["target"].to_numpy()[::-1])])
    assert any("in-degree" in line for line in detector.drift((nodes, edges)).warnings)


def test_scores_that_tie_are_an_alarm(frames):
    nodes, edges = frames
    flat = nodes.assign(a=0.0, b=0.0, kind="x")
    found = FraudDetector("logistic").fit((flat, edges))
    with pytest.warns(TiesWarning, match="exactly the highest score"):
        found.rank((flat, edges))
    assert describe_ties(np.arange(100.0)) is None
    assert "50%" in describe_ties(np.maximum(np.arange(100.0), 49))


def test_an_evaluation_leaves_out_what_was_trained_on(detector, frames):
    found = detector.evaluate(frames)
    assert found.nodes == detector.data_["parts"]["test"]["nodes"]
    assert found == detector.metrics_["test"]
    later = make_frames(400, seed=3)
    assert detector.evaluate(later).nodes == (later[0]["label"] >= 0).sum()
    nodes = as_nodes(frames)
    trained = detector.trained_on_.parts(nodes.graph) == "train"
    with pytest.raises(InputError, match="took no part"):
        detector.evaluate(nodes[trained])


def test_row_numbers_name_nodes_of_the_same_graph_alone(graph):
    from dataclasses import replace

    numbered = replace(graph, node_ids=np.arange(len(graph.y)))
    found = FraudDetector("logistic").fit(numbered)
    assert "part" in found.rank(numbered)
    assert "part" not in found.rank(replace(numbered, x=numbered.x + 0.01))


def test_alerts_hold_few_false_ones(detector):
    nodes, edges = make_frames(900, seed=4, labelled=1)
    flag = detector.alerts((nodes, edges), 0.3)
    assert flag.any()
    assert (nodes["label"].to_numpy()[flag] == 0).mean() < 0.6


def test_enriched_labels_without_a_base_rate_are_warned_of(frames):
    nodes, edges = frames
    y = nodes["label"].to_numpy()
    rows = np.concatenate([np.flatnonzero(y == 1)[:80], np.flatnonzero(y == 0)[:80]])
    few = nodes.assign(label=np.where(np.isin(np.arange(len(y)), rows), y, -1))
    with pytest.warns(ThresholdWarning, match="base_rate"):
        plain = FraudDetector("logistic").fit((few, edges))
    rare = FraudDetector("logistic", base_rate=0.01).fit((few, edges))
    assert rare.predict_proba(frames)[:, 1].mean() < plain.predict_proba(frames)[:, 1].mean() / 5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "sag"}, "Did you mean"),
        ({"threshold": "precisoin=1"}, "Did you mean 'precision'"),
        ({"base_rate": 1.5}, "base_rate"),
        ({"validation_size": 0}, "validation_size"),
        ({"validation_size": 0.6, "test_size": 0.5}, "nothing to train on"),
        ({"split": "tme"}, "unknown split"),
        ({"device": "gpu0"}, "device"),
        ({"as_of": 3}, "time step"),
        ({"hidden": "8"}, "hidden must be a whole number, not '8'"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"base_rate": "0.1"}, "base_rate must be a number, not '0.1'"),
        ({"base_rate": float("nan")}, "base_rate must be between 0 and 1"),
        ({"test_size": None}, "test_size must be a number"),
        ({"features": ["own"]}, "features must be a text"),
        ({"act": "aeic"}, "Did you mean 'aiec'"),
        ({"random_state": -1}, "random_state: Seed must be between"),
        ({"random_state": "a"}, "random_state: 'a' cannot be used"),
    ],
)
def test_parameters_are_validated_in_fit(frames, parameters, message):
    with pytest.raises(InputError, match=message):
        FraudDetector(**parameters).fit(frames)


def test_before_fit_there_is_nothing_to_use(frames, tmp_path):
    for use in (lambda d: d.predict(frames), lambda d: d.save(tmp_path / "m")):
        with pytest.raises(NotFittedError):
            use(FraudDetector())


def test_missing_columns_are_refused_by_name(detector, frames):
    with pytest.raises(InputError, match="no column 'b'"):
        detector.predict((frames[0].drop(columns="b"), frames[1]))


def test_auto_chooses_without_the_validation_nodes(frames, monkeypatch):
    from aiec_graph.train.ensemble import AutoClassifier

    seen = []
    real = AutoClassifier.fit

    def note(self, graph, split):
        seen.append((self.budget, split))
        return real(self, graph, split)

    monkeypatch.setattr(AutoClassifier, "fit", note)
    found = FraudDetector("auto_no_networks", budget="0.1s", n_jobs=1).fit(frames)
    ((budget, split),) = seen
    graph = as_nodes(frames).graph
    held = found.trained_on_.parts(graph)
    assert budget == 0.1
    assert (held[split.train_mask | split.val_mask] == "train").all()
    assert (split.train_mask | split.val_mask).sum() == (held == "train").sum()


def test_a_clone_is_unfitted_and_equal(detector):
    copy = clone(detector)
    assert copy.get_params() == detector.get_params()
    assert not hasattr(copy, "classifier_")


def test_a_fold_is_fitted_without_test_nodes(graph):
    nodes = as_nodes(graph)
    train, _ = next(GraphSplit(n_splits=3).split(nodes))
    found = FraudDetector("logistic").fit(nodes[train])
    assert "test" not in found.metrics_
    counts = found.data_["parts"]
    assert counts["train"]["nodes"] + counts["val"]["nodes"] == len(train)
