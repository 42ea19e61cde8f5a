"""The benchmark: every combination of data set, network and activation for every seed."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import ClassifierSpec, RunSpec
from aiec_graph.bench.config import BenchConfig
from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import choose_executor
from aiec_graph.bench.processes import help_out, settle_batches, with_others
from aiec_graph.bench.progress import Progress
from aiec_graph.bench.report.tables import (
    ResultTable,
    make_table,
    row_title,
    summarise,
    write_tables,
)
from aiec_graph.bench.report.time_steps import collect, plot
from aiec_graph.bench.runs import TIME_STEPS, BenchmarkRuns, look_first
from aiec_graph.bench.store import RunStore
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.core.processes import num_processes, process_rank
from aiec_graph.data import Graph
from aiec_graph.errors import InputError
from aiec_graph.tables import write_csv
from aiec_graph.wording import counted

LARGE = 1000  # numbers of a feature that is not on the others' scale


def run(config: BenchConfig, console: Console) -> ResultTable | None:
    """Runs what is not finished yet and writes the summary and the tables.

    Writes `runs.csv`, `summary.csv`, `table.md`, `table.tex`, `settings/<config_hash>.yaml`, where
    asked for `scores/` and `checkpoints/`, and for a data set with time steps `time_steps.csv` and
    `time_steps.png` into the results folder.

    Args:
        config: the command.
        console: for progress.

    Returns:
        The table; None in a process that helped the first one of several.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config.check()
    if num_processes() > 1 and (config.jobs_at_a_time != 1 or config.ray_address is not None):
        raise InputError(
            "several processes make one run at a time: leave out --jobs and --ray-address"
        )
    executors = choose_executor(config.jobs_at_a_time, config.ray_address, console)
    specs, seeds, folder = list(config.specs()), config.trials(), config.folder
    kind = BenchmarkRuns(folder, config.data_root, config.save_scores, config.checkpoint)
    if process_rank() > 0:
        help_out(kind)
        return None
    if not folder.exists():
        look_first(specs, config.data_root)
    jobs = config.jobs_at_a_time or os.cpu_count() or 1
    specs = settle_batches(specs, config.data_root, jobs, console)
    with executors as executor, RunStore(folder, kind) as store:
        runs = [Run(spec, seed) for spec in specs for seed in seeds]
        finished = set(store.finished(run.key for run in runs).index)
        _tell_missing(config, bool(finished), console)
        unfinished = [run for run in runs if run.key not in finished]
        _warn(kind, [run.spec for run in unfinished], console)
        left = Counter(key[0] for key in {run.key for run in unfinished})

        def note(run: Run, progress: Progress) -> None:
            left[run.spec.config_hash] -= 1
            if not left[run.spec.config_hash]:
                progress.say(_spec_line(store.read(), run.spec))

        if num_processes() > 1:
            executor = with_others
        failed = execute(kind, runs, store, console, executor, note=note)
        if failed:
            raise InputError("; ".join(sorted(set(failed.values()))[:3]))
        wanted = store.finished(run.key for run in runs)
        summary = summarise(wanted, specs)
        table = make_table(summary, specs)
        write_tables(folder, summary, table)
        plot_sweeps(folder, summary, "model", "test_ap", "AP (%)")
        _write_time_steps(folder, wanted)
    return table


def _tell_missing(config: BenchConfig, has_finished: bool, console: Console) -> None:
    for wanted, what in ((config.save_scores, "scores"), (config.checkpoint, "checkpoints")):
        if wanted and has_finished and not (config.folder / what).is_dir():
            console.print(f"the finished runs have no {what}: name another --out to make them")


def _warn(kind: BenchmarkRuns, specs: Sequence[RunSpec | ClassifierSpec], console: Console) -> None:
    """Prints what loading each data set warns of."""
    for spec in {spec.dataset: spec for spec in reversed(specs)}.values():
        loaded = kind.load(spec)
        for warning in (*loaded.warnings, *_of_scale(loaded.prepared.graph, spec)):
            name = "" if warning.startswith(spec.name) else f"{spec.name}: "
            line = f"warning: {name}{warning}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _of_scale(graph: Graph, spec: RunSpec | ClassifierSpec) -> list[str]:
    """Warns of a column of the user's whose numbers would drown the others."""
    if graph.columns is None or isinstance(spec, ClassifierSpec) or spec.features != "raw":
        return []
    x = graph.x.numpy()
    sizes = np.maximum(np.fmax.reduce(x), -np.fmin.reduce(x))  # NaN where all values are missing
    numbers = zip(sizes, graph.columns, strict=True)
    large = [(size, c.name) for size, c in numbers if c.categories is None and size >= LARGE]
    if not large:
        return []
    size, name = max(large)
    return [
        f"{name} reaches {size:.2g}, and features are used as they are; --features standard "
        "brings all to one scale"
    ]


def _spec_line(rows: pd.DataFrame, spec: RunSpec | ClassifierSpec) -> str:
    own = rows[rows["config_hash"] == spec.config_hash]
    ap, seconds = own["test_ap"], own["seconds_per_epoch"].median()
    spread = "" if len(ap) < 2 else f" ± {ap.std():.1f}"
    simulated = "" if spec.simulate is None else " (simulated)"
    return (
        f"{spec.name}{simulated} {row_title(spec.model, spec.act_label)}: "
        f"test AP {ap.mean():.1f}{spread} over {counted(len(ap), 'seed')}, "
        f"{seconds:.2g} s per {'epoch' if isinstance(spec, RunSpec) else 'fit'}"
    )


def _write_time_steps(folder: Path, runs: pd.DataFrame) -> None:
    rows = collect(folder / TIME_STEPS, runs)
    if len(rows):
        write_csv(rows, folder / "time_steps.csv")
        plot(rows, folder / "time_steps.png")
