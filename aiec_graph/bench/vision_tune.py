"""Activations of image networks, each with settings chosen on validation images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.image_checkpoint import ImageSpec
from aiec_graph.artifacts.specs import FIRST_SEED, SEED_STEP, trial_seeds
from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import on_cores
from aiec_graph.bench.progress import EpochLog
from aiec_graph.bench.report.vision_study import write_vision_study
from aiec_graph.bench.store import Row, RunStore, write_settings
from aiec_graph.bench.study.run import choose, record
from aiec_graph.bench.vision import (
    CORRUPTIONS,
    ImageRuns,
    described,
    keep_logs_only,
    load_first,
    stem_of,
)
from aiec_graph.bench.vision_config import CONFIRM_FROM, ImageGroup, VisionConfig
from aiec_graph.errors import InputError
from aiec_graph.vision import ImageData
from aiec_graph.vision.training import Log, fit_images

TUNING = "tuning"
"""The folder, below that of the results, of the runs that choose."""


@dataclass(frozen=True)
class TuningRuns(ImageRuns):
    """Runs that choose settings: they are validated, and never look at a test image."""

    name: str = "vision-tuning-1"

    metrics: ClassVar[tuple[str, ...]] = ("val_top1", "train_loss")
    columns: ClassVar[tuple[str, ...]] = (
        *("dataset", "backbone", "act", "seed", "image_size", "train_images", "val_images"),
        *("val_top1", "train_loss", "epochs", "seconds_per_epoch"),
    )

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        return self.config.folder / TUNING

    def make(self, run: Run, data: ImageData) -> Row:
        """Trains a network and validates it.

        Raises:
            InputError: the images cannot be used, or the training diverged.
        """
        spec, seed = run
        folder = self.folder / stem_of(spec, seed, data.name)
        epochs = EpochLog(folder / "history.csv", f"{data.name} {spec.backbone} {spec.act_label}")
        log, devices = Log(folder, epochs.add), self.config.devices
        found = fit_images(spec.backbone, spec.act, data, spec.settings, seed, log, devices)
        write_settings(self.folder, spec)
        keep_logs_only(folder)
        return described(run, data) | {
            "val_top1": found.val_top1,
            "train_loss": found.train_loss,
            "seconds_per_epoch": found.seconds_per_epoch,
        }


def run_tuned(config: VisionConfig, console: Console) -> Path:
    """Tunes, confirms and compares; what is finished is not made again.

    Writes `tuning/runs.csv`, `selection.csv`, `runs.csv` (of the runs that confirm),
    `settings/<config_hash>.yaml` and the folder `report/`.

    Returns:
        The report's Markdown page.

    Raises:
        InputError: a name, value, file or folder cannot be used; or a choice has changed after
            seeds were spent on it.
    """
    config.check()
    groups = list(config.groups())
    tuning, confirming = TuningRuns(config), ImageRuns(config)
    trials = trial_seeds(config.tuning_seeds)
    fresh = [FIRST_SEED + SEED_STEP * (CONFIRM_FROM + i) for i in range(config.seeds)]
    runs = [Run(spec, seed) for g in groups for spec in g.candidates for seed in trials]
    load_first(confirming, (run.spec for run in runs), console)
    with RunStore(tuning.folder, tuning) as store:
        diverged = execute(tuning, runs, store, console, on_cores(config.jobs), what="tuning")
        tuned = store.read()
    chosen: list[tuple[ImageGroup, ImageSpec]] = choose(groups, tuned, trials, diverged, "val_top1")
    runs = [Run(spec, seed) for _, spec in chosen for seed in fresh]
    with RunStore(config.folder, confirming) as store:
        record(config.folder, chosen, store.read(), fresh)
        failed = execute(confirming, runs, store, console, on_cores(config.jobs), what="confirming")
        if failed:
            raise InputError("; ".join(sorted(set(failed.values()))[:3]))
        confirmed = store.finished(run.key for run in runs).reset_index(drop=True)
    tables = [_candidates(group, spec, tuned) for group, spec in chosen]
    corrupted = _corrupted(config.folder, chosen, fresh) if config.train.corrupted else None
    return write_vision_study(config, confirmed, pd.concat(tables, ignore_index=True), corrupted)


def _candidates(group: ImageGroup, best: ImageSpec, tuned: pd.DataFrame) -> pd.DataFrame:
    """What a group chose from: settings, validation accuracy, and which it was."""
    mean = tuned.groupby("config_hash")["val_top1"].mean()
    rows: list[dict[str, Any]] = []
    for spec in group.candidates:
        settings = {name: getattr(spec.settings, name) for name in group.chosen_by}
        val = mean.get(spec.config_hash, float("nan"))
        row = {**group.key, "settings": ", ".join(f"{k} {v:g}" for k, v in settings.items())}
        rows.append(row | {"val_top1": val, "is_chosen": spec.config_hash == best.config_hash})
    return pd.DataFrame(rows)


def _corrupted(
    folder: Path, chosen: list[tuple[ImageGroup, ImageSpec]], seeds: list[int]
) -> pd.DataFrame:
    frames = []
    for group, spec in chosen:
        for seed in seeds:
            stem = stem_of(spec, seed, Path(spec.dataset).resolve().stem)
            frame = pd.read_csv(folder / "runs" / stem / CORRUPTIONS)
            frames.append(frame.assign(**group.key, seed=seed))
    return pd.concat(frames, ignore_index=True)
