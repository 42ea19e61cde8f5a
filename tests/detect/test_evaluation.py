import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.detect.evaluation import evaluate_scores, rank_metrics
from aiec_graph.detect.rules import Curve
from aiec_graph.metrics import evaluate


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=50).filter(
        lambda rows: {y for y, _ in rows} == {0, 1}
    )
)
def test_metrics_of_a_curve_are_those_of_its_nodes(rows):
    y, score = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    found = 100 * np.array(rank_metrics(Curve.of(y, score)))
    np.testing.assert_allclose(found, evaluate(y, score))


def test_intervals_hold_the_value_and_shrink_with_the_nodes():
    rng = np.random.default_rng(0)
    widths = []
    for nodes in (200, 5000):
        y = (rng.random(nodes) < 0.2).astype(np.int64)
        score = rng.standard_normal(nodes) + y
        found = evaluate_scores(y, score, score > 1)
        for part in (found.auc, found.ap, found.rec_at_k, found.precision, found.recall):
            assert part.low <= part.value <= part.high
        assert found.precision.value == y[score > 1].mean()
        assert found.recall.value == (score > 1)[y == 1].mean()
        widths.append(found.auc.high - found.auc.low)
    assert widths[1] < widths[0] / 3


def test_an_empty_list_has_no_known_precision():
    y, score = np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 0.5, 0.2])
    found = evaluate_scores(y, score, np.zeros(4, bool))
    assert (found.precision.low, found.precision.high) == (0, 1)
    assert found.calibration_error is None
    assert evaluate_scores(y, score, score > 0, score).calibration_error == pytest.approx(0.325)
