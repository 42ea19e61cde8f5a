"""The portfolio: what is tried within a budget, what is taken, and what is told of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from aiec_graph.data import Edges, Graph, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import auc
from aiec_graph.train import CLASSIFIERS, make_classifier
from aiec_graph.train import ensemble as module
from aiec_graph.train import folds as folds_module
from aiec_graph.train.baselines import Recipe, TableClassifier
from aiec_graph.train.classifier import held_out_scores
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.folds import make_folds
from aiec_graph.train.network_classifier import NetworkClassifier
from aiec_graph.train.portfolio import ABLATIONS, PORTFOLIO, Candidate, portfolio
from aiec_graph.train.settings import TrainSettings

NODES = 600


@pytest.fixture(scope="module")
def graph():
    """A node's own column tells half of it; edges lead anywhere."""
    rng = np.random.default_rng(0)
    y = (rng.random(NODES) < 0.2).astype(np.int64)
    x = rng.normal(size=(NODES, 3)).astype(np.float32)
    x[:, 0] += 1.5 * y
    source, target = rng.integers(NODES, size=(2, 4 * NODES))
    edges = Edges.from_pairs(source, target, NODES)
    return Graph("made up", torch.from_numpy(x), edges, y, np.arange(NODES))


@pytest.fixture(scope="module")
def split():
    part = np.arange(NODES) % 5
    return Split(part < 2, part == 2, part > 2)


def small(monkeypatch, *extra):
    """A portfolio that is fitted in no time."""

    def table(name, estimator, columns, **options):
        def make(seed, n_jobs):
            return TableClassifier(Recipe(estimator, columns), options, seed, n_jobs)

        return Candidate(name, make, 1, columns != "own")

    def network(seed, n_jobs):
        settings = TrainSettings(hidden=8, epochs=15, features="standard")
        return NetworkClassifier("gcn", "aiec", settings, seed)

    found = [
        table("logistic", "logistic", "own"),
        Candidate("gcn aiec", network, 1, True, is_network=True, has_aiec=True),
        table("rf_rich", "rf", "rich", n_estimators=20),
        *extra,
    ]
    monkeypatch.setattr(module, "portfolio", lambda name: found)


def test_tries_weighs_and_says_so(graph, split, monkeypatch):
    small(monkeypatch)
    steps = []
    auto = AutoClassifier(seed=1, on_step=steps.append).fit(graph, split)
    assert auto.is_cross_validated_
    assert [step.name for step in steps] == ["logistic", "gcn aiec", "rf_rich"]
    assert all(0 <= step.seconds_left <= auto.budget for step in steps)
    assert [trial.name for trial in auto.trials_] == ["logistic", "gcn aiec", "rf_rich"]
    weights = {trial.name: trial.weight for trial in auto.trials_}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["logistic"] > 0.5
    assert any("the graph adds nothing" in remark for remark in auto.remarks_)
    score = auto.decision_function(graph)
    assert auc(graph.y[split.test_mask], score[split.test_mask]) > 0.8
    meta, arrays = auto.to_state()
    meta = json.loads(json.dumps(meta, allow_nan=False))
    again = CLASSIFIERS["auto"].from_state(meta, arrays)
    assert np.array_equal(again.decision_function(graph), score)
    assert again.trials_ == auto.trials_
    assert again.remarks_ == auto.remarks_


def test_the_seed_fixes_everything_and_test_labels_nothing(graph, split, monkeypatch):
    small(monkeypatch)
    hidden = replace(graph, y=np.where(split.test_mask, -1, graph.y))
    one, other = (AutoClassifier(seed=2).fit(g, split) for g in (graph, hidden))
    assert np.array_equal(one.decision_function(graph), other.decision_function(graph))


def test_a_part_of_the_candidates_is_chosen_from_as_after_a_fit_of_its_own(
    graph, split, monkeypatch
):
    small(monkeypatch)
    tried = AutoClassifier(seed=2).try_candidates(graph, split)
    whole = module.portfolio("auto")
    monkeypatch.setattr(module, "portfolio", lambda name: whole[1:])
    chosen = AutoClassifier(seed=2).choose(tried.only("auto_no_trees"))
    fitted = AutoClassifier(seed=2).fit(graph, split)
    assert [t.name for t in chosen.trials_] == [t.name for t in fitted.trials_]
    assert np.array_equal(chosen.decision_function(graph), fitted.decision_function(graph))
    monkeypatch.setattr(module, "portfolio", lambda name: [])
    with pytest.raises(InputError, match="none of its candidates was fitted"):
        tried.only("auto_no_trees")


