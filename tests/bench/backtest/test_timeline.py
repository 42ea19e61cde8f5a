"""Nothing of the future reaches a cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.bench.backtest.cuts import Cut, Schedule
from aiec_graph.bench.backtest.runs import Views, fit_and_score
from aiec_graph.bench.backtest.spec import BacktestSpec
from aiec_graph.bench.backtest.timeline import StepTimeline
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import UNKNOWN
from aiec_graph.train import make_classifier
from aiec_graph.train.settings import TrainSettings
from tests.bench.backtest.conftest import change_after, make_graph

seeds = st.integers(0, 2**32 - 1)


def equal(first, second):
    """Whether two graphs are equal in all that a model can see."""
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.edge_index, second.edge_index)
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.node_ids, second.node_ids)


@pytest.mark.parametrize("features", ["standard", "structural", "own+structural"])
@given(seeds, seeds, st.integers(1, 8), st.booleans())
@settings(deadline=None, max_examples=30)
def test_another_future_changes_no_snapshot(features, seed, other, moment, crossing):
    graph = make_graph(seed, crossing=crossing)
    # Directions are those of the whole graph; random graphs have some, before and after.
    before = StepTimeline(graph, features)
    after = StepTimeline(change_after(graph, moment, other), features)
    if moment < before.moment[0]:
        with pytest.raises(InputError, match="no node is there"):
            before.at(moment)
        return
    equal(before.at(moment).graph, after.at(moment).graph)
    np.testing.assert_array_equal(before.at(moment).moment, after.at(moment).moment)


@given(seeds, st.integers(1, 8))
@settings(deadline=None, max_examples=30)
def test_a_snapshot_is_the_induced_subgraph(seed, moment):
    graph = make_graph(seed)
    found = StepTimeline(graph).at(max(moment, int(graph.time_step.min()))).graph
    ids = np.asarray(graph.node_ids)
    there = graph.time_step <= max(moment, graph.time_step.min())
    assert set(found.node_ids) == set(ids[there])
    source, target = graph.edge_index.numpy()
    inside = there[source] & there[target]
    expected = set(zip(ids[source[inside]], ids[target[inside]], strict=True))
    source, target = found.edge_index.numpy()
    assert set(zip(found.node_ids[source], found.node_ids[target], strict=True)) == expected
    place = {node: i for i, node in enumerate(ids)}
    rows = [place[node] for node in found.node_ids]
    np.testing.assert_array_equal(found.x, graph.x[rows])


@given(seeds, seeds, st.integers(3, 7), st.integers(0, 3), st.booleans())
@settings(deadline=None, max_examples=30)
def test_labels_younger_than_the_delay_are_not_known(seed, other, moment, delay, crossing):
    graph = make_graph(seed, crossing=crossing)
    known = moment - delay
    rng = np.random.default_rng(other)
    y = np.where(graph.time_step > known, rng.choice([0, 1], len(graph.y)), graph.y)
    cut = Cut(moment, 1, known - 1, known, 1)
    view, relabelled = (
        Views(StepTimeline(g)).at(cut, moment) for g in (graph, _with_labels(graph, y))
    )
    equal(view.graph, relabelled.graph)
    assert (view.graph.y[view.moment > known] == UNKNOWN).all()
    assert (view.moment > known).any() or delay == 0 or not (graph.time_step > known).any()
    for mask in (view.split.train_mask, view.split.val_mask):
        assert not mask[view.moment > known].any()


def _with_labels(graph, y):
    return replace(graph, y=y)


@pytest.mark.parametrize("model", ["gcn", "hgb_graph"])
def test_another_future_changes_no_score(drifting, model):
    """Not the fit, not the choice of epochs and cut-off, not a node scored before it."""
    cut = Cut(6, 1, 3, 5, 4)
    spec = BacktestSpec(
        "drifting", None, "standard", model, "relu", TrainSettings(epochs=5), cut, "f1"
    )
    first = fit_and_score(Views(StepTimeline(drifting)), spec, 1)
    for moment in (7, 8, 9):
        second = fit_and_score(Views(StepTimeline(change_after(drifting, moment, 5))), spec, 1)
        np.testing.assert_array_equal(first.val_score, second.val_score)
        mine, theirs = (f.frame[f.frame["age"] <= moment - 6] for f in (first, second))
        np.testing.assert_array_equal(mine["node"], theirs["node"])
        np.testing.assert_array_equal(mine["score"], theirs["score"])


def test_the_leak_is_seen_where_it_is_asked_for(drifting):
    cut = Cut(6, 1, 3, 5, 4)
    spec = BacktestSpec(
        "drifting", None, "structural", "hgb", "relu", TrainSettings(), cut, "f1", is_leaking=True
    )
    first = fit_and_score(Views(StepTimeline(drifting, "structural")), spec, 1)
    other = StepTimeline(change_after(drifting, 11, 5), "structural")
    second = fit_and_score(Views(other), spec, 1)
    assert not np.array_equal(first.frame["score"], second.frame["score"])


@pytest.mark.parametrize("model", ["gcn", "hgb_graph", "logistic"])
def test_scores_are_the_classifiers_own(drifting, model):
    """Of the nodes that are wanted alone, against a classifier fitted and asked by hand."""
    cut = Cut(6, 1, 3, 5, 2)
    settings = TrainSettings(epochs=3, features="standard")
    spec = BacktestSpec("drifting", None, "standard", model, "relu", settings, cut, "f1")
    timeline = StepTimeline(drifting)
    found = fit_and_score(Views(timeline), spec, 1)
    graph, moment = timeline.at(6)
    hidden = replace(graph, y=np.where(moment <= 5, graph.y, UNKNOWN))
    classifier = make_classifier(model, "relu", settings, seed=1, n_jobs=1)
    classifier.fit(hidden, cut.split(hidden.y, moment))
    for age in (1, 2):
        later = timeline.at(6 + age)
        mine = found.frame[found.frame["age"] == age]
        expected = classifier.decision_function(later.graph)[later.moment == 6 + age]
        np.testing.assert_allclose(mine["score"], expected, rtol=1e-9)


def test_one_graph_scores_all_where_nothing_changes_later():
    graph = make_graph(1, nodes=300, crossing=False)
    timeline = StepTimeline(graph, "structural")
    assert timeline.is_frozen
    last = timeline.at(8).graph
    for moment in range(1, 9):
        found = timeline.at(moment).graph
        np.testing.assert_array_equal(found.x, last.x[: len(found.y)])
        own = StepTimeline(graph, "structural")
        own.__dict__["_joins_no_moments"] = False  # the way that computes each anew
        equal(own.at(moment).graph, found)


def test_graphs_without_time_are_refused():
    with pytest.raises(InputError, match="needs the time of each node"):
        StepTimeline(replace(make_graph(0), time_step=None))


def test_nine_cuts_fill_the_end_of_the_time(drifting):
    plan = Schedule(cuts=3).plan(StepTimeline(drifting))
    assert [cut.moment for cut in plan.cuts] == [6, 8, 10]
    assert plan.cuts[0] == Cut(6, 1, 4, 6, 2)
    delayed = Schedule(cuts=3, label_delay=1, train_window=4).plan(StepTimeline(drifting))
    assert delayed.cuts[0] == Cut(6, 2, 4, 5, 2)
    chosen = Schedule(start=5, every=2, horizon=3).plan(StepTimeline(drifting))
    assert [cut.moment for cut in chosen.cuts] == [5, 7, 9]


def test_cuts_without_anomalies_are_left_out_and_said(drifting):
    y = np.where((drifting.time_step == 7) & (drifting.y == 1), 0, drifting.y)
    timeline = StepTimeline(_with_labels(drifting, y))
    plan = Schedule(start=4, every=1, horizon=1).plan(timeline)
    assert [(left.cut.moment, left.why) for left in plan.left_out] == [
        (6, "no anomalous node to test on")
    ]
    none = StepTimeline(_with_labels(drifting, np.zeros_like(y)))
    with pytest.raises(InputError, match="no cut can be used"):
        Schedule(cuts=3).plan(none)
    with pytest.raises(InputError, match="too short for 9 cuts every 1 steps"):
        Schedule(cuts=9, every=1, horizon=7).plan(timeline)


def test_a_long_horizon_is_scored_in_batches():
    assert Cut(10, 0, 5, 10, 3).batches == [11, 12, 13]
    assert Cut(10, 0, 5, 10, 90).batches == [19, 28, 37, 46, 55, 64, 73, 82, 91, 100]
