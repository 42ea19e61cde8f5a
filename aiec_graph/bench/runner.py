"""Runs every cell of a benchmark for every seed, and writes what came out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from aiec_graph.artifacts.checkpoint import save_checkpoint
from aiec_graph.artifacts.scores import score_frame
from aiec_graph.artifacts.specs import RunSpec, TreeSpec, split_of
from aiec_graph.artifacts.tensor_file import SUFFIX
from aiec_graph.artifacts.variants import slug_of, title_of
from aiec_graph.bench import memory
from aiec_graph.bench.config import BenchConfig, distinct
from aiec_graph.bench.parallel import in_parallel
from aiec_graph.bench.report.results import RunsFile, versions, write_settings
from aiec_graph.bench.report.tables import (
    MODEL_NAMES,
    ResultTable,
    make_table,
    summarise,
    write_tables,
)
from aiec_graph.bench.report.time_steps import by_time_step, collect, plot
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.data import (
    Graph,
    Source,
    Split,
    TextGraph,
    find_source,
    is_own,
    load_dataset,
)
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.metrics import Metrics
from aiec_graph.train import Prepared, TrainResult, count_parameters, prepare_graph, train

CHECKSUM_LENGTH = 12
LARGE = 1000  # numbers of a feature that is not on the others' scale
KEPT = 2  # data sets that a process of a pool holds
TIME_STEPS = "time_steps"
Row = dict[str, object]
Todo = list[tuple[RunSpec, list[int]]]
"""Each cell with the seeds that it has no row for."""


def run(config: BenchConfig, console: Console) -> ResultTable:
    """Runs what is not finished yet and writes the summary and the tables.

    Writes `runs.csv`, `summary.csv`, `table.md`, `table.tex`, `settings/<config_hash>.yaml`, where
    asked for `scores/` and `checkpoints/`, and for a data set with time steps `time_steps.csv` and
    `time_steps.png` into the results folder.

    Args:
        config: the command.
        console: for progress.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config.check()
    cells = list(config.cells())
    if not config.folder.exists():
        _look_first(config, cells)
    runs = RunsFile(config.folder)
    try:
        finished = runs.finished()
        trials = config.trial_seeds()
        todo = [
            (cell, [seed for seed in trials if (cell.config_hash, seed) not in finished])
            for cell in distinct(cells)
        ]
        sources = _find_sources(config, todo, finished)
        _announce(config, todo, console)
        left = Counter({cell.config_hash: len(seeds) for cell, seeds in todo})
        with progress_bar(console) as progress:
            task = progress.add_task("", total=left.total())
            for cell, row in _rows(config, todo, sources, progress, task):
                runs.append(row)
                progress.advance(task)
                left[cell.config_hash] -= 1
                if not left[cell.config_hash]:
                    progress.console.print(_cell_line(runs, cell), highlight=False)
        wanted = runs.read().drop_duplicates(["config_hash", "seed"])
        wanted = wanted[wanted["seed"].isin(trials)]
        summary = summarise(wanted, cells)
        table = make_table(summary, cells)
        write_tables(config.folder, summary, table)
        plot_sweeps(config.folder, summary, "model", "test_ap", "AP (%)")
        hashes = {cell.config_hash for cell in cells}
        _write_time_steps(config.folder, wanted[wanted["config_hash"].isin(hashes)])
    finally:
        runs.close()
    return table


def _look_first(config: BenchConfig, cells: list[RunSpec]) -> None:
    """Sees to it that a slip in a path or a table leaves no folder behind."""
    for name in dict.fromkeys(cell.dataset for cell in cells):
        source = find_source(name, config.data_root, config.simulate, config.text)
        if is_own(name):  # kept in its cache
            source.load()


def _find_sources(
    config: BenchConfig,
    todo: Todo,
    finished: dict[tuple[str, int], str],
) -> dict[str, Source]:
    """Finds the files of each data set, and refuses to add to runs on other files."""
    sources: dict[str, Source] = {}
    for cell, _ in todo:
        if cell.dataset not in sources:
            try:
                sources[cell.dataset] = find_source(
                    cell.dataset, config.data_root, config.simulate, config.text
                )
            except InputError:
                if any(left for other, left in todo if other.dataset == cell.dataset):
                    raise
                continue  # all of its runs are there: the table needs no data
        checksum = sources[cell.dataset].checksum[:CHECKSUM_LENGTH]
        made_from = {
            finished[cell.config_hash, seed]
            for seed in config.trial_seeds()
            if (cell.config_hash, seed) in finished
        }
        if made_from - {checksum}:
            raise InputError(
                f"{config.folder} has runs on {cell.name} from other data files than the present "
                "ones; name another --out"
            )
    return sources


def _rows(
    config: BenchConfig, todo: Todo, sources: dict[str, Source], progress: Progress, task: TaskID
) -> Iterator[tuple[RunSpec, Row]]:
    """Makes the runs and yields each one's row as it ends."""
    seen, prepared = "", None
    for cell, seeds in todo:
        if seeds and cell.dataset != seen:
            seen = cell.dataset
            progress.update(task, description=f"loading {cell.name}")
            loaded = sources[cell.dataset].load()
            for warning in (*loaded.warnings, *_of_scale(loaded.graph, cell)):
                line = f"warning: {cell.name}: {warning}"
                progress.console.print(line, highlight=False, markup=False)
            prepared = prepare_graph(loaded.graph) if config.jobs == 1 else None
        if prepared is not None:
            for seed in seeds:
                progress.update(task, description=f"{cell.name} {_name(cell)} seed {seed}")
                yield cell, _run_one(config, cell, seed, prepared)
    if config.jobs != 1:  # each process loads what it needs, from the cache that is filled now
        progress.update(task, description="running")
        runs = [(cell, seed) for cell, seeds in todo for seed in seeds]
        yield from in_parallel(partial(_run_apart, config), runs, config.jobs)


