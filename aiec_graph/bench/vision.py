"""Runs backbones × activations × seeds on images, and writes what came out."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch
from rich.console import Console

from aiec_graph.artifacts.image_checkpoint import ImageSpec, save_image_checkpoint
from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.artifacts.tensor_file import SUFFIX
from aiec_graph.artifacts.variants import slug_of, title_of
from aiec_graph.bench import memory
from aiec_graph.bench.config import (
    distinct,
)
from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import on_cores
from aiec_graph.bench.paper_images import paper_top1
from aiec_graph.bench.progress import EpochLog, Progress, ReadingLog
from aiec_graph.bench.report.pictures import predictions, write_pictures_report
from aiec_graph.bench.report.tables import (
    Entry,
    ResultTable,
    mean_and_std,
    over_seeds,
    summarised,
    write_tables,
)
from aiec_graph.bench.store import Row, RunStore, write_settings
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.bench.vision_config import VisionConfig, shown_name
from aiec_graph.data import default_data_root
from aiec_graph.errors import InputError
from aiec_graph.tables import write_csv
from aiec_graph.train import count_parameters
from aiec_graph.vision import (
    BACKBONES,
    ImageData,
    VisionSettings,
    check_image_size,
    load_images,
)
from aiec_graph.vision.corruptions import corrupted_accuracy
from aiec_graph.vision.training import Log, train_images

LIBRARIES = ("torch", "torchvision", "timm", "lightning", "transformers")
METRICS = ("test_top1", "test_top5", "test_loss", "val_top1", "train_loss")
CORRUPTIONS = "corruptions.csv"
DataKey = tuple[str, tuple[int, int, str], Path | None, bool, Path | None]
KEPT = 4  # data sets, by size and augmentation, that a process holds


@dataclass(frozen=True)
class ImageRuns:
    """The runs of image networks."""

    config: VisionConfig
    name: str = "vision-3"

    metrics: ClassVar[tuple[str, ...]] = METRICS
    libraries: ClassVar[tuple[str, ...]] = LIBRARIES
    threads: ClassVar[int | None] = None
    columns: ClassVar[tuple[str, ...]] = (
        *(
            "dataset",
            "backbone",
            "act",
            "seed",
            "image_size",
            "train_images",
            "val_images",
            "test_images",
        ),
        *METRICS,
        *("epochs", "seconds_per_epoch", "peak_memory_mb", "parameters"),
    )

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        return self.config.folder

    def data_key(self, spec: ImageSpec) -> DataKey:
        """What tells the images of a specification from others."""
        own = (spec.settings.image_size, spec.settings.limit_train, spec.settings.augment)
        config = self.config
        return spec.dataset, own, config.data_root, config.download, config.classes

    def load(self, spec: ImageSpec) -> ImageData:
        """The data set of a specification, in its size and augmentation.

        Raises:
            InputError: it cannot be used.
        """
        return _load(*self.data_key(spec))

    def checksum(self, spec: ImageSpec) -> str:
        """The checksum of the present images of a specification.

        Raises:
            InputError: they are not there.
        """
        return self.load(spec).checksum

    def has_files(self, run: Run) -> bool:
        """Whether the files that a finished run needs are there."""
        return True

    def make(self, run: Run, data: ImageData) -> Row:
        """Trains a network, and keeps its weights where that is asked for.

        Raises:
            InputError: the images cannot be used, the training diverged, or a file cannot be
                written.
        """
        spec, seed = run
        stem = stem_of(spec, seed, data.name)
        folder = self.folder / "training" / stem
        memory.reset_peak()
        epochs = EpochLog(folder / "history.csv", f"{data.name} {spec.backbone} {spec.act_label}")
        result = train_images(
            spec.backbone,
            spec.act,
            data,
            spec.settings,
            seed,
            Log(folder, epochs.add),
            self.config.devices,
        )
        peak = memory.peak_mb()
        write_settings(self.folder, spec)
        if self.config.checkpoint:
            has_file = self.config.classes is not None
            path = self.folder / "checkpoints" / f"{stem}{SUFFIX}"
            save_image_checkpoint(path, result.network, spec, seed, data, has_file)
        names = [str(name) for name in data.class_names]
        rows = predictions(result.logits, result.labels, names, data.files("test"))
        title = f"{data.name}, {BACKBONES[spec.backbone].title}, {spec.act_label}, seed {seed}"
        write_pictures_report(self.folder / "runs" / stem, title, rows, names, epochs.read())
        if spec.settings.corrupted:
            table = corrupted_accuracy(result.network, data, spec.settings)
            write_csv(table, self.folder / "runs" / stem / CORRUPTIONS)
        keep_logs_only(folder)
        return described(run, data) | {
            "test_images": len(data.test),  # pyright: ignore[reportArgumentType]
            "test_top1": result.top1,
            "test_top5": result.top5,
            "test_loss": result.test_loss,
            "val_top1": result.val_top1,
            "train_loss": result.train_loss,
            "seconds_per_epoch": result.seconds_per_epoch,
            "peak_memory_mb": peak,
            "parameters": count_parameters(result.network),
            "device": "cuda" if torch.cuda.is_available() else "cpu",
        }


def described(run: Run, data: ImageData) -> Row:
    """What a row says of its run and its images, whatever was measured."""
    spec, seed = run
    return {
        "dataset": data.name,
        "backbone": spec.backbone,
        "act": spec.act_label,
        "seed": seed,
        "image_size": data.image_size,
        "train_images": len(data.train),  # pyright: ignore[reportArgumentType]
        "val_images": len(data.val),  # pyright: ignore[reportArgumentType]
        "epochs": spec.settings.epochs,
        "data_checksum": data.checksum,
    }


def stem_of(spec: ImageSpec, seed: int, data: str) -> str:
    """What the files and folders of a run are called."""
    return f"{data}_{spec.backbone}_{slug_of(spec.act_label)}_{spec.config_hash}_{seed}"


@lru_cache(maxsize=KEPT)
def _load(
    dataset: str,
    size_limit_augment: tuple[int, int, str],
    data_root: Path | None,
    download: bool,
    classes: Path | None,
) -> ImageData:
    size, limit, augment = size_limit_augment
    settings = VisionSettings(image_size=size, limit_train=limit, augment=augment)
    root = data_root or default_data_root()
    return load_images(dataset, settings, root, download, classes, ReadingLog())


def run(config: VisionConfig, console: Console) -> ResultTable:
    """Trains what is not finished yet and writes `runs.csv`, `summary.csv` and the tables.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config.check()
    kind, specs = ImageRuns(config), list(config.specs())
    runs = [Run(spec, seed) for spec in specs for seed in trial_seeds(config.seeds)]
    if not config.folder.exists():  # pictures that cannot be used leave no folder behind
        for spec in specs:
            kind.load(spec)
    with RunStore(config.folder, kind) as store:
        finished = store.finished(run.key for run in runs).index
        todo = distinct(run.spec for run in runs if run.key not in finished)
        load_first(kind, todo, console)
        if config.checkpoint and len(finished) and not (config.folder / "checkpoints").is_dir():
            console.print("the finished runs have no checkpoints: name another --out to make them")

        def note(run: Run, progress: Progress) -> None:
            found = store.finished([run.key])
            if found.empty:  # it diverged, which has been said
                return
            row = found.iloc[0]
            progress.say(
                f"{row['dataset']} {row['backbone']} {row['act']} seed {run.seed}: top-1 "
                f"{row['test_top1']:.1f} %, {row['seconds_per_epoch']:.2g} s per epoch"
            )

        failed = execute(kind, runs, store, console, on_cores(config.jobs), note=note)
        if failed:
            raise InputError("; ".join(sorted(set(failed.values()))[:3]))
        summary = summarise(store.finished(run.key for run in runs), specs)
        table = make_table(summary, specs)
        write_tables(config.folder, summary, table)
        plot_sweeps(config.folder, summary, "backbone", "test_top1", "top-1 accuracy (%)")
    return table


