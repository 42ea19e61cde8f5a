"""Work shared out to processes."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import joblib

from aiec_graph.plugins import load_plugins, loaded_plugins

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(function: Callable[[T], R], tasks: Iterable[T], jobs: int) -> Iterator[R]:
    """Calls a function on each task in some process, and yields what it returns as it ends.

    joblib gives each process its share of the cores as threads.

    Args:
        function: is pickled, and so is what it takes and gives.
        tasks: in the order in which they are begun.
        jobs: number of processes; 0: one for each core.

    Raises:
        whatever `function` raised first.
    """
    # loky replaces a process whose heap has grown, between two tasks: none is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    pool = joblib.Parallel(n_jobs=jobs or -1, return_as="generator_unordered", batch_size=1)  # pyright: ignore
    plugins = loaded_plugins()
    return pool(joblib.delayed(_call)(function, task, plugins) for task in tasks)  # pyright: ignore


def _call(function: Callable[[T], R], task: T, plugins: tuple[str, ...]) -> R:
    load_plugins(plugins)
    return function(task)