def _of_scale(graph: Graph, cell: RunSpec) -> list[str]:
    """Warns of a column of the user's own whose numbers would drown the others."""
    if graph.columns is None or cell.features != "raw":
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


def _run_apart(config: BenchConfig, run: tuple[RunSpec, int]) -> tuple[RunSpec, Row]:
    cell, seed = run
    prepared = prepared_data(cell.dataset, config.data_root, cell.simulate, cell.text)
    return cell, _run_one(config, cell, seed, prepared)


def _run_one(config: BenchConfig, cell: RunSpec, seed: int, prepared: Prepared) -> Row:
    """Makes a run and writes what it gives but for its row, which is to come last.

    Where the row stands, everything else of the run stands too.
    """
    graph = prepared.graph
    memory.reset_peak()
    split, result = train_cell(cell, seed, prepared)
    peak = memory.peak_mb()
    stem = f"{graph.slug}_{cell.model}_{slug_of(cell.act_label)}_{cell.config_hash}_{seed}"
    if config.save_scores:
        frame = score_frame(graph, split, result.score)
        write_whole(
            config.folder / "scores" / f"{stem}.csv", lambda path: frame.to_csv(path, index=False)
        )
    if config.checkpoint:
        path = config.folder / "checkpoints" / f"{stem}{SUFFIX}"
        save_checkpoint(path, result.model, result.preprocessor, cell, seed, graph.checksum)
    if graph.time_step is not None:
        steps = by_time_step(graph, split, result.score)
        write_whole(
            config.folder / TIME_STEPS / f"{cell.config_hash}_{seed}.csv",
            lambda path: steps.to_csv(path, index=False),
        )
    write_settings(config.folder, cell.config_hash, asdict(cell))
    return _row(cell, seed, result, peak, graph.checksum)


@lru_cache(maxsize=KEPT)
def prepared_data(
    dataset: str, data_root: Path | None, simulate: float | None, text: TextGraph | None
) -> Prepared:
    """A data set made ready; a process of a pool keeps the last ones.

    Raises:
        InputError: it cannot be used.
    """
    return prepare_graph(load_dataset(dataset, data_root, simulate, text or TextGraph()))


def train_cell(cell: RunSpec, seed: int, prepared: Prepared) -> tuple[Split, TrainResult]:
    """Trains a cell's network once, under its conditions.

    Raises:
        InputError: the data set cannot be split, or the training diverged.
    """
    graph, adjacency = prepared
    noisy = Prepared(cell.conditions.add_noise(graph, seed), adjacency)
    split = split_of(cell, seed, graph)
    corrupt = partial(cell.conditions.corrupt, seed=seed)
    return split, train(noisy, split, cell.model, cell.act, cell.settings, seed, corrupt)


def _row(cell: RunSpec, seed: int, result: TrainResult, peak: float, checksum: str) -> Row:
    return {
        **key_columns(cell, seed),
        **metric_columns(result.val, result.test),
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds_per_epoch": result.seconds_per_epoch,
        "peak_memory_mb": peak,
        "parameters": count_parameters(result.model),
        "config_hash": cell.config_hash,
        "data_checksum": checksum[:CHECKSUM_LENGTH],
        **versions(),
    }


def key_columns(cell: RunSpec | TreeSpec, seed: int) -> dict[str, object]:
    """What tells a run from others, for people."""
    return {
        "dataset": cell.name,
        "simulated": cell.simulate is not None,
        "split": cell.split,
        "model": cell.model,
        "act": cell.act_label,
        "seed": seed,
    }


def metric_columns(val: Metrics, test: Metrics) -> dict[str, float]:
    """The metrics of a run under their columns' names."""
    parts = {"val": val, "test": test}
    return {f"{part}_{k}": v for part, m in parts.items() for k, v in m._asdict().items()}


def _announce(config: BenchConfig, todo: Todo, console: Console) -> None:
    left = sum(len(seeds) for _, seeds in todo)
    done = len(todo) * config.seeds - left
    known = f", {done} of them finished before" if done else ""
    line = f"{done + left} runs{known}; results in {config.folder}/"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    for wanted, what in ((config.save_scores, "scores"), (config.checkpoint, "checkpoints")):
        if wanted and done and not (config.folder / what).is_dir():
            console.print(f"the finished runs have no {what}: name another --out to make them")


def _name(cell: RunSpec) -> str:
    return f"{MODEL_NAMES[cell.model]}-{title_of(cell.act_label)}"


def _cell_line(runs: RunsFile, cell: RunSpec) -> str:
    rows = runs.read()
    own = rows[rows["config_hash"] == cell.config_hash]
    ap, seconds = own["test_ap"], own["seconds_per_epoch"].median()
    spread = "" if len(ap) < 2 else f" ± {ap.std():.1f}"
    simulated = "" if cell.simulate is None else " (simulated)"
    return (
        f"{cell.name}{simulated} {_name(cell)}: test AP {ap.mean():.1f}{spread} "
        f"over {len(ap)} seeds, {seconds:.2g} s per epoch"
    )


def _write_time_steps(folder: Path, runs: pd.DataFrame) -> None:
    rows = collect(folder / TIME_STEPS, runs)
    if len(rows):
        write_whole(folder / "time_steps.csv", lambda path: rows.to_csv(path, index=False))
        plot(rows, folder / "time_steps.png")


def progress_bar(console: Console) -> Progress:
    """A bar with the time that is left; it goes when it is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)
