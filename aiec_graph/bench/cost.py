"""The paper's Table 4: what an activation costs in memory and time, in training and inference."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from rich.console import Console
from rich.progress import track
from torch import nn

from aiec_graph.artifacts.variants import label_of, title_of
from aiec_graph.bench import memory
from aiec_graph.bench.config import variants_of
from aiec_graph.bench.cost_config import CostConfig
from aiec_graph.bench.executors import end_with
from aiec_graph.bench.report.tables import Entry, ResultTable, write_tables
from aiec_graph.bench.store import environment
from aiec_graph.bench.vision import LIBRARIES
from aiec_graph.core import AIECLoss, strip
from aiec_graph.vision import BACKBONES, IMAGE_ACTIVATIONS, VisionSettings
from aiec_graph.vision.training import build_network, make_optimizer

PHASES = ("train", "inference")


class _Case(NamedTuple):
    """One network to be measured; plain values, so that it can go to another process."""

    backbone: str
    act: str
    settings: VisionSettings
    config: CostConfig


def measure_cost(config: CostConfig, console: Console) -> ResultTable:
    """Times steps in turn in this process, and takes peak memory in a process for each network.

    Writes `cost.csv`, `table.md` and `table.tex`.

    Raises:
        InputError: a name, value or folder cannot be used.
    """
    config.check()
    rows = []
    for backbone in dict.fromkeys(config.backbone):
        cases, labels = [], []
        for variant in variants_of(config.act, IMAGE_ACTIVATIONS):
            settings = variant.apply(VisionSettings())
            cases.append(_Case(backbone, variant.act, settings, config))
            labels.append(label_of(variant.act, settings, variant.changes))
        console.print(f"{backbone}: memory of {2 * len(cases)} processes, then time")
        peaks = [{phase: _peak_elsewhere(case, phase) for phase in PHASES} for case in cases]
        for phase in PHASES:
            seconds = _interleaved(cases, phase, console)
            for label, peak, values in zip(labels, peaks, seconds, strict=True):
                quarters = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
                rows.append(
                    {
                        **{"backbone": backbone, "act": label, "phase": phase},
                        "latency_ms_median": 1e3 * statistics.median(values),
                        "latency_ms_q25": 1e3 * quarters[0],
                        "latency_ms_q75": 1e3 * quarters[2],
                        "peak_memory_mb": peak[phase],
                        "processor": _device_name(config.chosen_device),
                        **{
                            k: v
                            for k, v in asdict(config).items()
                            if k in ("image_size", "batch_size", "num_classes", "rounds", "warmup")
                        },
                        **environment(LIBRARIES, config.chosen_device),
                    }
                )
    frame = pd.DataFrame(rows)
    table = _table(frame, config)
    write_tables(config.out or Path("results/cost"), frame, table, name="cost")
    return table


def _device_name(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {os.cpu_count()} cores"


def _make_step(case: _Case, phase: str) -> Callable[[], None]:
    config = case.config
    device = config.chosen_device
    torch.manual_seed(0)
    network: nn.Module = build_network(
        case.backbone, case.act, config.num_classes, config.image_size, case.settings
    ).to(device)
    shape = (config.batch_size, 3, config.image_size, config.image_size)
    images = torch.randn(shape, device=device)
    y = torch.arange(config.batch_size, device=device) % config.num_classes
    if phase == "inference":
        network = strip(network).eval()

        def infer() -> None:
            with torch.no_grad():
                network(images)
            _wait(device)

        return infer
    network.train()
    objective = AIECLoss(network, case.settings.lambda_aux, case.settings.lambda_gate)
    optimizer = make_optimizer(network, case.settings)

    def train() -> None:
        total = objective(network(images), y).total
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        _wait(device)

    return train


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _interleaved(cases: list[_Case], phase: str, console: Console) -> list[list[float]]:
    """Seconds of each case's steps, which take turns: all meet the same disturbances."""
    steps = [_make_step(case, phase) for case in cases]
    seconds: list[list[float]] = [[] for _ in cases]
    rounds = range(cases[0].config.warmup + cases[0].config.rounds)
    for i in track(rounds, f"{cases[0].backbone} {phase}", console=console, transient=True):
        # From another one each time: none profits from its place in the row.
        for j in (*range(i % len(steps), len(steps)), *range(i % len(steps))):
            started = time.perf_counter()
            steps[j]()
            if i >= cases[0].config.warmup:
                seconds[j].append(time.perf_counter() - started)
    return seconds


def _peak_elsewhere(case: _Case, phase: str) -> float:
    """Peak memory in MB of a process that does nothing else."""
    context: Any = multiprocessing.get_context("spawn")
    with context.Pool(1, end_with, (os.getpid(),)) as pool:
        return pool.apply(_peak, (case, phase))


def _peak(case: _Case, phase: str) -> float:
    """What a network, its batch and its steps add to the memory of this process, in MB."""
    device = case.config.chosen_device
    before = memory.resident_mb()
    step = _make_step(case, phase)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        memory.reset_peak()
    for _ in range(3):
        step()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return memory.peak_mb() - before


def _table(frame: pd.DataFrame, config: CostConfig) -> ResultTable:
    acts = list(dict.fromkeys(frame["act"]))
    rows = []
    for backbone in dict.fromkeys(frame["backbone"]):
        for column, unit in (("peak_memory_mb", "memory, MB"), ("latency_ms_median", "time, ms")):
            for phase in PHASES:
                own = frame[(frame["backbone"] == backbone) & (frame["phase"] == phase)]
                values = own.set_index("act")[column]
                entries = [
                    Entry(f"{values[act]:.1f} ({values[act] / values[acts[0]]:.3f})", False)
                    for act in acts
                ]
                rows.append((f"{BACKBONES[str(backbone)].title} {phase} {unit}", entries))
    notes = [
        f"{frame['processor'].iloc[0]}, {frame['threads'].iloc[0]} threads; batch of "
        f"{config.batch_size} images of {config.image_size} × {config.image_size}, "
        f"{config.num_classes} classes; medians of {config.rounds} steps taken in turn; in "
        f"brackets, times {title_of(acts[0])}.",
        "Memory: what network, batch and steps add to a process of their own, at the peak.",
    ]
    return ResultTable("Cost of an activation", [title_of(act) for act in acts], rows, notes)
