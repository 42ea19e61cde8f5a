from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GridSearchCV

from aiec_graph.data import UNKNOWN, Edges
from aiec_graph.detect import FraudDetector, GraphSplit, Nodes, SplitWarning, as_nodes, thresholds
from aiec_graph.detect.splits import split_nodes
from aiec_graph.errors import InputError


def with_time(graph, steps=20):
    return replace(graph, time_step=np.arange(len(graph.y)) % steps)


def in_small_groups(graph, size=3):
    at = np.arange(len(graph.y) - 1)
    at = at[at % size != size - 1]
    return replace(graph, edges=Edges.from_pairs(at, at + 1, len(graph.y)))


def check_disjoint(split, graph):
    masks = np.stack(list(split.masks().values()))
    assert masks.sum(0).max() == 1
    assert not masks[:, graph.y == UNKNOWN].any()
    return masks.sum(1)


def test_a_stratified_split_has_its_shares_and_rates(graph):
    split, how = split_nodes(graph, "auto", 0.25, 0.25, 0)
    sizes = check_disjoint(split, graph)
    labelled = graph.y != UNKNOWN
    assert how == "stratified"
    np.testing.assert_allclose(sizes / labelled.sum(), [0.5, 0.25, 0.25], atol=0.01)
    for mask in split.masks().values():
        assert graph.y[mask].mean() == pytest.approx(graph.y[labelled].mean(), abs=0.01)


def test_without_test_nodes_all_others_are_trained_on(graph):
    split, _ = split_nodes(graph, "stratified", 0.25, 0, 0)
    assert check_disjoint(split, graph)[2] == 0
    assert (split.train_mask | split.val_mask).sum() == (graph.y != UNKNOWN).sum()


def test_a_split_by_time_keeps_the_order(graph):
    timed = with_time(graph)
    split, how = split_nodes(timed, "auto", 0.2, 0.2, 0)
    assert how == "time=11:15"
    steps = [timed.time_step[mask] for mask in split.masks().values()]
    assert steps[0].max() == 11 and steps[1].min() == 12
    assert steps[1].max() == 15 and steps[2].min() == 16
    check_disjoint(split, timed)
    stated, _ = split_nodes(timed, "time=3:4", 0.2, 0.2, 0)
    assert set(timed.time_step[stated.val_mask]) == {4}


def test_a_random_split_of_dated_nodes_is_warned_of(graph):
    with pytest.warns(SplitWarning, match="time steps"):
        split_nodes(with_time(graph), "stratified", 0.2, 0.2, 0)


def test_connected_accounts_stay_together(graph):
    grouped = in_small_groups(graph)
    split, _ = split_nodes(grouped, "group", 0.2, 0.2, 0)
    sizes = check_disjoint(split, grouped)
    group = connected_components(grouped.edges.to_scipy(), directed=False)[1]
    parts = [set(group[mask]) for mask in split.masks().values()]
    assert not parts[0] & parts[1] and not parts[1] & parts[2] and not parts[0] & parts[2]
    np.testing.assert_allclose(sizes / sizes.sum(), [0.6, 0.2, 0.2], atol=0.02)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("time", "no time step"),
        ("given", "without a split"),
        ("group", "connected to each other"),
        ("startified", "Did you mean 'stratified'"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(graph, how, message):
    with pytest.raises(InputError, match=message):
        split_nodes(graph, how, 0.2, 0.2, 0)


@pytest.mark.parametrize("how", ["time=5", "time=7:3", "time=a:b"])
def test_time_steps_that_are_none_are_refused(graph, how):
    with pytest.raises(InputError, match="T1"):
        split_nodes(with_time(graph), how, 0.2, 0.2, 0)


def test_a_part_without_a_class_is_refused(graph):
    late = replace(with_time(graph), y=np.where(with_time(graph).time_step > 9, graph.y, 0))
    with pytest.raises(InputError, match="no anomalous node .* of the train split"):
        split_nodes(late, "time=5:15", 0.2, 0.2, 0)
    with pytest.raises(InputError, match="nothing to learn"):
        split_nodes(replace(graph, y=np.full(len(graph.y), -1)), "stratified", 0.2, 0.2, 0)


@pytest.mark.parametrize("by", ["stratified", "time", "group"])
def test_folds_cover_labelled_nodes_alone(graph, by):
    nodes = Nodes.of(in_small_groups(with_time(graph)))
    folds = list(GraphSplit(by, n_splits=4).split(nodes, nodes.y))
    assert len(folds) == GraphSplit(by, n_splits=4).get_n_splits() == 4
    for train, test in folds:
        assert not set(train) & set(test)
        assert (nodes.y[np.concatenate([train, test])] != UNKNOWN).all()
        if by == "time":
            time = nodes.graph.time_step
            assert time[train].max() < time[test].min()
    if by != "time":
        tested = np.concatenate([test for _, test in folds])
        np.testing.assert_array_equal(np.sort(tested), np.flatnonzero(nodes.y != UNKNOWN))


def test_groups_may_be_stated(graph):
    nodes, of = Nodes.of(graph), np.arange(len(graph.y)) % 7
    for train, test in GraphSplit("group", 3).split(nodes, groups=of):
        assert not set(of[train]) & set(of[test])


def test_what_is_no_graph_is_not_split():
    with pytest.raises(InputError, match="as_nodes"):
        next(GraphSplit().split(np.zeros((5, 2))))


def test_a_fold_sees_the_labels_of_its_nodes_alone(graph):
    nodes = as_nodes(graph)
    some = nodes[np.arange(100)]
    assert len(some) == 100 and some.shape == (100, graph.x.shape[1])
    np.testing.assert_array_equal(some.alone_labelled().y[:100], graph.y[:100])
    assert (some.alone_labelled().y[100:] == UNKNOWN).all()
    np.testing.assert_array_equal(some[some.y == 1].y, np.ones((some.y == 1).sum()))


@pytest.mark.filterwarnings("ignore::aiec_graph.detect.ThresholdWarning")
def test_a_search_over_activation_and_width_runs(graph, monkeypatch):
    nodes = as_nodes(graph)
    grid = {"act": ["relu", "aiec"], "hidden": [4, 8]}
    monkeypatch.setattr(thresholds, "DRAWS", 200)
    search = GridSearchCV(
        FraudDetector("sage", epochs=15), grid, cv=GraphSplit(n_splits=2), error_score="raise"
    ).fit(nodes, nodes.y)
    best = search.best_estimator_
    assert best.hidden == search.best_params_["hidden"]
    assert best.classifier_.settings.hidden == best.hidden
    assert search.cv_results_["mean_test_score"].shape == (4,)
    assert nodes.y[nodes.y >= 0].mean() + 0.1 < search.best_score_ <= 1
    assert len(search.predict(nodes)) == len(graph.y)
