"""Runs in parallel, each kept as a file once it has ended, so that stopped work goes on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.bench.parallel import in_parallel
from aiec_graph.bench.probes.config import MechanismConfig
from aiec_graph.bench.report.results import lock_folder
from aiec_graph.bench.runner import CHECKSUM_LENGTH, prepared_data, progress_bar
from aiec_graph.data import TextGraph, find_source
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.train import Prepared

RUNS = "runs"
Arrays = dict[str, NDArray[Any]]
Work = Callable[[RunSpec, int, Prepared], Arrays]
"""What a run gives: of a cell, a seed and its data set."""


class Run(NamedTuple):
    """A run, and where its arrays are kept."""

    cell: RunSpec
    seed: int
    path: Path

    @property
    def key(self) -> dict[str, Any]:
        """What tables call it."""
        cell = self.cell
        place = {"dataset": cell.name, "simulated": cell.simulate is not None}
        names = {"features": cell.features, "model": cell.model, "act": cell.act_label}
        return place | names | {"seed": self.seed}

    @property
    def place(self) -> tuple[Any, ...]:
        """What it shares with the runs that it is compared with."""
        return tuple(value for name, value in self.key.items() if name != "act")

    def read(self) -> Arrays:
        """The arrays that it gave."""
        with np.load(self.path) as content:
            return dict(content)


def finish(
    config: MechanismConfig, folder: Path, work: Work, version: int, console: Console
) -> list[Run]:
    """Makes the runs that have no file yet, each on one thread, and returns all.

    A run's file is named by its settings, the data's checksum and the seed: runs on other data are
    other runs.

    Args:
        config: which cells and seeds, and how many runs at a time.
        folder: of the results; the files go to `runs/` below it.
        work: makes a run.
        version: raised when `work` gives other arrays.
        console: for progress.

    Raises:
        InputError: a data set or the folder cannot be used, another process writes there, or a run
            diverged.
    """
    runs: list[Run] = []
    checksums: dict[str, str] = {}
    for cell in config.cells():
        if cell.dataset not in checksums:
            text = cell.text or TextGraph()
            source = find_source(cell.dataset, config.data_root, cell.simulate, text)
            checksums[cell.dataset] = source.checksum[:CHECKSUM_LENGTH]
        for seed in config.trial_seeds():
            stem = f"v{version}_{cell.config_hash}_{checksums[cell.dataset]}_{seed}"
            runs.append(Run(cell, seed, folder / RUNS / f"{stem}.npz"))
    if (folder / "runs.csv").exists():
        raise InputError(f"{folder} holds results of another command; name another --out")
    lock = lock_folder(folder)
    try:
        _make(config, [run for run in runs if not run.path.exists()], len(runs), work, console)
    finally:
        lock.release()
    return runs


def _make(
    config: MechanismConfig, todo: list[Run], count: int, work: Work, console: Console
) -> None:
    known = f", {count - len(todo)} of them finished before" if len(todo) < count else ""
    console.print(f"{count} runs{known}", highlight=False)
    one = partial(_make_one, config.data_root, work)
    with progress_bar(console) as progress:
        bar = progress.add_task("watching", total=len(todo))
        for _ in in_parallel(one, todo, config.jobs):
            progress.advance(bar)


def _make_one(data_root: Path | None, work: Work, run: Run) -> None:
    torch.set_num_threads(1)
    cell = run.cell
    prepared = prepared_data(cell.dataset, data_root, cell.simulate, cell.text)
    arrays = work(cell, run.seed, prepared)
    write_whole(run.path, lambda draft: np.savez_compressed(draft, **arrays))  # pyright: ignore
