"""What runs on graphs do, and the rows that they give."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from xxhash import xxh3_64_hexdigest

from aiec_graph.artifacts.checkpoint import Origin, save_checkpoint
from aiec_graph.artifacts.scores import describe_ties, score_frame, write_notes
from aiec_graph.artifacts.specs import ClassifierSpec, RunSpec, split_of
from aiec_graph.artifacts.tensor_file import SUFFIX
from aiec_graph.artifacts.variants import slug_of
from aiec_graph.bench import memory
from aiec_graph.bench.engine import Run
from aiec_graph.bench.report.time_steps import by_time_step
from aiec_graph.bench.store import LIBRARIES, Row, write_settings
from aiec_graph.data import Split, TextGraph, find_source, is_own
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.tables import write_csv
from aiec_graph.train import (
    Prepared,
    RunContext,
    TrainResult,
    count_parameters,
    held_out_scores,
    make_classifier,
    prepare_graph,
    train,
)
from aiec_graph.train.memory import AUTO, FULL

LOG = logging.getLogger(__name__)

CHECKSUM_LENGTH = 12
KEPT = 2  # data sets that a process holds
METRICS = ("val_auc", "val_ap", "val_rec_at_k", "test_auc", "test_ap", "test_rec_at_k")
TIME_STEPS = "time_steps"
Arrays = dict[str, NDArray[Any]]
DataKey = tuple[str, Path | None, float | None, TextGraph | None]


class Loaded(NamedTuple):
    """A data set made ready, and what its loading warned of."""

    prepared: Prepared
    warnings: tuple[str, ...]


def look_first(specs: Iterable[Any], data_root: Path | None) -> None:
    """Loads the user's own graphs once, so that a slip in a table leaves no results folder behind.

    Raises:
        InputError: a data set cannot be used.
    """
    for spec in {spec.dataset: spec for spec in specs}.values():
        source = find_source(spec.dataset, data_root, spec.simulate, spec.text or TextGraph())
        if is_own(spec.dataset):  # kept in its cache
            source.load()


@lru_cache(maxsize=KEPT)
def load_prepared(
    dataset: str, data_root: Path | None, simulate: float | None, text: TextGraph | None
) -> Loaded:
    """A data set made ready; a process holds the last ones.

    Raises:
        InputError: it cannot be used.
    """
    loaded = find_source(dataset, data_root, simulate, text or TextGraph()).load()
    return Loaded(prepare_graph(loaded.graph), tuple(loaded.warnings))


def train_network(
    spec: RunSpec, seed: int, prepared: Prepared, state: Path | None = None
) -> tuple[Split, TrainResult]:
    """Trains a network once, on data perturbed as its specification says.

    Args:
        spec: its specification.
        seed: of the run.
        prepared: the data set.
        state: a file to continue an interrupted run from.

    Raises:
        InputError: the data set cannot be split, or the training diverged.
    """
    graph = prepared.graph
    noisy = prepared.with_graph(spec.perturbations.add_noise(graph, seed))
    split = split_of(spec, seed, graph)
    corrupt = partial(spec.perturbations.corrupt, seed=seed)
    context = RunContext(corrupt if spec.perturbations.corruption else None, state)
    return split, train(noisy, split, spec.model, spec.act, spec.settings, seed, context)


class Scored(NamedTuple):
    """What the run of a model that is no network came to."""

    score: NDArray[np.float64]
    """The probability of being anomalous [N], for people."""
    val: Metrics
    test: Metrics


def fit_classifier(spec: ClassifierSpec, seed: int, prepared: Prepared) -> tuple[Split, Scored]:
    """Fits a model that is no network once, on data perturbed as its specification says.

    Validation metrics are of a model that has not seen these nodes, test metrics of the last one.

    Raises:
        InputError: the data set cannot be split, or the model not be fitted.
    """
    graph = spec.perturbations.add_noise(prepared.graph, seed)
    split = split_of(spec, seed, prepared.graph)
    options = spec.settings.options(spec.model)
    threads = torch.get_num_threads()
    classifier = make_classifier(spec.model, seed=seed, n_jobs=threads, options=options)
    margin = classifier.fit(graph, split).decision_function(graph)
    held_out = held_out_scores(classifier, margin)
    val = evaluate(graph.y[split.val_mask], held_out[split.val_mask])
    if spec.settings.refit and "refit" not in options:
        both = replace(split, train_mask=split.train_mask | split.val_mask)
        margin = classifier.fit(graph, both).decision_function(graph)
    test = evaluate(graph.y[split.test_mask], margin[split.test_mask])
    return split, Scored(expit(margin), val, test)


@dataclass(frozen=True)
class GraphRuns:
    """What all kinds of runs on graphs share."""

    folder: Path
    """Of the results."""
    data_root: Path | None

    metrics: ClassVar[tuple[str, ...]] = METRICS
    libraries: ClassVar[tuple[str, ...]] = LIBRARIES
    threads: ClassVar[int | None] = 1

    def checksum(self, spec: RunSpec | ClassifierSpec) -> str:
        """The checksum of the present data of a specification.

        Raises:
            InputError: the data are not there.
        """
        text = spec.text or TextGraph()
        source = find_source(spec.dataset, self.data_root, spec.simulate, text)
        return source.checksum[:CHECKSUM_LENGTH]

    def has_files(self, run: Run) -> bool:
        """Whether the files that a finished run needs are there."""
        return True

    def data_key(self, spec: RunSpec | ClassifierSpec) -> DataKey:
        """What tells the data set of a specification from others."""
        return spec.dataset, self.data_root, spec.simulate, spec.text

    def load(self, spec: RunSpec | ClassifierSpec) -> Loaded:
        """The data set of a specification, with its adjacency where the run is in full batch.

        Raises:
            InputError: it cannot be used.
        """
        loaded = load_prepared(*self.data_key(spec))
        if isinstance(spec, RunSpec) and spec.settings.batch_size in (AUTO, FULL):
            _ = loaded.prepared.adjacency  # made here, so that it is shared wherever runs are made
        return loaded


@dataclass(frozen=True)
class BenchmarkRuns(GraphRuns):
    """The runs of the benchmark."""

    save_scores: bool
    checkpoint: bool
    name: str = "benchmark-2"

    threads: ClassVar[int | None] = None
    columns: ClassVar[tuple[str, ...]] = (
        *("dataset", "simulated", "split", "model", "act", "seed"),
        *METRICS,
        *("best_epoch", "epochs", "seconds_per_epoch", "peak_memory_mb", "parameters"),
    )

    def state_of(self, run: Run) -> Path | None:
        """Where a run in mini-batches, which may take long, keeps its state after each epoch."""
        if run.spec.settings.batch_size in (AUTO, FULL):
            return None
        return self.folder / "state" / f"{run.spec.config_hash}_{run.seed}.pt"

    def make(self, run: Run, data: Loaded) -> Row:
        """Fits a model and writes its scores, metrics by time step and (a network's) checkpoint.

        Raises:
            InputError: the data cannot be used, the training diverged, or a file cannot be
                written.
        """
        spec, seed = run
        prepared = data.prepared
        graph = prepared.graph
        memory.reset_peak()
        started = time.perf_counter()
        is_network = isinstance(spec, RunSpec)
        if is_network:
            split, result = train_network(spec, seed, prepared, self.state_of(run))
        else:
            split, result = fit_classifier(spec, seed, prepared)
        peak, seconds = memory.peak_mb(), time.perf_counter() - started
        stem = f"{graph.slug}_{spec.model}_{slug_of(spec.act_label)}_{spec.config_hash}_{seed}"
        if self.save_scores:
            frame = score_frame(graph, split, result.score)
            out = self.folder / "scores" / f"{stem}.csv"
            write_csv(frame, out)
            if line := describe_ties(result.score):
                write_notes(self.folder / "notes" / out.name, [line])
                LOG.warning("warning: %s: %s", stem, line)
        if self.checkpoint and isinstance(result, TrainResult):
            path = self.folder / "checkpoints" / f"{stem}{SUFFIX}"
            origin = Origin.of(graph, split)
            save_checkpoint(path, result.model, result.preprocessor, spec, seed, origin)
        if graph.time_step is not None:
            steps = by_time_step(graph, split, result.score)
            write_csv(steps, self.folder / TIME_STEPS / f"{spec.config_hash}_{seed}.csv")
        write_settings(self.folder, spec)
        without_epochs = {**NO_EPOCHS, "seconds_per_epoch": seconds}
        return {
            **key_columns(spec, seed),
            **metric_columns(result.val, result.test),
            **(_of_epochs(result) if isinstance(result, TrainResult) else without_epochs),
            "peak_memory_mb": peak,
            "data_checksum": graph.checksum[:CHECKSUM_LENGTH],
        }


@dataclass(frozen=True)
class StudyRuns(GraphRuns):
    """The runs of a study, networks and forests, each on one thread."""

    name: str = "study-2"

    columns: ClassVar[tuple[str, ...]] = (
        *("dataset", "simulated", "split", "features", "model", "act", "seed"),
        *METRICS,
        *("best_epoch", "epochs", "seconds", "train_nodes", "val_nodes", "test_nodes"),
        "split_checksum",
    )

    def make(self, run: Run, data: Loaded) -> Row:
        """Trains a network or a forest.

        Raises:
            InputError: the data cannot be used, or the training diverged.
        """
        spec, seed = run
        prepared = data.prepared
        started = time.perf_counter()
        row = _fit(spec, seed, prepared)
        split = split_of(spec, seed, prepared.graph)
        masks = split.masks()
        packed = np.packbits(np.stack(list(masks.values())))
        return {
            **key_columns(spec, seed),
            "features": spec.features,
            **row,
            "seconds": time.perf_counter() - started,
            **{f"{part}_nodes": int(mask.sum()) for part, mask in masks.items()},
            "split_checksum": xxh3_64_hexdigest(packed.tobytes()),
            "data_checksum": prepared.graph.checksum[:CHECKSUM_LENGTH],
        }


def _fit(spec: RunSpec | ClassifierSpec, seed: int, prepared: Prepared) -> Row:
    if isinstance(spec, RunSpec):
        _, result = train_network(spec, seed, prepared)
        epochs = {"best_epoch": result.best_epoch, "epochs": result.epochs, "device": result.device}
        return metric_columns(result.val, result.test) | epochs
    _, result = fit_classifier(spec, seed, prepared)
    return metric_columns(result.val, result.test) | {"best_epoch": 0, "epochs": 0}


@dataclass(frozen=True)
class ArrayRuns(GraphRuns):
    """Runs that each give arrays, kept in a file of their own below `runs/`."""

    name: str
    """The kind's name and the version of its arrays."""
    work: Callable[[RunSpec, int, Prepared], Arrays]
    """What a run gives: of a specification, a seed and its data set; must be picklable."""

    metrics: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = (
        *("dataset", "simulated", "split", "features", "model", "act", "seed", "seconds"),
    )

    def path(self, run: Run) -> Path:
        """The file of a run's arrays."""
        return self.folder / "runs" / f"{run.spec.config_hash}_{run.seed}.npz"

    def has_files(self, run: Run) -> bool:
        """Whether the files that a finished run needs are there."""
        return self.path(run).is_file()

    def make(self, run: Run, data: Loaded) -> Row:
        """Makes the arrays and writes them.

        Raises:
            InputError: the data cannot be used, the training diverged, or the file cannot be
                written.
        """
        spec, seed = run
        prepared = data.prepared
        started = time.perf_counter()
        arrays = self.work(spec, seed, prepared)
        write_whole(self.path(run), lambda draft: np.savez_compressed(draft, **arrays))  # pyright: ignore
        write_settings(self.folder, spec)
        return {
            **key_columns(spec, seed),
            "features": spec.features,
            "seconds": time.perf_counter() - started,
            "data_checksum": prepared.graph.checksum[:CHECKSUM_LENGTH],
        }

    def read(self, run: Run) -> Arrays:
        """The arrays that a finished run gave.

        Raises:
            InputError: their file is missing or damaged.
        """
        try:
            with np.load(self.path(run), allow_pickle=False) as content:
                return dict(content)
        except Exception as error:  # noqa: BLE001 (a damaged archive can raise anything)
            reason = str(error) or type(error).__name__
            raise InputError(f"{self.path(run)}: {reason}; remove {self.folder}") from None


NO_EPOCHS: Row = {"best_epoch": 0, "epochs": 0, "parameters": 0}
"""Of a model that is no network; in the place of the seconds per epoch stand those of its fit."""


def _of_epochs(result: TrainResult) -> Row:
    return {
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds_per_epoch": result.seconds_per_epoch,
        "parameters": count_parameters(result.model),
        "device": result.device,
    }


def key_columns(spec: RunSpec | ClassifierSpec, seed: int) -> Row:
    """What tells a run from others, for people."""
    return {
        "dataset": spec.name,
        "simulated": spec.simulate is not None,
        "split": spec.split,
        "model": spec.model,
        "act": spec.act_label,
        "seed": seed,
    }


def metric_columns(val: Metrics, test: Metrics) -> dict[str, float]:
    """The metrics of a run under their columns' names."""
    parts = {"val": val, "test": test}
    return {f"{part}_{k}": v for part, m in parts.items() for k, v in m._asdict().items()}
