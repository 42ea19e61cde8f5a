"""Runs every cell of a benchmark for every seed, and writes what came out."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aiec_graph.bench import memory
from aiec_graph.bench.checkpoint import save_checkpoint
from aiec_graph.bench.config import BenchConfig, Cell
from aiec_graph.bench.files import write_whole
from aiec_graph.bench.results import RunsFile, versions
from aiec_graph.bench.tables import ACT_NAMES, MODEL_NAMES, ResultTable, make_table, summarise
from aiec_graph.data import Graph, Split, load_dataset, make_split
from aiec_graph.data.cards import read_card
from aiec_graph.train import Prepared, TrainResult, count_parameters, prepare_graph, train


def run(config: BenchConfig, console: Console) -> ResultTable:
    """Runs what is not finished yet and writes the summary and the tables.

    Writes `runs.csv`, `summary.csv`, `table.md`, `table.tex`, `settings/<config_hash>.yaml` and,
    where asked for, `scores/` and `checkpoints/` into the results folder.

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
        _announce(config, todo, console)
        with _progress(console) as progress:
            task = progress.add_task("", total=sum(len(seeds) for _, seeds in todo))
            prepared: dict[str, Prepared] = {}
            for cell, seeds in todo:
                if seeds and cell.dataset not in prepared:
                    progress.update(task, description=f"loading {cell.dataset}")
                    graph = load_dataset(cell.dataset, config.data_root, config.simulate)
                    if config.simulate is None:
                        _compare_with_card(graph, progress.console)
                    prepared = {cell.dataset: prepare_graph(graph)}
                name = f"{MODEL_NAMES[cell.model]}-{ACT_NAMES[cell.act_label]}"
                for seed in seeds:
                    progress.update(task, description=f"{cell.dataset} {name} seed {seed}")
                    _run_one(config, cell, seed, prepared[cell.dataset], runs)
                    progress.advance(task)
                if seeds:
                    progress.console.print(_cell_line(runs, cell, name), highlight=False)
        wanted = runs.read()
        wanted = wanted[wanted["seed"].isin(trials)]
        summary = summarise(wanted, cells)
        table = make_table(summary, cells)
        _write_summary(config.folder, summary, table)
    finally:
        runs.close()
    return table


def _compare_with_card(graph: Graph, console: Console) -> None:
    card = read_card(graph.name)
    found = {
        "nodes": len(graph.y),
        "features": graph.x.shape[1],
        "anomalies": int((graph.y == 1).sum()),
    }
    for what, count in found.items():
        published = getattr(card, what)
        if published not in (None, count):
            console.print(
                f"warning: {graph.name} has {count} {what} here, the published one {published}",
                highlight=False,
            )


def _run_one(
    config: BenchConfig, cell: Cell, seed: int, prepared: Prepared, runs: RunsFile
) -> None:
    graph = prepared.graph
    memory.reset_peak()
    split = make_split(graph, cell.split, seed, read_card(cell.dataset).fractions)
    result = train(prepared, split, cell.model, cell.act, cell.settings, seed)
    peak = memory.peak_mb()
    # The row comes last: where it stands, everything else of the run stands too.
    stem = f"{graph.slug}_{cell.model}_{cell.act_label}_{cell.config_hash}_{seed}"
    if config.save_scores:
        frame = score_frame(graph, split, result.score)
        write_whole(
            config.folder / "scores" / f"{stem}.csv", lambda path: frame.to_csv(path, index=False)
        )
    if config.checkpoint:
        path = config.folder / "checkpoints" / f"{stem}.pt"
        save_checkpoint(path, result.model, cell, seed, graph.x.shape[1])
    settings = config.folder / "settings" / f"{cell.config_hash}.yaml"
    if not settings.exists():
        text = yaml.safe_dump(asdict(cell), sort_keys=False)
        write_whole(settings, lambda path: path.write_text(text, encoding="utf-8"))
    runs.append(_row(cell, seed, result, peak))


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


def _row(cell: Cell, seed: int, result: TrainResult, peak: float) -> dict[str, object]:
    metrics = {
        f"{part}_{name}": value
        for part, values in (("val", result.val), ("test", result.test))
        for name, value in values._asdict().items()
    }
    return {
        "dataset": cell.dataset,
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
    ap = rows.loc[rows["config_hash"] == cell.config_hash, "test_ap"]
    spread = "" if len(ap) < 2 else f" ± {ap.std():.1f}"
    simulated = "" if cell.simulate is None else " (simulated)"
    return f"{cell.dataset}{simulated} {name}: test AP {ap.mean():.1f}{spread} over {len(ap)} seeds"


def _write_summary(folder: Path, summary: pd.DataFrame, table: ResultTable) -> None:
    def text(content: str) -> Callable[[Path], object]:
        return lambda path: path.write_text(content, encoding="utf-8")

    write_whole(folder / "summary.csv", lambda path: summary.to_csv(path, index=False))
    write_whole(folder / "table.md", text(table.to_markdown()))
    write_whole(folder / "table.tex", text(table.to_latex()))


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)
