"""The metrics against scikit-learn and against all orders of the tied nodes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from aiec_graph.metrics import auc, average_precision, evaluate, rec_at_k

labels_and_scores = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=7
).filter(lambda pairs: 0 < sum(y for y, _ in pairs) < len(pairs))


def arrays(pairs):
    y, score = zip(*pairs, strict=True)
    return np.array(y), np.array(score, dtype=float)


@given(labels_and_scores)
def test_equal_the_references(pairs):
    y, score = arrays(pairs)
    assert auc(y, score) == roc_auc_score(y, score)
    assert average_precision(y, score) == pytest.approx(
        average_precision_score(y, score), abs=1e-12
    )


@given(labels_and_scores)
def test_rec_at_k_is_the_mean_over_all_orders_of_the_nodes(pairs):
    y, score = arrays(pairs)
    k = y.sum()
    found = []
    for order in itertools.permutations(range(len(y))):
        order = np.array(order)
        ranked = order[np.argsort(-score[order], kind="stable")]
        found.append(y[ranked[:k]].sum() / k)
    assert rec_at_k(y, score) == pytest.approx(np.mean(found))


def test_percent():
    y, score = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.2])
    assert evaluate(y, score) == (100, 100, 100)


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        ([0, 0], [0.1, 0.2], "anomalous"),
        ([1, 1], [0.1, 0.2], "normal"),
        ([0, 2], [0.1, 0.2], "0 .normal. and 1"),
        ([0, 1], [0.1, np.nan], "NaN"),
        ([0, 1], [0.1, 0.2, 0.3], "shape"),
    ],
)
def test_unusable_input_is_refused(y, score, message):
    for metric in (auc, average_precision, rec_at_k, evaluate):
        with pytest.raises(ValueError, match=message):
            metric(np.array(y), np.array(score))
