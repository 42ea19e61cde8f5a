"""Greedy selection on ranks: what it takes, what it leaves, and ranks of nodes never seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiec_graph.train.selection import REFERENCE, Ranker, from_top, select, to_rank


def ranks_of(score):
    return from_top(Ranker.fit(score)(score))


def make(strengths, nodes=2000, anomalous=200, seed=0):
    """Ranks of models that see the labels through noise of their own."""
    rng = np.random.default_rng(seed)
    y = (np.arange(nodes) < anomalous).astype(np.int64)
    return np.stack([ranks_of(s * y + rng.normal(size=nodes)) for s in strengths]), y


def test_models_with_noise_of_their_own_are_mixed():
    ranks, y = make([1.5, 1.5, 1.5])
    found = select(ranks, y, 0)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights.min() > 0.2
    assert found.gain > 0.02


def test_a_family_that_misleads_is_left_out():
    ranks, y = make([2.0, 0.2, 0.2, 0.2, 0.2])
    found = select(ranks, y, 0)
    assert found.best == 0
    assert found.weights[0] > 0.9


def test_one_model_is_taken_alone_where_mixing_does_not_pay():
    ranks, y = make([3.0])
    noise = np.random.default_rng(1).random((6, len(y)))
    found = select(np.concatenate([ranks, noise]), y, 0)
    if found.gain <= 0:
        assert found.weights.tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert found.weights[0] > 0.95
    alone = select(ranks, y, 0)
    assert alone.weights.tolist() == [1]


def test_the_seed_fixes_the_choice():
    ranks, y = make([1.0, 1.2, 0.8], anomalous=20)
    one, other = select(ranks, y, 5), select(ranks, y, 5)
    assert np.array_equal(one.weights, other.weights)


def test_ranks_by_hand():
    ranker = Ranker.fit(np.array([1.0, 2.0, 2.0, 4.0]))
    # One of four is below 2, and the two that tie count half: (1 + 1) / 4.
    assert ranker(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx([0.125, 0.5, 0.6875, 0.875])
    beyond = ranker(np.array([-9.0, 0.0, 5.0, 9.0]))
    assert 0 <= beyond[0] < beyond[1] < 0.125 < 0.875 < beyond[2] < beyond[3] < 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.lists(st.floats(-1e9, 1e9)))
def test_ranks_keep_the_order(reference, scores):
    ranker = Ranker.fit(np.array(reference))
    found = ranker(np.sort(np.array(scores, float)))
    assert (np.diff(found) >= -1e-15).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_many_references_keep_the_highest_exactly():
    score = np.random.default_rng(0).normal(size=50_000)
    ranker = Ranker.fit(score)
    assert len(ranker.scores) <= REFERENCE
    exact = (score.argsort().argsort() + 0.5) / len(score)
    assert np.abs(ranker(score) - exact).max() < 1e-3
    top = score.argsort()[-1000:]
    assert ranker(score[top]) == pytest.approx(exact[top], abs=1e-12)


@given(st.floats(0, 1))
def test_a_rank_comes_back_from_its_logarithm(rank):
    assert to_rank(from_top(np.array(rank))) == pytest.approx(rank, abs=1e-9)
    assert from_top(np.array(rank)) <= from_top(np.array(min(rank + 0.01, 1)))
