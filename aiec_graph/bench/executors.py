"""Where runs are made: in this process, on the cores of this machine, or on Ray."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from aiec_graph.bench.engine import Executor, Kind, Outcome, Run, make
from aiec_graph.errors import InputError
from aiec_graph.plugins import load_plugins, loaded_plugins

LOOKS_S = 0.5
"""Seconds between two looks of a worker at whether its parent is there."""


def choose_executor(
    jobs: int, ray_address: str | None, console: Console
) -> AbstractContextManager[Executor]:
    """Where the runs of a command are made: an executor for the length of a `with` block.

    Args:
        jobs: runs at a time on this machine; 0: one for each core.
        ray_address: None for the cores of this machine, else as `on_ray` takes it.
        console: is told where Ray was asked for and is not there.

    Raises:
        InputError: the address and the jobs exclude each other.
    """
    if ray_address is None:
        return nullcontext(on_cores(jobs))
    if find_spec("ray") is None:
        console.print(
            "ray is not installed (pip install 'aiec-graph[ray]'): the runs use the cores of this "
            "machine",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return nullcontext(on_cores(jobs))
    from aiec_graph.bench.ray_executor import on_ray

    return on_ray(ray_address, jobs, console)


def in_this_process(kind: Kind, runs: Sequence[Run]) -> Generator[Outcome]:
    """The executor that makes one run after the other."""
    for run in runs:
        yield make(kind, run, kind.load(run.spec))


def on_cores(jobs: int) -> Executor:
    """The executor that shares runs out to processes of this machine.

    joblib gives each process its share of the cores as threads. A process ends when its parent
    does, however that ends.

    Args:
        jobs: number of processes; 0: one for each core; 1: none but this one.
    """
    if jobs == 1:
        return in_this_process

    def execute(kind: Kind, runs: Sequence[Run]) -> Generator[Outcome]:
        # loky replaces a process whose heap has grown, between two tasks: none is lost.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        options: dict[str, Any] = {"initializer": end_with, "initargs": (os.getpid(),)}
        options |= {"return_as": "generator_unordered", "batch_size": 1}
        pool = joblib.Parallel(jobs or -1, "loky", **options)
        one, plugins = joblib.delayed(_in_worker), loaded_plugins()
        try:
            yield from pool(one(kind, run, plugins) for run in runs)  # pyright: ignore
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


def _in_worker(kind: Kind, run: Run, plugins: tuple[str, ...]) -> Outcome:
    load_plugins(plugins)
    return make(kind, run, kind.load(run.spec))


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