def test_several_fits_of_one_candidate_rank_as_their_mean_does(graph, split, monkeypatch):
    small(monkeypatch)
    only = module.portfolio("auto")[:1]
    monkeypatch.setattr(module, "portfolio", lambda name: only)
    auto = AutoClassifier(seed=1).fit(graph, split)
    (member,) = auto.members_
    assert len(member.models) > 1
    mean = np.mean([rank(m.decision_function(graph)) for m, rank in member.models], axis=0)
    score = auto.decision_function(graph)
    np.testing.assert_array_equal(np.argsort(score, kind="stable"), np.argsort(mean, kind="stable"))
    # A mean of ranks is a rank again: as many nodes lie above any of its levels as it says.
    rest = ~(split.train_mask | split.val_mask)
    share = 1 / (1 + np.exp(score[rest]))
    for level in (0.05, 0.2, 0.5):
        assert np.mean(share < level) == pytest.approx(level, abs=0.01)


def test_a_budget_of_nothing_still_fits_the_first(graph, split, monkeypatch):
    small(monkeypatch)
    auto = AutoClassifier(budget=0).fit(graph, split)
    assert [trial.status for trial in auto.trials_] == ["taken", "no time", "no time"]


def test_a_candidate_that_diverges_is_told_and_left_out(graph, split, monkeypatch):
    def diverging(seed, n_jobs):
        return NetworkClassifier("gcn", "relu", TrainSettings(lr=1e30, epochs=20), seed)

    small(monkeypatch, Candidate("wild", diverging, 1, True))
    auto = AutoClassifier().fit(graph, split)
    assert auto.trials_[-1].status == "failed"
    assert "try a smaller" in auto.trials_[-1].note


def test_refit_learns_from_validation_nodes_too(graph, split, monkeypatch):
    small(monkeypatch)
    monkeypatch.setattr(folds_module, "FEW_ANOMALIES", 1)
    plain, again = (AutoClassifier(refit=refit).fit(graph, split) for refit in (False, True))
    assert not plain.is_cross_validated_
    assert not np.array_equal(plain.decision_function(graph), again.decision_function(graph))


def test_folds_never_judge_what_they_were_fitted_on(graph, split):
    folds = make_folds(graph, split, 0)
    known = split.train_mask | split.val_mask
    assert len(folds) > 1
    assert (np.sum([fold.val_mask for fold in folds], axis=0) == known).all()
    for fold in folds:
        assert not (fold.train_mask & fold.val_mask).any()
        assert (fold.train_mask | fold.val_mask == known).all()
    in_time = replace(graph, time_step=np.arange(NODES))
    assert make_folds(in_time, split, 0) == [split]


def test_a_split_without_a_class_is_refused(graph, split):
    none = Split(split.train_mask, split.val_mask & (graph.y == 0), split.test_mask)
    with pytest.raises(InputError, match="the val nodes must hold anomalous"):
        make_classifier("auto").fit(graph, none)


def test_ablations_leave_out_what_they_say():
    names = {name: {c.name for c in portfolio(name)} for name in ABLATIONS}
    assert names["auto"] == {c.name for c in PORTFOLIO}
    assert not any("aiec" in name for name in names["auto_no_aiec"])
    assert not any("rich" in name for name in names["auto_no_rich"])
    assert names["auto_no_trees"] | names["auto_no_networks"] == names["auto"]
    assert not names["auto_no_trees"] & names["auto_no_networks"]
    with pytest.raises(InputError, match="Did you mean 'auto_no_trees'"):
        portfolio("auto_no_tree")


def test_scores_to_calibrate_by_come_from_models_that_had_not_seen_the_node(graph, monkeypatch):
    # Labels are drawn at random: models know those that they were fitted on, and no others.
    y = (np.random.default_rng(3).random(NODES) < 0.2).astype(np.int64)
    noise = replace(graph, y=y)
    part = np.arange(NODES) % 5
    split = Split(part < 3, part == 3, part == 4)
    for refit in (False, True):
        monkeypatch.setattr(folds_module, "FEW_ANOMALIES", 1 if refit else 1000)
        small(monkeypatch)
        portfolio = module.portfolio("auto")[2:]
        monkeypatch.setattr(module, "portfolio", lambda name, only=portfolio: only)
        auto = AutoClassifier(refit=refit).fit(noise, split)
        score = auto.decision_function(noise)
        honest = held_out_scores(auto, score)
        assert auc(y[split.val_mask], score[split.val_mask]) > 0.95
        assert auc(y[split.val_mask], honest[split.val_mask]) < 0.65
        assert np.array_equal(honest[split.test_mask], score[split.test_mask])
