"""What a run of a backtest does: train at a cut on what was known, score what came after."""

import time
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.bench.backtest.control import shuffle
from aiec_graph.bench.backtest.cuts import MOST_BATCHES, Cut
from aiec_graph.bench.backtest.dated import own_timeline
from aiec_graph.bench.backtest.spec import BacktestSpec
from aiec_graph.bench.backtest.timeline import StepTimeline, Timeline
from aiec_graph.bench.engine import Run
from aiec_graph.bench.runs import CHECKSUM_LENGTH
from aiec_graph.bench.store import LIBRARIES, Row
from aiec_graph.data import Preprocessor, Split, find_source, is_own
from aiec_graph.detect.rules import Curve, Rule, choose_cut
from aiec_graph.graph.graph import UNKNOWN, Graph
from aiec_graph.metrics import evaluate
from aiec_graph.tables import write_csv
from aiec_graph.train import NodeClassifier, Prepared, held_out_scores, make_classifier
from aiec_graph.train import prepare_graph as prepare_network
from aiec_graph.train.baselines import Columns, TableClassifier
from aiec_graph.train.network_classifier import NetworkClassifier

KEPT = 2 + 2 * MOST_BATCHES  # views that a process holds: those of one cut
AGES = "ages"
"""The folder of a file for each run: its metrics by the age of the model."""
METRICS = ("auc", "ap", "rec_at_k")
DataKey = tuple[str, Path | None, float | None, str]


@lru_cache(maxsize=2)
def load_timeline(
    dataset: str, data_root: Path | None, simulate: float | None, features: str
) -> Timeline:
    """The timeline of a data set; a process holds the last ones.

    Raises:
        InputError: it cannot be used, or it has no times.
    """

    def load() -> Graph:
        return find_source(dataset, data_root, simulate).load().graph

    if is_own(dataset):
        return own_timeline(Path(dataset), load, features)
    return StepTimeline(load(), features)


@dataclass(frozen=True)
class View:
    """A graph as one run sees it, with what runs at the same cut share, each part made once."""

    cut: Cut
    graph: Graph
    """With the labels that are known at the cut."""
    moment: NDArray[np.int64]
    """When each node appeared [N]."""
    y: NDArray[np.int64]
    """Their labels once all is known [N], by which scores are measured."""
    fitted: "View | None" = None
    """The view that models are trained on, where this is another one."""
    dealt: Split | None = None
    """The split, where it is not that of the cut."""

    @property
    def split(self) -> Split:
        """The training and validation nodes; no test node has a label here."""
        return self.dealt or self.cut.split(self.graph.y, self.moment)

    @cached_property
    def prepared(self) -> Prepared:
        """For networks: with its adjacency."""
        return prepare_network(self.graph)

    @cached_property
    def columns(self) -> Columns:
        """For models on tables: encoded as at the cut, with its neighbours' columns."""
        return Columns(self.graph, (self.fitted or self)._preprocessor)

    @cached_property
    def _preprocessor(self) -> Preprocessor:
        return Preprocessor.fit(self.graph, self.split.train_mask, "raw", fill=False)


class Views:
    """The views of a timeline at its cuts, of which the last ones are held.

    Args:
        timeline: the graph over time.
        checksum: of the files that it was made from.
    """

    def __init__(self, timeline: Timeline, checksum: str = "") -> None:
        self.timeline, self.checksum = timeline, checksum
        self._held: dict[tuple[Cut, int, bool], View] = {}

    def at(self, cut: Cut, moment: int, is_leaking: bool = False) -> View:
        """The graph of a moment with the labels that are known at a cut.

        Args:
            cut: says which labels are known.
            moment: of the nodes, edges and features.
            is_leaking: take those of the whole time instead.
        """
        key = (cut, moment, is_leaking)
        if key not in self._held:
            own = None if moment == cut.moment else self.at(cut, cut.moment, is_leaking)
            while len(self._held) >= KEPT:
                del self._held[next(iter(self._held))]
            self._held[key] = self._make(key, own)
        return self._held[key]

    def __reduce__(self) -> tuple[type["Views"], tuple[Timeline, str]]:
        # A pickle is the timeline; its views are made again.
        return Views, (self.timeline, self.checksum)

    def _make(self, key: tuple[Cut, int, bool], own: View | None) -> View:
        cut, moment, is_leaking = key
        timeline = self.timeline
        graph, moments = (
            timeline.at(timeline.last)
            if is_leaking
            else timeline.at(moment, None if own is None else cut.moment)
        )
        count = len(moments)
        known = replace(graph, y=timeline.labels(cut.known)[:count], trusted=True)
        return View(cut, known, moments, timeline.y[:count], own)

    def shuffled(self, cut: Cut, seed: int) -> View:
        """The graph of the last batch of a cut's horizon, whose nodes are split at random.

        Args:
            cut: whose nodes and numbers of labels are taken.
            seed: of the split.
        """
        base = self.at(cut, cut.batches[-1])
        timeline, count = self.timeline, len(base.y)
        masks = (mask[:count] for mask in cut.split_of(timeline).masks().values())
        split = shuffle(Split(*masks), base.y, (seed, cut.moment))
        known = np.where(split.train_mask | split.val_mask, base.y, UNKNOWN)
        graph = replace(base.graph, y=known, trusted=True)
        return View(cut, graph, base.moment, base.y, dealt=split)


