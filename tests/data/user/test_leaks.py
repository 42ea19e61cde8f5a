"""Columns that tell the label alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from aiec_graph.data.user.leaks import auc_of, find_leaks, find_sorted_rows
from aiec_graph.data.user.profile import Feature
from aiec_graph.graph.column import Column

RNG = np.random.default_rng(0)
Y = np.array([1] * 20 + [0] * 180 + [-1] * 50)[RNG.permutation(250)]


def leaks(values, categories=None, y=Y):
    feature = Feature(Column("c", categories=categories), np.asarray(values, float))
    return " ".join(find_leaks([feature], y))


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_the_auc_is_scikit_learns(rows):
    values, y = (np.array(part) for part in zip(*rows, strict=True))
    if y.all() or not y.any():
        return
    assert auc_of(values, y) == pytest.approx(roc_auc_score(y, values), abs=1e-12)


@pytest.mark.parametrize("scale", [1, -1])
def test_a_number_that_orders_the_classes_is_a_leak(scale):
    values = scale * np.where(Y == 1, RNG.uniform(2, 3, len(Y)), RNG.uniform(0, 1, len(Y)))
    assert "alone tells the label (AUC 1.0000)" in leaks(values)


def test_equal_values_are_a_leak_whatever_the_unlabelled_nodes_have():
    assert "equals the label" in leaks(np.where(Y == -1, RNG.integers(0, 2, len(Y)), Y))


@pytest.mark.parametrize("missing", [0, 1])
def test_a_value_that_is_given_for_one_class_alone_is_a_leak(missing):
    values = np.where(missing == Y, np.nan, RNG.normal(size=len(Y)))
    assert "alone tells the label" in leaks(values)


def test_a_category_that_only_anomalies_have_is_a_leak():
    codes = np.where(Y == 1, RNG.integers(0, 2, len(Y)), RNG.integers(2, 5, len(Y)))
    assert "alone tells" in leaks(codes, tuple("abcde"))
    codes = np.where(Y == 1, np.nan, RNG.integers(0, 3, len(Y)))
    assert "alone tells" in leaks(codes, tuple("abc"))


def test_a_strong_or_a_fine_column_is_no_leak():
    assert not leaks(np.where(Y == 1, RNG.normal(3, 1, len(Y)), RNG.normal(0, 1, len(Y))))
    assert not leaks(np.arange(len(Y)), tuple(map(str, range(len(Y)))))  # a category a node
    assert not leaks(np.full(len(Y), np.nan))


def test_few_nodes_of_a_class_prove_nothing():
    y = np.array([1] * 4 + [0] * 100)
    assert not leaks(y, y=y)
    assert not find_sorted_rows(y)


def test_rows_in_the_order_of_their_labels_are_told():
    assert "sorted by their label" in find_sorted_rows(np.sort(Y))
    assert "sorted by their label" in find_sorted_rows(np.sort(Y)[::-1])
    assert not find_sorted_rows(Y)
