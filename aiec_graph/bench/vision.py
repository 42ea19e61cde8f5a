"""Runs backbones × activations × seeds on images, and writes what came out."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.image_checkpoint import ImageSpec, save_image_checkpoint
from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.artifacts.tensor_file import SUFFIX
from aiec_graph.artifacts.variants import slug_of, title_of
from aiec_graph.bench import memory
from aiec_graph.bench.config import distinct
from aiec_graph.bench.paper_images import paper_top1
from aiec_graph.bench.report.results import RunsFile, versions, write_settings
from aiec_graph.bench.report.tables import Entry, ResultTable, mean_and_std, write_tables
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.bench.vision_config import VisionConfig
from aiec_graph.data import default_data_root
from aiec_graph.errors import InputError
from aiec_graph.train import count_parameters
from aiec_graph.vision import (
    BACKBONES,
    ImageData,
    VisionSettings,
    check_image_size,
    load_images,
)
from aiec_graph.vision.training import VisionResult, train_images

LIBRARIES = ("torch", "torchvision", "timm", "lightning", "transformers")
METRICS = ["test_top1", "test_top5", "test_loss", "train_loss"]
COLUMNS = [
    *("dataset", "backbone", "act", "seed", "image_size", "train_images", "test_images"),
    *METRICS,
    *("epochs", "seconds_per_epoch", "peak_memory_mb", "parameters", "config_hash"),
    "data_checksum",
    *("aiec_graph_version", "python_version", *(f"{name}_version" for name in LIBRARIES)),
]


def run(config: VisionConfig, console: Console) -> ResultTable:
    """Trains what is not finished yet and writes `runs.csv`, `summary.csv` and the tables.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config.check()
    runs = RunsFile(config.folder, COLUMNS, METRICS)
    seeds = trial_seeds(config.seeds)
    cells = list(config.cells())
    try:
        finished = runs.finished()
        loaded: dict[str, ImageData] = {}
        tasks = [(cell, seed) for cell in distinct(cells) for seed in seeds]
        todo = [(c, s) for c, s in tasks if (c.config_hash, s) not in finished]
        for dataset in {cell.dataset for cell, _ in todo}:
            loaded[dataset] = load_images(
                dataset,
                config.train,
                config.data_root or default_data_root(),
                config.download,
                config.classes,
            )
            own = [c.config_hash for c in cells if c.dataset == dataset]
            made_from = {finished[h, s] for h in own for s in seeds if (h, s) in finished}
            if made_from - {loaded[dataset].checksum}:
                raise InputError(
                    f"{config.folder} has runs on {loaded[dataset].name} from other images than "
                    "the present ones; name another --out"
                )
            for name in config.backbone:  # a misfit is told before hours of training
                check_image_size(name, loaded[dataset].image_size)
        done = len(tasks) - len(todo)
        known = f", {done} of them finished before" if done else ""
        line = f"{done + len(todo)} runs{known}; results in {config.folder}/"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        for i, (cell, seed) in enumerate(todo, 1):
            result = _run_one(config, cell, seed, loaded[cell.dataset], runs)
            console.print(
                f"[{i}/{len(todo)}] {cell.dataset} {cell.backbone} {cell.act_label} seed {seed}: "
                f"top-1 {result.top1:.1f} %, {result.seconds_per_epoch:.2g} s per epoch",
                highlight=False,
                markup=False,
            )
        rows = runs.read()
        summary = summarise(rows[rows["seed"].isin(seeds)], cells)
        table = make_table(summary, cells, config.train)
        write_tables(config.folder, summary, table)
        plot_sweeps(config.folder, summary, "backbone", "test_top1", "top-1 accuracy (%)")
    finally:
        runs.close()
    return table