@lru_cache(maxsize=2)
def load_views(
    dataset: str, data_root: Path | None, simulate: float | None, features: str
) -> Views:
    """The views of a data set; arguments and errors are those of `load_timeline`."""
    checksum = find_source(dataset, data_root, simulate).checksum
    return Views(load_timeline(dataset, data_root, simulate, features), checksum)


class Scored(NamedTuple):
    """What a run found, and how long its stages took."""

    val_y: NDArray[np.int64]
    val_score: NDArray[np.float64]
    frame: pd.DataFrame
    """A row for each node of the horizon: node, age (moments since the cut), y (-1 unknown) and
    score, a margin."""
    counts: dict[str, int]
    """Training and validation nodes, and anomalies among them."""
    seconds: dict[str, float]


def fit_and_score(views: Views, spec: BacktestSpec, seed: int) -> Scored:
    """Trains a model at a cut and scores the nodes of its horizon, each as of its own batch.

    Raises:
        InputError: a setting cannot be used, or the training diverged.
    """
    cut = spec.cut
    started = time.perf_counter()
    if spec.is_random:
        view = views.shuffled(cut, seed)
    else:
        view = views.at(cut, cut.moment, spec.is_leaking)
    split = view.split
    classifier = make_classifier(
        spec.model, spec.act, spec.settings, seed=seed, n_jobs=1, options=spec.options or None
    )
    _prepare(classifier, view)
    prepared = time.perf_counter()
    _fit(classifier, view, split)
    fitted = time.perf_counter()
    everywhere = np.zeros(len(view.graph.y))
    everywhere[split.val_mask] = _score(classifier, view, split.val_mask)
    score = held_out_scores(classifier, everywhere)
    if spec.is_random:
        frame = _score_nodes(classifier, view, split.test_mask, 0)
    else:
        frame = _score_horizon(views, spec, classifier)
    ended = time.perf_counter()
    y = view.graph.y
    parts = {"train": split.train_mask, "val": split.val_mask}
    return Scored(
        y[split.val_mask],
        score[split.val_mask],
        frame,
        {f"{part}_nodes": int(mask.sum()) for part, mask in parts.items()}
        | {f"{part}_anomalies": int(y[mask].sum()) for part, mask in parts.items()},
        {
            "seconds_prepare": prepared - started,
            "seconds_fit": fitted - prepared,
            "seconds_score": ended - fitted,
        },
    )


def _score_horizon(views: Views, spec: BacktestSpec, classifier: NodeClassifier) -> pd.DataFrame:
    cut, frames, before = spec.cut, [], spec.cut.moment
    last = cut.batches[-1]
    for end in cut.batches:
        # Where nothing changes later, the last batch's graph shows each node as it was.
        moment = last if views.timeline.is_frozen else end
        view = views.at(cut, moment, spec.is_leaking)
        mine = (view.moment > before) & (view.moment <= end)
        before = end
        if mine.any():
            frames.append(_score_nodes(classifier, view, mine, end - cut.moment))
    return pd.concat(frames, ignore_index=True)


def _score_nodes(
    classifier: NodeClassifier, view: View, nodes: NDArray[np.bool_], age: int
) -> pd.DataFrame:
    """A row for each of some nodes; their labels were hidden from the model, and are read here."""
    score = _score(classifier, view, nodes)
    parts = {"node": np.asarray(view.graph.node_ids)[nodes], "age": age}
    return pd.DataFrame(parts | {"y": view.y[nodes], "score": score})


def _prepare(classifier: NodeClassifier, view: View) -> None:
    if isinstance(classifier, NetworkClassifier):
        _ = view.prepared
    elif isinstance(classifier, TableClassifier):
        view.columns.table(classifier.recipe.columns)


def _fit(classifier: NodeClassifier, view: View, split: Split) -> None:
    if isinstance(classifier, NetworkClassifier):
        classifier.fit_prepared(view.prepared, split)
    elif isinstance(classifier, TableClassifier):
        classifier.fit_columns(view.columns, split.train_mask)
    else:
        classifier.fit(view.graph, split)


