import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from aiec_graph.detect import thresholds
from aiec_graph.detect.rules import Curve, Rule, choose_cut
from aiec_graph.detect.thresholds import make_threshold
from aiec_graph.errors import InputError

labelled_scores = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=4, max_size=40
).filter(lambda rows: {y for y, _ in rows} == {0, 1})


def every_list(y, score, rate):
    """Naive: precision, recall, share and F1 of the list that ends at each distinct score."""
    pi = y.mean() if rate is None else rate
    for cut in sorted(set(score), reverse=True):
        flag = score >= cut
        recall, alarms = flag[y == 1].mean(), flag[y == 0].mean()
        share = pi * recall + (1 - pi) * alarms
        yield cut, pi * recall / share, recall, share, 2 * pi * recall / (share + pi)


@pytest.mark.parametrize("rate", [None, 0.01])
@settings(max_examples=60, deadline=None)
@given(rows=labelled_scores)
def test_rules_choose_what_looking_at_every_list_chooses(rate, rows):
    y, score = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    curve = Curve.of(y, score)
    lists = list(every_list(y, score, rate))
    pi = y.mean() if rate is None else rate

    def chosen(text, nodes=0):
        return choose_cut(curve, Rule.parse(text), rate, nodes)

    assert chosen("f1").best == pytest.approx(max(row[4] for row in lists))
    good = [row for row in lists if row[1] >= 0.5 - 1e-9]
    found = chosen("precision=0.5")
    assert found.is_met == bool(good)
    if good:
        assert found.share == pytest.approx(good[-1][3])
        assert found.precision >= 0.5 - 1e-9
    first = next(row for row in lists if row[2] >= 0.7 - 1e-9)
    assert chosen("recall=0.7").share == pytest.approx(first[3])
    costs = [1 * (row[3] - pi * row[2]) + 9 * pi * (1 - row[2]) for row in lists]
    found = chosen("cost=1:9")
    cost = 1 * (found.share - pi * found.recall) + 9 * pi * (1 - found.recall)
    assert cost == pytest.approx(min([*costs, 9 * pi]))
    wanted = next(row for row in lists if row[3] >= 0.25 - 1e-9)
    assert chosen("top=5", nodes=20).share == pytest.approx(wanted[3])
    if rate is None:
        for text in ("f1", "recall=0.7", "cost=1:9", "score=0.5"):
            found = chosen(text)
            flag = score >= found.value
            assert found.share == pytest.approx(flag.mean())
            assert found.recall == pytest.approx(flag[y == 1].mean())
        assert f1_score(y, score >= chosen("f1").value) == pytest.approx(chosen("f1").best)


@pytest.mark.parametrize(
    "text",
    ["precision", "precision=2", "recall=0", "top=1.5", "cost=1", "cost=0:1", "f1=3"],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(InputError):
        Rule.parse(text)


@pytest.mark.parametrize(
    "text",
    ["precision=nan", "top=-1", "cost=1:inf", "", 0.5, None],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError):
        Rule.parse(text)


def test_the_nearest_rule_is_named():
    with pytest.raises(InputError, match="Did you mean 'precision'"):
        Rule.parse("precsion=0.9")


@pytest.mark.parametrize(
    "text", ["f1", "precision=0.9", "recall=0.85", "top=200", "cost=1:50", "score=-1.25"]
)
def test_a_rule_is_written_as_it_is_read(text):
    assert str(Rule.parse(text)) == text


def draw(nodes, rate, rng):
    y = (rng.random(nodes) < rate).astype(np.int64)
    return y, rng.standard_normal(nodes) + 2 * y


@pytest.mark.parametrize("text", ["f1", "precision=0.7", "recall=0.8", "cost=1:20"])
def test_new_batches_lie_in_the_interval(text, monkeypatch):
    monkeypatch.setattr(thresholds, "DRAWS", 200)
    rng = np.random.default_rng(0)
    held = []
    for seed in range(40):
        y, score = draw(800, 0.08, rng)
        found = make_threshold(y[:400], score[:400], Rule.parse(text), nodes=(400, 400), seed=seed)
        new, flag = y[400:], score[400:] >= found.cut.value
        precision = new[flag].mean() if flag.any() else 0.0
        parts = [
            (precision, found.precision),
            (flag[new == 1].mean(), found.recall),
            (flag.sum(), found.flagged),
        ]
        held.append([part.low - 1e-9 <= value <= part.high + 1e-9 for value, part in parts])
    # With a coverage of 95 %, 40 draws give fewer than 34 once in 2,000.
    assert (np.sum(held, axis=0) >= 34).all()


def test_the_choice_of_the_cut_is_corrected_for():
    y, score = draw(200, 0.1, np.random.default_rng(1))
    found = make_threshold(y, score, Rule.parse("precision=0.8"))
    assert found.cut.is_met
    assert found.cut.precision == pytest.approx(0.8)
    assert found.precision.value < found.cut.precision


def test_a_stated_base_rate_changes_precision_and_workload_and_not_recall():
    y, score = draw(4000, 0.5, np.random.default_rng(2))
    rule = Rule.parse("score=1")
    enriched = make_threshold(y, score, rule)
    rare = make_threshold(y, score, rule, base_rate=0.02)
    new, new_score = draw(200_000, 0.02, np.random.default_rng(3))
    flag = new_score >= 1
    assert rare.cut.precision == pytest.approx(new[flag].mean(), abs=0.02)
    assert rare.cut.share == pytest.approx(flag.mean(), abs=0.02)
    assert rare.cut.recall == enriched.cut.recall
    assert enriched.cut.precision > 0.8


def test_few_anomalies_and_what_cannot_be_met_are_said():
    y, score = np.array([1, 1, 0, 0, 0, 0]), np.array([1.0, 0.0, 2.0, 1.5, -1.0, -2.0])
    found = make_threshold(y, score, Rule.parse("precision=0.9"))
    assert not found.cut.is_met
    assert "only 2 validation nodes" in found.warnings[0]
    assert "no threshold reaches precision=0.9" in found.warnings[1]
    assert (
        make_threshold(*draw(900, 0.1, np.random.default_rng(0)), Rule.parse("f1")).warnings == []
    )


def test_one_class_or_a_nan_is_refused():
    with pytest.raises(InputError, match="both"):
        Curve.of(np.zeros(3, np.int64), np.arange(3.0))
    with pytest.raises(InputError, match="finite"):
        Curve.of(np.array([0, 1]), np.array([0.0, np.nan]))
