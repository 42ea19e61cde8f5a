"""Progress of many runs: a bar on a terminal, lines in a log file."""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol, Self

import pandas as pd
import rich.progress
from rich.console import Console

QUIET_S = 10.0
"""Least seconds between two lines in a log file."""


class EpochLine(Protocol):
    """How a run stands after an epoch."""

    @property
    def number(self) -> int: ...
    @property
    def of(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def val_top1(self) -> float: ...
    @property
    def seconds(self) -> float: ...


class Progress:
    """Shows how many of some runs are done, and the time that is left.

    Args:
        console: on a terminal gets a bar that goes when it is done; else a line now and then.
        what: the description.
        total: number of runs.
    """

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console, self._what, self._total, self._done = console, what, total, 0
        self._started = self._said = time.monotonic()
        columns = (
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
        )
        self._bar = rich.progress.Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Self:
        """Begins to show."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the bar."""
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def describe(self, what: str) -> None:
        """Says what is being done."""
        self._bar.update(self._task, description=what)

    def advance(self) -> None:
        """Counts one more run as done."""
        self._done += 1
        self._bar.advance(self._task)
        now = time.monotonic()
        if self._console.is_terminal or self._done == self._total or now < self._said + QUIET_S:
            return
        self._said = now
        left = (now - self._started) / self._done * (self._total - self._done)
        what = f"{self._what}: " if self._what else ""
        self.say(f"{what}{self._done} of {self._total} runs, about {_time(left)} left")


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


class ReadingLog:
    """Says every ten seconds how many pictures are checked; of a few it says nothing."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Takes the number of pictures that were read, and of all."""
        now = time.monotonic()
        if now >= self._said + QUIET_S:
            self._said = now
            line = f"checking pictures: {done:,} of {total:,}"
            print(line, file=sys.stderr, flush=True)  # noqa: T201


class EpochLog:
    """The learning curve of a run in a file, and a line of it now and then in a log.

    Args:
        path: of the CSV; it goes on where an earlier process left it.
        what: the run.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path, self._what, self._said = path, what, 0.0

    def read(self) -> pd.DataFrame:
        """A row an epoch: epoch, loss, val_top1, seconds; empty where there is none."""
        names = ["epoch", "loss", "val_top1", "seconds"]
        if not self.path.is_file():
            return pd.DataFrame(columns=names)
        rows = pd.read_csv(self.path, header=None, names=names)
        return rows.drop_duplicates("epoch", keep="last").sort_values("epoch")

    def add(self, epoch: EpochLine) -> None:
        """Writes an epoch down; where nobody looks at a bar, also says it every ten seconds."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{epoch.number},{epoch.loss},{epoch.val_top1},{epoch.seconds}\n")
        now = time.monotonic()
        if sys.stderr.isatty() or (now < self._said + QUIET_S and epoch.number < epoch.of):
            return
        self._said = now
        left = _time(epoch.seconds * (epoch.of - epoch.number))
        print(  # noqa: T201
            f"{self._what}: epoch {epoch.number} of {epoch.of}, loss {epoch.loss:.3g}, validation "
            f"{epoch.val_top1:.1f} %, about {left} left for this run",
            file=sys.stderr,
            flush=True,
        )