def _score(classifier: NodeClassifier, view: View, nodes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The scores of some nodes, in their order; `nodes` is a mask [N]."""
    if isinstance(classifier, NetworkClassifier):
        return classifier.score_prepared(view.prepared)[nodes]
    if isinstance(classifier, TableClassifier):
        table = view.columns.table(classifier.recipe.columns)
        if table.names != classifier.names_:
            return classifier.score_columns(view.columns)[nodes]  # says what differs
        return classifier.score_table(table.values[nodes])
    return classifier.decision_function(view.graph)[nodes]


def measure(scored: Scored, threshold: str) -> Row:
    """The metrics of a run over its horizon, in percent, and counts at the chosen cut-off.

    Args:
        scored: with both classes among the labelled nodes of the horizon.
        threshold: the rule that chooses the cut-off on the validation nodes.
    """
    frame = scored.frame
    labelled = frame[frame["y"] != UNKNOWN]
    rule = Rule.parse(threshold)
    if rule.kind == "top":
        listed = frame["score"].rank(ascending=False, method="first") <= rule.value
    else:
        cut = choose_cut(Curve.of(scored.val_y, scored.val_score), rule)
        listed = frame["score"] >= cut.value
    alerts = listed.to_numpy()
    known = (frame["y"] != UNKNOWN).to_numpy()
    return {
        **evaluate(labelled["y"].to_numpy(), labelled["score"].to_numpy())._asdict(),
        "val_ap": evaluate(scored.val_y, scored.val_score).ap,
        "nodes": len(frame),
        "labelled": len(labelled),
        "anomalies": int(labelled["y"].sum()),
        "alerts": int(alerts.sum()),
        "labelled_alerts": int((alerts & known).sum()),
        "hits": int(frame["y"].to_numpy()[alerts & known].sum()),
    }


def by_age(frame: pd.DataFrame) -> pd.DataFrame:
    """The metrics of each batch of the horizon.

    Columns: age, labelled, anomalies and, in percent, auc, ap and rec_at_k, empty where a batch
    lacks a class.
    """
    rows = []
    for age, batch in frame[frame["y"] != UNKNOWN].groupby("age"):
        y = batch["y"].to_numpy()
        row = {"age": age, "labelled": len(y), "anomalies": int(y.sum())}
        if 0 < y.sum() < len(y):
            row |= evaluate(y, batch["score"].to_numpy())._asdict()
        rows.append(row)
    return pd.DataFrame(rows, columns=["age", "labelled", "anomalies", *METRICS])


@dataclass(frozen=True)
class BacktestRuns:
    """The runs of a backtest, each on one thread."""

    folder: Path
    """Of the results."""
    data_root: Path | None
    name: str = "backtest-2"

    threads: ClassVar[int | None] = 1
    libraries: ClassVar[tuple[str, ...]] = LIBRARIES
    metrics: ClassVar[tuple[str, ...]] = METRICS
    columns: ClassVar[tuple[str, ...]] = (
        *("dataset", "simulated", "features", "model", "act", "cut", "horizon", "leaking"),
        *("random", "seed"),
        *(*METRICS, "val_ap"),
        *("nodes", "labelled", "anomalies", "alerts", "labelled_alerts", "hits"),
        *("train_nodes", "train_anomalies", "val_nodes", "val_anomalies"),
        *("seconds_prepare", "seconds_fit", "seconds_score"),
    )

    def checksum(self, spec: BacktestSpec) -> str:
        """The checksum of the present data of a specification.

        Raises:
            InputError: the data are not there.
        """
        return find_source(spec.dataset, self.data_root, spec.simulate).checksum[:CHECKSUM_LENGTH]

    def ages(self, run: Run) -> Path:
        """The file of a run's metrics by age."""
        return self.folder / AGES / f"{run.spec.config_hash}_{run.seed}.csv"

    def has_files(self, run: Run) -> bool:
        """Whether the files that a finished run needs are there."""
        return self.ages(run).is_file()

    def data_key(self, spec: BacktestSpec) -> DataKey:
        """What tells the timeline of a specification from others."""
        return spec.dataset, self.data_root, spec.simulate, spec.features

    def load(self, spec: BacktestSpec) -> Views:
        """The timeline of a specification.

        Raises:
            InputError: it cannot be used, or it has no times.
        """
        return load_views(*self.data_key(spec))

    def make(self, run: Run, data: Views) -> Row:
        """Trains a model at a cut, scores the horizon and writes the metrics by age.

        Raises:
            InputError: the data cannot be used, the training diverged, or a file cannot be
                written.
        """
        spec, seed = run
        scored = fit_and_score(data, spec, seed)
        write_csv(by_age(scored.frame), self.ages(run))
        return {
            "dataset": spec.name,
            "simulated": spec.simulate is not None,
            "features": spec.features,
            "model": spec.model,
            "act": spec.act_label,
            "cut": spec.cut.moment,
            "horizon": spec.cut.horizon,
            "leaking": spec.is_leaking,
            "random": spec.is_random,
            "seed": seed,
            **measure(scored, spec.threshold),
            **scored.counts,
            **scored.seconds,
            "data_checksum": data.checksum[:CHECKSUM_LENGTH],
        }