def _run_one(
    config: VisionConfig, cell: ImageSpec, seed: int, data: ImageData, runs: RunsFile
) -> VisionResult:
    stem = f"{data.name}_{cell.backbone}_{slug_of(cell.act_label)}_{cell.config_hash}_{seed}"
    folder = config.folder / "training" / stem
    memory.reset_peak()
    result = train_images(
        cell.backbone, cell.act, data, cell.settings, seed, folder, config.devices
    )
    peak = memory.peak_mb()
    write_settings(config.folder, cell.config_hash, asdict(cell))
    if config.checkpoint:
        place = config.folder / "checkpoints" / f"{stem}{SUFFIX}"
        save_image_checkpoint(place, result.network, cell, seed, data, config.classes is not None)
    runs.append(
        {
            "dataset": data.name,
            "backbone": cell.backbone,
            "act": cell.act_label,
            "seed": seed,
            "image_size": data.image_size,
            "train_images": len(data.train),  # pyright: ignore[reportArgumentType]
            "test_images": len(data.test),  # pyright: ignore[reportArgumentType]
            "test_top1": result.top1,
            "test_top5": result.top5,
            "test_loss": result.test_loss,
            "train_loss": result.train_loss,
            "epochs": cell.settings.epochs,
            "seconds_per_epoch": result.seconds_per_epoch,
            "peak_memory_mb": peak,
            "parameters": count_parameters(result.network),
            "config_hash": cell.config_hash,
            "data_checksum": data.checksum,
            **versions(LIBRARIES),
        }
    )
    _keep_logs_only(folder)
    return result


def _keep_logs_only(folder: Path) -> None:
    """The row is written: what a run would go on from is not needed any more."""
    for path in folder.iterdir():
        if path.name != "logs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def summarise(runs: pd.DataFrame, cells: list[ImageSpec]) -> pd.DataFrame:
    """One row per cell: mean and standard deviation over the seeds."""
    rows = []
    for cell in cells:
        own = runs[runs["config_hash"] == cell.config_hash]
        row: dict[str, object] = {
            "dataset": Path(cell.dataset).name,
            "backbone": cell.backbone,
            "act": cell.act_label,
            "seeds": len(own),
        }
        for metric in METRICS:
            row[f"{metric}_mean"], row[f"{metric}_std"] = own[metric].mean(), own[metric].std()
        row["seconds_per_epoch_median"] = own["seconds_per_epoch"].median()
        row["config_hash"] = cell.config_hash
        rows.append(row)
    return pd.DataFrame(rows)


def make_table(
    summary: pd.DataFrame, cells: list[ImageSpec], settings: VisionSettings
) -> ResultTable:
    """The shape of the paper's Tables 1 and 2: top-1 by backbone and activation."""
    acts = list(dict.fromkeys(cell.act_label for cell in cells))
    places = list(dict.fromkeys((Path(cell.dataset).name, cell.backbone) for cell in cells))
    found = {
        (Path(cell.dataset).name, cell.backbone, cell.act_label): (
            row["test_top1_mean"],
            row["test_top1_std"],
            paper_top1(cell.dataset, cell.backbone, cell.act_label, cell.settings),
        )
        for cell, row in zip(cells, summary.to_dict("records"), strict=True)
    }
    rows = []
    for dataset, backbone in places:
        place = (dataset, backbone)
        own = {act: found[*place, act] for act in acts if (*place, act) in found}
        best = max(mean for mean, _, _ in own.values())
        entries = []
        for act in acts:
            if act not in own:
                entries.append(Entry("n/a", False))
                continue
            mean, std, paper = own[act]
            text = mean_and_std(mean, std) + ("" if paper is None else f" [{paper:.1f}]")
            entries.append(Entry(text, bool(mean == best) and len(own) > 1))
        rows.append((f"{dataset} {BACKBONES[backbone].title}", entries))
    limit = f"; {settings.limit_train} training images" if settings.limit_train else ""
    gates = " / ".join(
        f"{value:g}"
        for value in dict.fromkeys(c.settings.lambda_gate for c in cells if not c.changes)
        or [settings.lambda_gate]
    )
    note = (
        f"{settings.epochs} epochs{limit}; accuracy after the last; λ_aux {settings.lambda_aux:g}; "
        f"λ_gate {gates}. Best of each row in bold."
    )
    notes = [note]
    if any(paper is not None for _, _, paper in found.values()):
        notes.append("In brackets: the paper's figure.")
    seeds = summary["seeds"].max()
    return ResultTable(
        title=f"Top-1 accuracy on test images in %, mean ± standard deviation over {seeds} seeds",
        columns=[title_of(act) for act in acts],
        rows=rows,
        notes=notes,
    )
