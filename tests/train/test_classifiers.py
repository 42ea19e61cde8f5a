"""Every classifier by name: it learns, scores other graphs, and is the same once saved and loaded."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from aiec_graph.data import Column, Edges, Graph, Split
from aiec_graph.errors import InputError
from aiec_graph.graph.storage.estimators import pack_estimator
from aiec_graph.metrics import auc
from aiec_graph.train import CLASSIFIERS, TrainSettings, make_classifier
from aiec_graph.train.portfolio import ABLATIONS

NODES = 240
SETTINGS = TrainSettings(hidden=8, epochs=40, features="standard")


def make_graph(seed, nodes=NODES):
    """Anomalous nodes stand out in an amount, which is missing here and there."""
    rng = np.random.default_rng(seed)
    y = (np.arange(nodes) % 4 == 0).astype(np.int64)
    x = rng.normal(size=(nodes, 3)).astype(np.float32)
    x[:, 0] += 3 * y
    x[:, 2] = rng.integers(3, size=nodes)
    x[rng.random(nodes) < 0.05, 1] = np.nan
    source, target = rng.integers(nodes, size=(2, 3 * nodes))
    alike = rng.random(3 * nodes) < 0.8
    target = np.where(alike, (target // 4 * 4 + source % 4) % nodes, target)
    edges = Edges.from_pairs(source, target, nodes, rng.random(3 * nodes))
    columns = (Column("amount"), Column("age"), Column("country", ("DE", "FR", "UK")))
    return Graph("made up", torch.from_numpy(x), edges, y, np.arange(nodes), columns=columns)


def make_masks(nodes=NODES):
    part = np.arange(nodes) // 4 % 3
    return Split(part == 0, part == 1, np.zeros(nodes, bool))


@pytest.fixture(scope="module")
def graph():
    return make_graph(0)


@pytest.mark.parametrize("model", [name for name in CLASSIFIERS if name not in ABLATIONS])
def test_learns_and_is_the_same_once_saved(graph, model):
    split = make_masks()
    classifier = make_classifier(model, "relu", SETTINGS, seed=3, n_jobs=2).fit(graph, split)
    other = make_graph(1, 100)
    score, elsewhere = classifier.decision_function(graph), classifier.decision_function(other)
    assert score.dtype == np.float64
    assert score.shape == (NODES,)
    rest = ~(split.train_mask | split.val_mask)
    assert auc(graph.y[rest], score[rest]) > 0.7
    assert auc(other.y, elsewhere) > 0.7
    meta, arrays = classifier.to_state()
    meta = json.loads(json.dumps(meta, allow_nan=False))
    again = CLASSIFIERS[model].from_state(meta, {k: v.copy() for k, v in arrays.items()})
    assert np.array_equal(again.decision_function(graph), score)
    assert np.array_equal(again.decision_function(other), elsewhere)


@pytest.mark.parametrize("model", ["rf_graph", "xgb", "gcn"])
def test_a_seed_fixes_everything_and_test_labels_nothing(graph, model):
    split = make_masks()
    rest = ~(split.train_mask | split.val_mask)
    hidden = replace(graph, y=np.where(rest, -1, graph.y))
    one, other = (
        make_classifier(model, "relu", SETTINGS, seed=1).fit(g, split) for g in (graph, hidden)
    )
    assert np.array_equal(one.decision_function(graph), other.decision_function(graph))


def test_faults_are_named(graph):
    with pytest.raises(InputError, match="Did you mean 'xgb_graph'"):
        make_classifier("xgbgraph")
    one_class = replace(graph, y=np.zeros(NODES, np.int64))
    with pytest.raises(InputError, match="must hold anomalous and normal"):
        make_classifier("rf").fit(one_class, make_masks())
    fitted = make_classifier("logistic").fit(graph, make_masks())
    renamed = (replace(graph.columns[0], name="sum"), *graph.columns[1:])
    with pytest.raises(InputError, match="no column 'amount'"):
        fitted.decision_function(replace(graph, columns=renamed))


class Foreign:
    """Stands for a type that no classifier holds."""


def test_a_forged_state_is_refused(graph):
    meta, arrays = make_classifier("logistic").fit(graph, make_masks()).to_state()
    cls = CLASSIFIERS["logistic"]
    with pytest.raises(InputError, match="nothing of it was run"):
        cls.from_state(meta, {**arrays, "estimator": pack_estimator(Foreign())})
    with pytest.raises(InputError, match="damaged"):
        cls.from_state(meta, {**arrays, "estimator": arrays["estimator"][:100]})
    with pytest.raises(InputError, match="holds a Pipeline"):
        cls.from_state({**meta, "recipe": ["rf", "own"]}, arrays)
    boosted, more = make_classifier("xgb").fit(graph, make_masks()).to_state()
    with pytest.raises(InputError, match="not a model of XGBoost"):
        cls.from_state(boosted, {**more, "estimator": more["estimator"][:50]})
