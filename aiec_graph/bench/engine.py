"""The engine: makes the runs of an experiment that are not finished, wherever an executor does.

Whatever a run does, it is loaded, refused, skipped, shared out and written here and nowhere else.
"""

import platform
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from rich.console import Console

from aiec_graph.bench.progress import Progress
from aiec_graph.bench.store import Key, Layout, Row, RunStore, environment
from aiec_graph.errors import InputError
from aiec_graph.train import DivergedError
from aiec_graph.wording import counted


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

    def data_key(self, spec: Any) -> Hashable:
        """What `load` depends on: specifications with equal keys share their data."""
        ...

    def load(self, spec: Any) -> Any:
        """What a run needs of its data set, made ready; kept by the process.

        It must be picklable, and no run may change it.

        Raises:
            InputError: it cannot be used.
        """
        ...

    def make(self, run: Run, data: Any) -> Row:
        """Makes a run, and writes what it gives but for its row, which comes last.

        Args:
            run: what is made.
            data: as `load` gave it, in this process or another.

        Returns:
            The values of the kind's own columns, and `data_checksum`.

        Raises:
            DivergedError: the training ended in no numbers.
            InputError: the data cannot be used.
        """
        ...


class Outcome(NamedTuple):
    """What became of a run."""

    run: Run
    row: Row | None = None
    """The whole row; None where the run has none."""
    reason: str = ""
    """Why it has none."""
    is_diverged: bool = False
    """Whether the training ended in no numbers; else, without a row, what made it was lost."""
    node: str = platform.node()
    """The machine that made it."""
    attempt: int = 1
    """How often it was begun; more than once where what made it was lost."""

    @property
    def state(self) -> str:
        """The outcome in a word."""
        return "finished" if self.row else "diverged" if self.is_diverged else "failed"


Executor = Callable[[Kind, Sequence[Run]], Generator[Outcome]]
"""Makes runs somewhere, and yields what became of each as it ends."""


def execute(
    kind: Kind,
    runs: Iterable[Run],
    store: RunStore,
    console: Console,
    executor: Executor,
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
        executor: where the runs are made; `bench.executors` has them.
        what: the part of the experiment, for the progress.
        note: is called after each row.

    Returns:
        Why specifications diverged, by their hash; their runs have no row.

    Raises:
        InputError: the data are others than those of finished runs, or were made by other
            arithmetic; a data set or a file cannot be used; or runs failed for want of a machine,
            after all others were made.
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
    line += f"{counted(count, 'run')}{known}; results in {store.folder}/"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    with (
        Progress(console, what, len(todo)) as progress,
        # Closed at once where the loop is left, so that no worker outlives it.
        closing(executor(kind, todo)) as outcomes,
    ):
        diverged, failed = _write_down(outcomes, store, progress, note)
    if failed:
        raise InputError(
            f"{counted(len(failed), 'run')} failed ({failed[0]}); "
            f"{store.journal} has them all, and the same command tries them again"
        )
    return diverged


def _write_down(
    outcomes: Iterable[Outcome],
    store: RunStore,
    progress: Progress,
    note: Callable[[Run, Progress], None] | None,
) -> tuple[dict[str, str], list[str]]:
    """Adds rows as they come; returns why specifications diverged, by hash, and runs failed."""
    diverged: dict[str, str] = {}
    failed: list[str] = []
    for outcome in outcomes:
        run = outcome.run
        if outcome.row:
            store.append(outcome.row)
        else:
            progress.say(f"{outcome.state}: {outcome.reason}")
        if outcome.is_diverged:
            diverged[run.spec.config_hash] = outcome.reason
        elif not outcome.row:
            failed.append(outcome.reason)
        store.record(run.key, outcome.state, outcome.node, outcome.attempt, outcome.reason)
        progress.advance()
        if note is not None and outcome.row:
            note(run, progress)
    return diverged, failed


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


def make(kind: Kind, run: Run, data: Any) -> Outcome:
    """Makes a run in this process.

    Args:
        kind: says what it does.
        run: what is made.
        data: as `kind.load` gives it.

    Raises:
        InputError: the data or a file cannot be used.
    """
    with limited_threads(kind.threads):
        try:
            own = kind.make(run, data)
        except DivergedError as error:
            return Outcome(run, reason=str(error), is_diverged=True)
        marks = {"kind": kind.name, "config_hash": run.spec.config_hash}
        return Outcome(run, marks | environment(kind.libraries) | own)


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
