import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

from aiec_graph.detect import DriftWarning
from aiec_graph.detect.drift import SAMPLE, Profile, Reference

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RNG.standard_normal(5_000), RNG.standard_normal(3_000) + 0.3),
        (RNG.integers(0, 4, 5_000).astype(float), RNG.integers(0, 3, 900).astype(float)),
        (RNG.exponential(size=150), RNG.exponential(size=80)),
        (np.zeros(400), np.r_[np.zeros(300), np.ones(100)]),
    ],
)
def test_the_distance_is_that_of_the_whole_samples(before, after):
    profile = Profile.of_number("x", before)
    found, chance = profile.distance(after)
    exact = ks_2samp(before, after).statistic
    slack = 1e-12 if len(before) <= SAMPLE else 0.5 / SAMPLE + 1e-12
    assert found == pytest.approx(exact, abs=slack)
    assert chance == pytest.approx(1.9495 * np.sqrt(1 / len(before) + 1 / len(after)), rel=1e-3)


def test_index_and_distance_agree_on_what_is_notable_of_a_normal_quantity():
    shift = np.sqrt(0.2)  # the index of two normal distributions so far apart is 0.2
    assert 2 * norm.cdf(shift / 2) - 1 == pytest.approx(0.18, abs=0.005)


def test_missing_values_have_no_place_in_the_distance():
    values = RNG.standard_normal(2_000)
    half = np.where(np.arange(2_000) % 2 == 0, values, np.nan)
    profile = Profile.of_number("x", half)
    distance, chance = profile.distance(half)
    assert distance < 0.01
    assert chance == pytest.approx(1.9495 * np.sqrt(2 / 1_000), rel=1e-3)
    assert np.isnan(profile.distance(np.full(5, np.nan))[0])
    assert np.isnan(Profile.of_category("k", np.zeros(9), ["a"]).distance(np.zeros(9))[0])


def test_a_shift_is_named_by_both_measures_and_the_same_data_are_not(detector, graph):
    score = detector.decision_function(graph)
    found = detector.reference_.compare(graph, score, {})
    assert not found.warnings
    assert "0 of 6 quantities" in found.describe()
    moved = graph.x.clone()
    moved[:, 1] += 0.9
    drift = detector.reference_.compare(replace(graph, x=moved), score, {})
    line = next(line for line in drift.warnings if line.startswith("b has shifted"))
    assert "PSI" in line and "KS 0.3" in line
    row = drift.table.set_index("what").loc["kind"]
    assert np.isnan(row["ks"]) and not row["notable"]


def test_a_reference_is_kept_as_it_is(detector):
    content, arrays = detector.reference_.to_state()
    again = Reference.from_state(json.loads(json.dumps(content)), arrays)
    assert again == detector.reference_
    for one, other in zip(again.profiles, detector.reference_.profiles, strict=True):
        np.testing.assert_array_equal(one.sample, other.sample)


@pytest.mark.parametrize("had_weights", [False, True])
def test_weights_on_one_side_alone_are_told(detector, graph, had_weights):
    weight = np.full(graph.edges.num_edges, 2.5, np.float32)
    weighted = replace(graph, edges=replace(graph.edges, weight=weight))
    before, later = (weighted, graph) if had_weights else (graph, weighted)
    score = np.linspace(0, 1, len(graph.y))
    reference = Reference.of(before, score, graph.y == 0)
    content, arrays = reference.to_state()
    reference = Reference.from_state(json.loads(json.dumps(content)), arrays)
    now, then = ("no weights", "some") if had_weights else ("weights", "none")
    line = f"the edges have {now}, and had {then} in the training data"
    assert line in reference.compare(later, score, {}).warnings
    assert line not in reference.compare(before, score, {}).warnings
    with pytest.warns(DriftWarning, match="the edges have weights, and had none"):
        detector.rank(weighted)
