"""Runs of a study in parallel, each on one thread: figures do not depend on the number of cores."""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from xxhash import xxh3_64_hexdigest

from aiec_graph.artifacts.specs import RunSpec, TreeSpec, split_of
from aiec_graph.bench.parallel import in_parallel
from aiec_graph.bench.report.results import METRIC_COLUMNS, versions
from aiec_graph.bench.runner import (
    CHECKSUM_LENGTH,
    key_columns,
    metric_columns,
    prepared_data,
    train_cell,
)
from aiec_graph.data import Split
from aiec_graph.train import DivergedError, Prepared, train_trees

COLUMNS = [
    *("dataset", "simulated", "split", "features", "model", "act", "seed"),
    *METRIC_COLUMNS,
    *("best_epoch", "epochs", "seconds", "train_nodes", "val_nodes", "test_nodes"),
    *("split_checksum", "config_hash", "data_checksum"),
    *versions(),
]
Task = tuple[RunSpec | TreeSpec, int]
"""A cell and a seed."""


def run_tasks(
    tasks: Iterable[Task], data_root: Path | None, jobs: int
) -> Iterator[tuple[Task, dict[str, Any] | str]]:
    """Runs tasks and yields each as it ends: with its row, or with why it diverged.

    Raises:
        InputError: a data set cannot be used.
    """
    return in_parallel(partial(_run, data_root), tasks, jobs)


def _run(data_root: Path | None, task: Task) -> tuple[Task, dict[str, Any] | str]:
    torch.set_num_threads(1)
    cell, seed = task
    prepared = prepared_data(cell.dataset, data_root, cell.simulate, cell.text)
    started = time.perf_counter()
    try:
        row = _fit(cell, seed, prepared)
    except DivergedError as error:
        return task, str(error)
    split = split_of(cell, seed, prepared.graph)
    return task, {
        **key_columns(cell, seed),
        "features": cell.features,
        **row,
        "seconds": time.perf_counter() - started,
        **{f"{part}_nodes": int(mask.sum()) for part, mask in split.masks().items()},
        "split_checksum": _checksum(split),
        "config_hash": cell.config_hash,
        "data_checksum": prepared.graph.checksum[:CHECKSUM_LENGTH],
        **versions(),
    }


def _fit(cell: RunSpec | TreeSpec, seed: int, prepared: Prepared) -> dict[str, Any]:
    if isinstance(cell, RunSpec):
        _, result = train_cell(cell, seed, prepared)
        epochs = {"best_epoch": result.best_epoch, "epochs": result.epochs}
        return metric_columns(result.val, result.test) | epochs
    noisy = Prepared(cell.conditions.add_noise(prepared.graph, seed), prepared.adjacency)
    split = split_of(cell, seed, prepared.graph)
    forest = train_trees(noisy, split, cell.model, cell.settings, seed)
    return metric_columns(forest.val, forest.test) | {"best_epoch": 0, "epochs": 0}


def _checksum(split: Split) -> str:
    masks = np.packbits(np.stack(list(split.masks().values())))
    return xxh3_64_hexdigest(masks.tobytes())
