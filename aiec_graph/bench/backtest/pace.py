"""How long a backtest will take, before it starts."""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from aiec_graph.bench.backtest.runs import Views
from aiec_graph.bench.backtest.spec import BacktestSpec
from aiec_graph.bench.engine import limited_threads
from aiec_graph.train import make_classifier, train
from aiec_graph.train.baselines import TableClassifier

PROBED_EPOCHS = 3
SHARE = 10
"""A table model is tried on one in so many training nodes."""


class Pace(NamedTuple):
    """Seconds on one thread."""

    preparing: float
    """What is made once of a snapshot, and not for each of its runs."""
    training: float
    """One training, at most."""


def estimate(views: Views, spec: BacktestSpec) -> Pace:
    """How long a model takes at a cut.

    A network is trained for a few epochs, and taken to need all that its settings allow; a model
    on a table is fitted on a tenth of its nodes, and its time taken to grow with them; `auto` takes
    its budget.

    Args:
        views: of the data set.
        spec: the model and its cut.
    """
    started = time.perf_counter()
    view = views.at(spec.cut, spec.cut.moment)
    split = view.split
    classifier = make_classifier(
        spec.model, spec.act, spec.settings, n_jobs=1, options=spec.options or None
    )
    with limited_threads(1):
        if spec.is_network:
            _ = view.prepared
            prepared = time.perf_counter()
            brief = replace(spec.settings, epochs=PROBED_EPOCHS)
            split = replace(split, test_mask=split.val_mask)
            result = train(view.prepared, split, spec.model, spec.act, brief, 0)
            training = (spec.settings.epochs - PROBED_EPOCHS) * result.seconds_per_epoch
            training += time.perf_counter() - prepared
        elif isinstance(classifier, TableClassifier):
            view.columns.table(classifier.recipe.columns)
            prepared = time.perf_counter()
            classifier.fit_columns(view.columns, _some(split.train_mask, view.graph.y))
            training = SHARE * (time.perf_counter() - prepared)
        else:
            prepared, training = time.perf_counter(), spec.budget
    return Pace(prepared - started, training)


def _some(mask: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Every tenth node of each class, and the first of each."""
    chosen = np.zeros_like(mask)
    for value in (0, 1):
        chosen[np.flatnonzero(mask & (y == value))[::SHARE]] = True
    return chosen


def in_words(seconds: float) -> str:
    """A length of time, roughly."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
