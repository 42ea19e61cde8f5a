"""The paired statistics of a study: what they reject and cover, measured on simulated draws."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aiec_graph.bench.study.statistics import compare, holm, over_settings, seeds_needed

DRAWS = 1000


def overlapping(rng, effect, n=10, train=0.4, test=0.4):
    """Differences as Nadeau and Bengio model them: correlated by the share of the test set."""
    correlation = test / (train + test)
    shared = rng.standard_normal((DRAWS, 1)) * correlation**0.5
    own = rng.standard_normal((DRAWS, n)) * (1 - correlation) ** 0.5
    return effect + shared + own


@pytest.mark.parametrize("n", [10, 30])
def test_rejects_one_true_null_in_twenty(n):
    draws = overlapping(np.random.default_rng(0), 0.0, n)
    rejected = np.mean([compare(d, overlap=1.0).p < 0.05 for d in draws])
    assert 0.03 <= rejected <= 0.07
    uncorrected = np.mean([compare(d, overlap=0.0).p < 0.05 for d in draws])
    assert uncorrected > 0.2


def test_its_interval_covers_a_known_effect():
    draws = overlapping(np.random.default_rng(1), 0.7)
    found = [compare(d, overlap=1.0) for d in draws]
    assert 0.93 <= np.mean([c.low <= 0.7 <= c.high for c in found]) <= 0.97


def test_both_tests_hold_their_level_on_independent_seeds():
    rng = np.random.default_rng(2)
    found = [compare(d, overlap=0.0) for d in rng.standard_normal((DRAWS, 12))]
    assert 0.03 <= np.mean([c.p < 0.05 for c in found]) <= 0.07
    assert 0.03 <= np.mean([c.p_wilcoxon < 0.05 for c in found]) <= 0.07


def test_on_resampled_splits_of_real_draws_the_plain_test_is_wrong_and_the_corrected_is_not():
    # Two classifiers that are equally good in the population, each fitted on one of two equally
    # informative features and compared on ten random splits of one sample, a thousand times.
    rng = np.random.default_rng(3)
    half, seeds = 50, 10
    p = []
    for _ in range(1000):
        x = rng.standard_normal((2 * half, 2))
        x[half:] += 1
        order = rng.random((seeds, 2, half)).argsort(-1) + np.array([[0], [half]])
        test, train = x[order[:, :, :25]], x[order[:, :, 25:]]
        way = np.sign(np.diff(train.mean(2), axis=1))
        normal, anomalous = (test * way[:, :, None]).swapaxes(0, 1)
        d = np.diff(anomalous.mean(1) - normal.mean(1)).ravel()
        p.append((compare(d, overlap=1.0).p, compare(d, overlap=0.0).p))
    corrected, plain = np.mean(np.array(p) < 0.05, axis=0)
    assert plain > 0.3
    assert corrected < 0.1


def test_without_overlap_it_is_the_paired_t_test():
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 9))
    ours, theirs = compare(a - b, overlap=0.0), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval()
    assert ours.p == pytest.approx(theirs.pvalue)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))


def test_the_seeds_needed_give_the_power_that_was_asked_for():
    n = int(seeds_needed(0.8, overlap=0.0))
    rng = np.random.default_rng(5)
    draws = 0.8 + rng.standard_normal((DRAWS, n))
    power = np.mean([compare(d, overlap=0.0).p < 0.05 for d in draws])
    assert 0.77 <= power <= 0.85
    assert seeds_needed(1.0, overlap=1.0) == float("inf")
    assert seeds_needed(4.0, overlap=1.0) < 20


def test_differences_without_spread():
    assert compare(np.zeros(4), 1.0).p == 1
    found = compare(np.full(4, 2.0), 1.0)
    assert (found.p, found.low, found.high) == (0, 2, 2)
    with pytest.raises(ValueError, match="two seeds"):
        compare(np.ones(1), 0.0)


def test_holm_by_hand():
    p = pd.Series([0.01, 0.04, 0.03], index=[5, 6, 7])
    assert holm(p).to_dict() == pytest.approx({5: 0.03, 6: 0.06, 7: 0.06})


def test_over_places():
    means = pd.DataFrame({"relu": [1.0, 2.0, 3.0, 4.0, 5.0], "aiec": [2.0, 3.1, 4.2, 5.3, 4.0]})
    (row,) = over_settings(means).to_dict("records")
    assert (row["act"], row["reference"], row["settings"], row["ahead"]) == ("aiec", "relu", 5, 4)
    assert row["difference"] == pytest.approx(1.1)
