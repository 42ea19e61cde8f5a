"""The engine: makes the runs of an experiment that are not finished, in processes or in this one.

Whatever a run does, it is loaded, refused, skipped, shared out and written here and nowhere else.
"""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import joblib
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from aiec_graph.bench.progress import Progress
from aiec_graph.bench.store import Key, Layout, Row, RunStore, environment
from aiec_graph.errors import InputError
from aiec_graph.plugins import load_plugins, loaded_plugins
from aiec_graph.train import DivergedError

LOOKS_S = 0.5
"""Seconds between two looks of a worker at whether its parent is there."""
T = TypeVar("T")
R = TypeVar("R")


class Spec(Protocol):
    """What a run depends on but its seed."""

    @property
    def dataset(self) -> str:
        """The data set's name or path."""
        ...

    @property
    def config_hash(self) -> str:
        """A stable hash of all that the result depends on."""
        ...


class Run(NamedTuple):
    """A run: its specification and its seed."""

    spec: Any
    seed: int

    @property
    def key(self) -> Key:
        """What tells it from all other runs."""
        return self.spec.config_hash, self.seed


class Kind(Layout, Protocol):
    """A kind of run; plain values only, for it travels to other processes."""

    threads: ClassVar[int | None]
    """Threads of a run; None: its process's share of the cores."""

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        ...

    def checksum(self, spec: Any) -> str:
        """The checksum of the present data of a specification.

        Raises:
            InputError: the data are not there.
        """
        ...

    def has_files(self, run: Run) -> bool:
        """Whether the files that a finished run needs are there."""
        ...

    def make(self, run: Run) -> Row:
        """Makes a run, and writes what it gives but for its row, which comes last.

        Returns:
            The values of the kind's own columns, and `data_checksum`.

        Raises:
            DivergedError: the training ended in no numbers.
            InputError: the data cannot be used.
        """
        ...


Executor = Callable[[Callable[[T], R], Sequence[T]], Iterator[R]]
"""Calls a function on each task somewhere, and yields what it returns as it ends."""


def in_this_process(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
    """The executor that makes one run after the other."""
    return map(function, tasks)


def on_cores(jobs: int) -> Executor[Any, Any]:
    """The executor that shares runs out to processes of this machine.

    joblib gives each process its share of the cores as threads. A process ends when its parent
    does, however that ends.

    Args:
        jobs: number of processes; 0: one for each core; 1: none but this one.
    """
    if jobs == 1:
        return in_this_process

    def execute(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        # loky replaces a process whose heap has grown, between two tasks: none is lost.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        options: dict[str, Any] = {"initializer": end_with, "initargs": (os.getpid(),)}
        options |= {"return_as": "generator_unordered", "batch_size": 1}
        pool = joblib.Parallel(jobs or -1, "loky", **options)
        one = partial(_in_worker, function, loaded_plugins())
        try:
            yield from pool(joblib.delayed(one)(task) for task in tasks)  # pyright: ignore
        except TerminatedWorkerError:
            raise InputError(
                "the system ended a process of this run, most likely for want of memory; take "
                "fewer --jobs, and the same command continues"
            ) from None
        except BaseException:  # an interrupt, SIGTERM, or a run that cannot be made
            workers = get_reusable_executor(reuse=True, kill_workers=True)  # pyright: ignore
            workers.shutdown(wait=True, kill_workers=True)
            raise

    return execute


def _in_worker(function: Callable[[T], R], plugins: tuple[str, ...], task: T) -> R:
    load_plugins(plugins)
    return function(task)


@cache
def end_with(parent: int) -> None:
    """Ends this process, a worker, as soon as its parent is gone, however that ended.

    An interrupt from the keyboard, which reaches every process of a terminal, is left to the
    parent, which ends its workers.

    Args:
        parent: the id of the process that started this one.
    """
    if parent == os.getpid():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        # By the parent of now: a killed process that nobody has waited for still has its id.
        while os.getppid() == parent:
            time.sleep(LOOKS_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def execute(
    kind: Kind,
    runs: Iterable[Run],
    store: RunStore,
    console: Console,
    executor: Executor[Any, Any],
    *,
    what: str = "",
    note: Callable[[Run, Progress], None] | None = None,
) -> dict[str, str]:
    """Makes those runs that have no row yet, and adds their rows.

    Args:
        kind: says what a run does.
        runs: in the order in which they are begun; of equal ones, one is made.
        store: of the finished runs.
        console: for progress.
        executor: where the runs are made.
        what: the part of the experiment, for the progress.
        note: is called after each row.

    Returns:
        Why specifications diverged, by their hash; their runs have no row.

    Raises:
        InputError: the data are others than those of finished runs, or were made by other
            arithmetic; or a data set or a file cannot be used.
    """
    unique = {run.key: run for run in runs}
    finished = store.finished(unique)
    done: set[Key] = set(zip(finished["config_hash"], finished["seed"], strict=True))
    made_from = dict(zip(finished.index, finished["data_checksum"], strict=True))
    done = {key for key in done if kind.has_files(unique[key])}
    todo = [run for key, run in unique.items() if key not in done]
    _refuse_other_data(kind, unique.values(), store, done, made_from)
    if todo:
        store.refuse_other_arithmetic(finished)
    count = len(unique)
    known = f", {len(done)} of them finished before" if done else ""
    line = f"{what}: " if what else ""
    line += f"{count} run{'' if count == 1 else 's'}{known}; results in {store.folder}/"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    diverged: dict[str, str] = {}
    with Progress(console, what, len(todo)) as progress:
        for key, row in executor(partial(_make, kind), todo):
            run = unique[key]
            if isinstance(row, str):
                diverged[run.spec.config_hash] = row
                progress.say(f"diverged: {row}")
            else:
                store.append(row)
            progress.advance()
            if note is not None:
                note(run, progress)
    return diverged


def _refuse_other_data(
    kind: Kind, runs: Iterable[Run], store: RunStore, done: set[Key], made_from: Mapping[Any, str]
) -> None:
    by_dataset: dict[str, list[Run]] = {}
    for run in runs:
        by_dataset.setdefault(run.spec.dataset, []).append(run)
    for dataset, own in by_dataset.items():
        try:
            checksum = kind.checksum(own[0].spec)
        except InputError:
            if all(run.key in done for run in own):
                continue  # tables of finished runs need no data
            raise
        if {made_from[run.key] for run in own if run.key in done} - {checksum}:
            raise InputError(
                f"{store.folder} has runs on {dataset} from other data files than the present "
                "ones; name another --out"
            )


def _make(kind: Kind, run: Run) -> tuple[Key, Row | str]:
    """Makes a run; returns its whole row, or why it diverged."""
    with limited_threads(kind.threads):
        try:
            own = kind.make(run)
        except DivergedError as error:
            return run.key, str(error)
        marks = {"kind": kind.name, "config_hash": run.spec.config_hash}
        return run.key, marks | environment(kind.libraries) | own


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Computes within the block on so many threads; the number of before is set again."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
