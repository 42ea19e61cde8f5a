import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from aiec_graph.detect.calibration import Calibrator, expected_calibration_error
from aiec_graph.detect.conformal import alert_list, conformal_p_values
from aiec_graph.errors import InputError


def draw(nodes, rate, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(nodes) < rate).astype(np.int64)
    return y, 7 * rng.standard_normal(nodes) + 9 * y + 100  # far from log-odds


@pytest.mark.parametrize("kind", ["isotonic", "sigmoid"])
def test_probabilities_are_frequencies(kind):
    found = Calibrator.fit(*draw(4000, 0.2, 0), kind=kind)
    y, score = draw(20_000, 0.2, 1)
    assert expected_calibration_error(y, found(score)) < 0.02


@pytest.mark.parametrize("kind", ["isotonic", "sigmoid"])
def test_an_enriched_sample_is_corrected_by_the_base_rate(kind):
    enriched = Calibrator.fit(*draw(4000, 0.5, 0), base_rate=0.02, kind=kind)
    plain = Calibrator.fit(*draw(4000, 0.5, 0), kind=kind)
    y, score = draw(50_000, 0.02, 1)
    assert expected_calibration_error(y, enriched(score)) < 0.01
    assert expected_calibration_error(y, plain(score)) > 0.1


def test_the_kind_follows_the_rarer_class():
    assert Calibrator.fit(*draw(400, 0.1, 0)).kind == "sigmoid"
    assert Calibrator.fit(*draw(4000, 0.1, 0)).kind == "isotonic"


def test_probabilities_rise_with_the_score_and_stay_within_0_and_1():
    y, score = draw(3000, 0.1, 0)
    grid = np.linspace(-1e4, 1e4, 2001)
    for kind in ("isotonic", "sigmoid"):
        chance = Calibrator.fit(y, score, 0.001, kind)(grid)
        assert (np.diff(chance) >= 0).all()
        assert np.isfinite(chance).all()
        assert (chance >= 0).all() and (chance <= 1).all()
    assert (Calibrator.fit(y, score, kind="isotonic")(grid) > 0).all()


def test_scores_that_are_the_wrong_way_round_give_the_rate_and_no_reversed_list():
    y, score = draw(300, 0.2, 0)
    chance = Calibrator.fit(y, -score, kind="sigmoid")(score)
    np.testing.assert_allclose(chance, y.mean())


def test_perfectly_separated_nodes_have_a_finite_sigmoid():
    y = np.array([0] * 30 + [1] * 5)
    chance = Calibrator.fit(y, y * 10.0, kind="sigmoid")(np.array([0.0, 10.0]))
    assert 0.01 < chance[0] < 0.1 and 0.7 < chance[1] < 0.95


def test_one_class_is_refused():
    with pytest.raises(InputError, match="both"):
        Calibrator.fit(np.zeros(5, np.int64), np.arange(5.0))


def test_the_calibration_error_is_the_weighted_gap_of_the_curve():
    rng = np.random.default_rng(0)
    chance = rng.random(500)
    y = (rng.random(500) < chance**2).astype(np.int64)
    frequency, mean = calibration_curve(y, chance, n_bins=10)
    weight = np.bincount((chance * 10).astype(int), minlength=10) / 500
    naive = (weight[weight > 0] * np.abs(frequency - mean)).sum()
    assert expected_calibration_error(y, chance) == pytest.approx(naive)


def test_p_values_are_by_counting():
    normal, score = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 2.0, 2.5, 9.0])
    np.testing.assert_allclose(conformal_p_values(normal, score), [1.0, 0.8, 0.4, 0.2])


def test_the_share_of_false_alarms_is_held_on_average():
    rng = np.random.default_rng(0)
    false = []
    for _ in range(100):
        y = (rng.random(1000) < 0.1).astype(np.int64)
        score = rng.standard_normal(1000) + 3.5 * y
        flag = alert_list(conformal_p_values(rng.standard_normal(1000), score), 0.2)
        false.append((y[flag] == 0).mean() if flag.any() else 0.0)
    assert 0.1 < np.mean(false) < 0.22


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="share of false alarms must be between 0 and 1"):
        alert_list(np.array([0.1]), share)


def test_p_values_without_normal_nodes_are_refused():
    with pytest.raises(InputError, match="normal validation nodes"):
        conformal_p_values(np.array([]), np.array([1.0]))
