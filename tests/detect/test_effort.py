import logging
from dataclasses import replace

import pytest

from aiec_graph.data import Preprocessor
from aiec_graph.detect import FraudDetector, effort
from aiec_graph.detect.effort import Effort, effort_of_fit, effort_of_scoring
from aiec_graph.train.baselines import COLUMNS, ESTIMATORS, Columns
from aiec_graph.train.network_classifier import STANDARD
from aiec_graph.train.registry import make_classifier
from aiec_graph.train.trainer import LOG

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")


def test_every_model_has_its_rate():
    assert {*effort.FIT_S, "rf"} == set(effort.PREDICT_S) == set(ESTIMATORS)


@pytest.mark.parametrize("columns", sorted(COLUMNS))
def test_the_columns_of_a_table_are_those_that_are_made(graph, columns):
    graph = replace(graph, x=graph.x[:, :2], columns=None)
    model = make_classifier({"own": "hgb", "means": "hgb_graph", "rich": "hgb_rich"}[columns])
    preprocessor = Preprocessor.fit(graph, graph.y >= 0, "raw", fill=False)
    made = Columns(graph, preprocessor).table(columns)
    assert effort._table(graph, COLUMNS[columns]).columns == pytest.approx(len(made.names), rel=0.1)
    found = effort_of_fit(model, graph, 500)
    assert found.seconds > effort_of_scoring(model, graph).seconds > 0


def test_what_is_long_is_said_and_what_does_not_fit_is_warned_of(caplog):
    with caplog.at_level(logging.INFO, "aiec_graph.detect"):
        Effort(0.5, 0.01).say("the training")
        assert not caplog.records
        Effort(125.0, 0.01).say("the training")
        assert "the training: roughly 0:02:05 of one core, 0.0 GB of" in caplog.text
        assert caplog.records[0].seconds == 125.0
        Effort(1.0, 1e6).say("scoring")
        assert "may not fit into memory" in caplog.text


def test_epochs_are_counted(frames, caplog):
    with caplog.at_level(logging.DEBUG, "aiec_graph"):
        FraudDetector("gcn", epochs=4, hidden=4).fit(frames)
    steps = [(r.done, r.total) for r in caplog.records if r.name == LOG.name]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("batch_size", ["full", "64"])
def test_networks_have_the_forecast_of_their_training(graph, batch_size):
    settings = replace(STANDARD, batch_size=batch_size)
    model = make_classifier("gcn", settings=settings)
    found, few = effort_of_fit(model, graph, 500), replace(settings, epochs=settings.epochs // 10)
    less = effort_of_fit(make_classifier("gcn", settings=few), graph, 500)
    assert less.seconds < found.seconds / 5 and 0 < less.gigabytes == found.gigabytes < 0.01


def test_parameters_that_a_model_has_no_use_for_are_told(frames, caplog):
    caplog.set_level("INFO", "aiec_graph.detect")
    FraudDetector("logistic", epochs=5, hidden=8, calibrate=False).fit(frames)
    assert "logistic is no network and has no use for hidden, epochs" in caplog.text
    caplog.clear()
    FraudDetector("logistic", calibrate=False).fit(frames)
    assert "no use" not in caplog.text
