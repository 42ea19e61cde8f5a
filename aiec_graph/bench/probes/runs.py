"""The runs of the probes, and the arrays that they gave."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec, trial_seeds
from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import choose_executor
from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.bench.runs import ArrayRuns, Arrays, key_columns, look_first
from aiec_graph.bench.store import RunStore
from aiec_graph.errors import InputError
from aiec_graph.train import Prepared


@dataclass(frozen=True)
class Probed:
    """A finished run and the arrays that it gave."""

    run: Run
    arrays: Arrays

    @property
    def key(self) -> dict[str, Any]:
        """What tables call it."""
        names = key_columns(*self.run) | {"features": self.run.spec.features}
        order = ("dataset", "simulated", "features", "model", "act", "seed")
        return {name: names[name] for name in order}

    @property
    def setting(self) -> tuple[Any, ...]:
        """What it shares with the runs that it is compared with."""
        return tuple(value for name, value in self.key.items() if name != "act")


def probe(
    config: ProbeConfig,
    name: str,
    work: Callable[[RunSpec, int, Prepared], Arrays],
    console: Console,
) -> list[Probed]:
    """Makes the runs that are not finished, each on one thread, and returns all.

    Args:
        config: which runs, and where their results go.
        name: of the kind of run, with the version of its arrays.
        work: makes a run.
        console: for progress.

    Raises:
        InputError: a data set or the folder cannot be used, another process writes there, or a run
            diverged.
    """
    executors = choose_executor(config.jobs_at_a_time, config.ray_address, console)
    kind = ArrayRuns(config.folder, config.data_root, name, work)
    runs = [Run(spec, seed) for spec in config.specs() for seed in trial_seeds(config.seeds)]
    if not config.folder.exists():
        look_first(config.specs(), config.data_root)
    with executors as executor, RunStore(config.folder, kind) as store:
        failed = execute(kind, runs, store, console, executor, what="watching")
    if failed:
        raise InputError("; ".join(sorted(set(failed.values()))[:3]))
    return [Probed(run, kind.read(run)) for run in runs]
