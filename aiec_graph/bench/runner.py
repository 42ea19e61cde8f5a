"""Runs every cell of a benchmark for every seed, and writes what came out."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aiec_graph.bench import memory
from aiec_graph.bench.checkpoint import save_checkpoint
from aiec_graph.bench.config import BenchConfig, Cell, trial_of
from aiec_graph.bench.results import RunsFile, versions, write_settings
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.bench.tables import (
    MODEL_NAMES,
    ResultTable,
    make_table,
    summarise,
    write_tables,
)
from aiec_graph.bench.time_steps import by_time_step, collect, plot
from aiec_graph.bench.variants import slug_of, title_of
from aiec_graph.data import Graph, Source, Split, find_source, fractions, make_split
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.train import Prepared, TrainResult, count_parameters, prepare_graph, train

CHECKSUM_LENGTH = 12
TIME_STEPS = "time_steps"


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
    runs = RunsFile(config.folder)
    try:
        finished = runs.finished()
        trials = config.trial_seeds()
        todo = [
            (cell, [seed for seed in trials if (cell.config_hash, seed) not in finished])
            for cell in cells
        ]
        sources = _find_sources(config, todo, finished)
        _announce(config, todo, console)
        with _progress(console) as progress:
            task = progress.add_task("", total=sum(len(seeds) for _, seeds in todo))
            prepared: dict[str, Prepared] = {}
            for cell, seeds in todo:
                if seeds and cell.dataset not in prepared:
                    progress.update(task, description=f"loading {cell.name}")
                    loaded = sources[cell.dataset].load()
                    for warning in loaded.warnings:
                        line = f"warning: {cell.name}: {warning}"
                        progress.console.print(line, highlight=False, markup=False)
                    prepared = {cell.dataset: prepare_graph(loaded.graph)}
                name = f"{MODEL_NAMES[cell.model]}-{title_of(cell.act_label)}"
                for seed in seeds:
                    progress.update(task, description=f"{cell.name} {name} seed {seed}")
                    _run_one(config, cell, seed, prepared[cell.dataset], runs)
                    progress.advance(task)
                if seeds:
                    progress.console.print(_cell_line(runs, cell, name), highlight=False)
        wanted = runs.read()
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


def _find_sources(
    config: BenchConfig,
    todo: list[tuple[Cell, list[int]]],
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


def _run_one(
    config: BenchConfig, cell: Cell, seed: int, prepared: Prepared, runs: RunsFile
) -> None:
    graph = prepared.graph
    memory.reset_peak()
    split = make_split(graph, cell.split, seed, fractions(cell.dataset), trial_of(seed))
    result = train(prepared, split, cell.model, cell.act, cell.settings, seed)
    peak = memory.peak_mb()
    # The row comes last: where it stands, everything else of the run stands too.
    stem = f"{graph.slug}_{cell.model}_{slug_of(cell.act_label)}_{cell.config_hash}_{seed}"
    if config.save_scores:
        frame = score_frame(graph, split, result.score)
        write_whole(
            config.folder / "scores" / f"{stem}.csv", lambda path: frame.to_csv(path, index=False)
        )
    if config.checkpoint:
        path = config.folder / "checkpoints" / f"{stem}.pt"
        save_checkpoint(path, result.model, result.preprocessor, cell, seed)
    if graph.time_step is not None:
        steps = by_time_step(graph, split, result.score)
        write_whole(
            config.folder / TIME_STEPS / f"{cell.config_hash}_{seed}.csv",
            lambda path: steps.to_csv(path, index=False),
        )
    write_settings(config.folder, cell.config_hash, asdict(cell))
    runs.append(_row(cell, seed, result, peak, graph.checksum))


def score_frame(graph: Graph, split: Split, score: NDArray[np.float32]) -> pd.DataFrame:
    """Each node's id, label, part of the split and score, one row a node."""
    part = np.full(len(score), "", dtype=object)
    for name, mask in split.masks().items():
        part[mask] = name
    return pd.DataFrame(
        {
            "node": graph.node_ids,
            "simulated": graph.simulated is not None,
            "label": pd.Series(graph.y).map({0: "normal", 1: "anomalous", -1: "unknown"}),
            "split": part,
            "score": score,
        }
    )


def _row(
    cell: Cell, seed: int, result: TrainResult, peak: float, checksum: str
) -> dict[str, object]:
    metrics = {
        f"{part}_{name}": value
        for part, values in (("val", result.val), ("test", result.test))
        for name, value in values._asdict().items()
    }
    return {
        "dataset": cell.name,
        "simulated": cell.simulate is not None,
        "split": cell.split,
        "model": cell.model,
        "act": cell.act_label,
        "seed": seed,
        **metrics,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds_per_epoch": result.seconds_per_epoch,
        "peak_memory_mb": peak,
        "parameters": count_parameters(result.model),
        "config_hash": cell.config_hash,
        "data_checksum": checksum[:CHECKSUM_LENGTH],
        **versions(),
    }


def _announce(config: BenchConfig, todo: list[tuple[Cell, list[int]]], console: Console) -> None:
    left = sum(len(seeds) for _, seeds in todo)
    done = len(todo) * config.seeds - left
    known = f", {done} of them finished before" if done else ""
    line = f"{done + left} runs{known}; results in {config.folder}/"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    for wanted, what in ((config.save_scores, "scores"), (config.checkpoint, "checkpoints")):
        if wanted and done and not (config.folder / what).is_dir():
            console.print(f"the finished runs have no {what}: name another --out to make them")


def _cell_line(runs: RunsFile, cell: Cell, name: str) -> str:
    rows = runs.read()
    own = rows[rows["config_hash"] == cell.config_hash]
    ap, seconds = own["test_ap"], own["seconds_per_epoch"].median()
    spread = "" if len(ap) < 2 else f" ± {ap.std():.1f}"
    simulated = "" if cell.simulate is None else " (simulated)"
    return (
        f"{cell.name}{simulated} {name}: test AP {ap.mean():.1f}{spread} over {len(ap)} seeds, "
        f"{seconds:.2g} s per epoch"
    )


def _write_time_steps(folder: Path, runs: pd.DataFrame) -> None:
    rows = collect(folder / TIME_STEPS, runs)
    if len(rows):
        write_whole(folder / "time_steps.csv", lambda path: rows.to_csv(path, index=False))
        plot(rows, folder / "time_steps.png")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)