def load_first(kind: ImageRuns, specs: Iterable[ImageSpec], console: Console) -> None:
    """Loads what runs will need and says what is to be known about it, before hours of training.

    Raises:
        InputError: images cannot be used, or do not fit a network.
    """
    notes: dict[str, tuple[str, ...]] = {}
    specs = list(specs)
    if any(s.settings.precision == "16-mixed" for s in specs) and not torch.cuda.is_available():
        console.print("no GPU is here: 16-mixed is computed as bf16-mixed", soft_wrap=True)
    for spec in specs:
        data = kind.load(spec)
        check_image_size(spec.backbone, data.image_size)
        notes[spec.dataset] = data.notes
    for name, lines in notes.items():
        for text in lines:
            console.print(f"{shown_name(name)}: {text}", markup=False, soft_wrap=True)


def keep_logs_only(folder: Path) -> None:
    """What a run would go on from is not needed any more."""
    for path in folder.iterdir():
        if path.name != "logs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def summarise(runs: pd.DataFrame, specs: list[ImageSpec]) -> pd.DataFrame:
    """One row per specification: mean and standard deviation over the seeds."""
    keys = [
        {"dataset": shown_name(s.dataset), "backbone": s.backbone, "act": s.act_label}
        for s in specs
    ]
    return summarised(runs, specs, keys, METRICS)


def make_table(summary: pd.DataFrame, specs: list[ImageSpec]) -> ResultTable:
    """The shape of the paper's Tables 1 and 2: top-1 by backbone and activation."""
    acts = list(dict.fromkeys(spec.act_label for spec in specs))
    settings = list(dict.fromkeys((shown_name(spec.dataset), spec.backbone) for spec in specs))
    found = {
        (shown_name(spec.dataset), spec.backbone, spec.act_label): (
            row["test_top1_mean"],
            row["test_top1_std"],
            paper_top1(spec.dataset, spec.backbone, spec.act_label, spec.settings),
        )
        for spec, row in zip(specs, summary.to_dict("records"), strict=True)
    }
    rows = []
    for dataset, backbone in settings:
        setting = (dataset, backbone)
        own = {act: found[*setting, act] for act in acts if (*setting, act) in found}
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

    def values(name: str) -> str:
        found = dict.fromkeys(getattr(s.settings, name) for s in specs if not s.changes)
        return " / ".join(f"{v:g}" for v in found or [getattr(specs[0].settings, name)])

    limit = values("limit_train")
    note = (
        f"{values('epochs')} epochs{'' if limit == '0' else f'; {limit} training images'}; "
        f"accuracy after the last; λ_aux {values('lambda_aux')}; "
        f"λ_gate {values('lambda_gate')}. Best of each row in bold."
    )
    notes = [note]
    if any(paper is not None for _, _, paper in found.values()):
        notes.append("In brackets: the paper's figure.")
    return ResultTable(
        title=f"Top-1 accuracy on test images in %{over_seeds(summary['seeds'])}",
        columns=[title_of(act) for act in acts],
        rows=rows,
        notes=notes,
    )
