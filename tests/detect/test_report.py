import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from aiec_graph.cli.main import main
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.detect.reasons import Explainer
from aiec_graph.detect.report import render_report, write_report
from aiec_graph.detect.report.compared import compare, verdict
from aiec_graph.detect.report.cuts import Evaluated, make_cuts
from aiec_graph.detect.report.drawings import MOST_DRAWN, draw_neighbourhood
from aiec_graph.detect.report.figures import MOST_POINTS, curves_of, thinned
from aiec_graph.errors import InputError
from aiec_graph.metrics import average_precision
from tests.browser import open_browser
from tests.detect.conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def page(detector, frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(detector, frames, path, suspects=4)


def evaluated_of(detector, graph):
    score = detector.decision_function(graph)
    fresh = (graph.y >= 0) & (detector.trained_on_.parts(graph) == "")
    return Evaluated(graph.y[fresh], score[fresh], "", True), score, fresh


def test_cuts_count_as_a_plain_loop_does():
    rng = np.random.default_rng(0)
    score = rng.integers(0, 40, 500).astype(float)  # many ties
    y = (rng.random(500) < score / 80).astype(int)
    evaluated = Evaluated(y[:200], score[:200], "", True)
    cuts = make_cuts(score, score >= 35, evaluated, None)
    for i, cut in enumerate(cuts.score):
        assert cuts.alerts[i] == sum(s >= cut for s in score)
        hits = sum(
            s >= cut and label == 1 for s, label in zip(evaluated.score, evaluated.y, strict=True)
        )
        assert cuts.hits[i] == hits
        listed = sum(s >= cut for s in evaluated.score)
        assert cuts.false_alarms[i] == listed - hits
        assert cuts.precision(i) == (hits / listed if listed else None)
        assert cuts.recall(i) == hits / evaluated.y.sum()
        assert cuts.cost(i, 2, 7) == 2 * (listed - hits) + 7 * (evaluated.y.sum() - hits)
    assert cuts.alerts[cuts.start] == (score >= 35).sum()
    assert cuts.alerts[-1] == 500


def test_an_empty_list_begins_empty():
    score = np.full(50, -2.0)
    evaluated = Evaluated(np.arange(20) % 2, score[:20], "", True)
    cuts = make_cuts(score, score > 0, evaluated, None)
    assert (cuts.alerts, cuts.hits, cuts.start) == ([0, 50], [0, 10], 0)
    assert cuts.precision(0) is None and cuts.recall(0) == 0 and cuts.score[0] > -2.0


def test_precision_of_a_stated_base_rate():
    evaluated = Evaluated(np.array([1, 1, 0, 0]), np.array([4.0, 2.0, 3.0, 1.0]), "", True)
    cuts = make_cuts(evaluated.score, evaluated.score >= 2, evaluated, 0.1)
    # All anomalies and half of the normal nodes are on the list.
    assert cuts.precision(cuts.start) == pytest.approx(0.1 / (0.1 + 0.9 * 0.5))


def test_curves_are_those_of_the_metrics():
    rng = np.random.default_rng(1)
    y = (rng.random(3000) < 0.1).astype(int)
    evaluated = Evaluated(y, y + rng.standard_normal(3000), "", True)
    curves = curves_of(evaluated)
    steps = np.diff(curves["recall"], prepend=0)
    assert (steps * curves["precision"]).sum() == pytest.approx(
        average_precision(y, evaluated.score)
    )
    small = thinned(curves)
    assert len(small) <= MOST_POINTS
    assert small.iloc[[0, -1]].equals(curves.iloc[[0, -1]])


def test_baselines_stand_beside_the_detector(detector, graph):
    _, score, fresh = evaluated_of(detector, graph)
    parts = detector.trained_on_.parts(graph)
    found = compare(detector, graph, parts, fresh, score)
    assert {part.name for part in found} == {"sage", "logistic", "rf", "rf_graph"}
    own = next(part for part in found if part.is_detector)
    assert own.found.ap.value == pytest.approx(average_precision(graph.y[fresh], score[fresh]))
    best = found[0]
    assert best.found.ap.value == max(part.found.ap.value for part in found)
    assert verdict(found).startswith(best.name)
    assert ("beats sage" in verdict(found)) == (best is not own)
    assert compare(detector, graph, np.full_like(parts, ""), fresh, score) == []


def test_a_drawing_has_the_named_neighbours_first(detector, graph):
    explainer = Explainer(detector, graph)
    hub = int(np.diff(explainer.partners.indptr).argmax())
    reasons = explainer.explain(np.array([hub]))[0]
    drawing = draw_neighbourhood(explainer, reasons)
    assert len(drawing.around) == min(MOST_DRAWN, reasons.num_neighbours)
    assert drawing.left_out == reasons.num_neighbours - len(drawing.around)
    named = [dot.id for dot in drawing.around if dot.is_named]
    assert named == [neighbour.id for neighbour in reasons.neighbours]


def test_a_page_says_what_it_is_about(page):
    text = page.read_text("utf-8")
    assert len(text) < 3e6
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    plain = re.sub(r"<style>.*?</style>|<script.*?</script>|<[^>]+>", " ", text, flags=re.DOTALL)
    plain = " ".join(plain.replace("&#39;", "'").split())
    for part in (
        "Where to cut the list",
        "labelled nodes of these data that took no part in the training",
        "Suspects and why",
        "Not looked at: aiec report MODEL DATA --as-of DAY",
        "Drift since the training",
        "All were fitted on the same training nodes",
        "AIEC's channels",
        "Configuration and versions",
    ):
        assert part in plain, part


def test_ids_and_names_cannot_do_anything(detector):
    nodes, edges = make_frames(300, seed=3)
    bad = {name: f"{HOSTILE}{name}" for name in nodes["id"]}
    nodes["id"] = nodes["id"].map(bad)
    edges = edges.apply(lambda ends: ends.map(bad))
    graph = replace(as_nodes((nodes, edges)).graph, name=HOSTILE)
    text = render_report(detector, graph, suspects=2)
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text

    class Scripts(HTMLParser):
        count = 0

        def handle_starttag(self, tag, attrs):
            self.count += tag == "script"
            assert not any(name.startswith("on") for name, _ in attrs)

    scripts = Scripts()
    scripts.feed(text)
    assert scripts.count == 2


def test_without_labels_the_metrics_are_of_the_validation_nodes(detector):
    nodes, edges = make_frames(300, seed=3)
    text = render_report(detector, (nodes.drop(columns="label"), edges), suspects=1)
    assert "validation nodes of the training, which chose the epoch" in text
    assert "No baseline was fitted" in text


def test_simulated_data_say_so_and_time_steps_are_listed(detector, graph):
    steps = np.arange(len(graph.y)) % 3
    dated = replace(graph, time_step=steps, simulated=0.5)
    text = render_report(detector, dated, suspects=1, baselines=False)
    assert "Simulated data." in text
    assert "By time step" in text
    rows = re.findall(r'<tr><th scope="row">([012])</th><td>(\d+)</td>', text)
    assert rows == [("0", "300"), ("1", "300"), ("2", "300")]


def test_nothing_that_is_no_report_is_written_over(detector, frames, tmp_path):
    path = tmp_path / "notes.html"
    path.write_text("<!DOCTYPE html>\n<p>mine")
    with pytest.raises(InputError, match="no report of ours"):
        write_report(detector, frames, path)
    assert path.read_text() == "<!DOCTYPE html>\n<p>mine"


def test_the_command_writes_a_page_and_another_over_it(tmp_path, capsys):
    nodes, edges = make_frames(400)
    (tmp_path / "data").mkdir()
    nodes.to_csv(tmp_path / "data" / "nodes.csv", index=False)
    edges.to_csv(tmp_path / "data" / "edges.csv", index=False)
    FraudDetector("xgb_graph").fit(tmp_path / "data").save(tmp_path / "model")
    arguments = ["report", tmp_path / "model", tmp_path / "data", "--out", tmp_path / "r.html"]
    arguments = [str(a) for a in [*arguments, "--suspects", 2, "--without-baselines"]]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert "r.html: written" in capsys.readouterr().out
    assert main([*arguments[:-3], "--suspects", "-1"]) == 2


def percent(text):
    return float(text.removesuffix(" %"))


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_in_a_browser(page, detector, graph, tmp_path, width, height):
    evaluated, score, _ = evaluated_of(detector, graph)
    cuts = make_cuts(score, detector.threshold_.flag(score), evaluated, None)
    with open_browser(tmp_path / "profile", width, height) as browser:
        browser.get(page.as_uri())

        def shown(name):
            return browser.find_element("id", name).text

        def move(name, value):
            browser.execute_script(
                "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
                "e.dispatchEvent(new Event('input', {bubbles: true}));",
                *(name, str(value)),
            )

        assert shown("alerts") == f"{cuts.alerts[cuts.start]:,}"
        move("alarm", 3)
        move("miss", 40)
        for i in (0, len(cuts.score) // 3, len(cuts.score) - 1):
            move("length", i)
            assert shown("alerts") == f"{cuts.alerts[i]:,}"
            precision = cuts.precision(i)
            if precision is None:
                assert shown("precision") == "none on the list"
            else:
                assert percent(shown("precision")) == pytest.approx(100 * precision, abs=0.0501)
            assert percent(shown("recall")) == pytest.approx(100 * cuts.recall(i), abs=0.0501)
            assert shown("cost") == f"{cuts.cost(i, 3, 40):,.0f}"
            assert shown("found") == f"{cuts.hits[i]} of {cuts.anomalous}"
            assert float(shown("rule")) == cuts.score[i]
        browser.find_element("id", "cheapest").click()
        costs = [cuts.cost(i, 3, 40) for i in range(len(cuts.score))]
        assert shown("cost") == f"{min(costs):,.0f}"
        browser.find_element("id", "own").click()
        assert shown("alerts") == f"{cuts.alerts[cuts.start]:,}"
        slider = browser.find_element("id", "length")
        slider.send_keys("\ue014")  # the right arrow key
        assert shown("alerts") == f"{cuts.alerts[cuts.start + 1]:,}"
        page_width = browser.execute_script("return document.documentElement.scrollWidth")
        assert browser.execute_script("return innerWidth") == width
        assert page_width <= width
        assert browser.get_log("browser") == []
        loaded = "return performance.getEntriesByType('resource').length"
        assert browser.execute_script(loaded) == 0
