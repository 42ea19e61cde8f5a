"""A backtest from its question to its report."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.bench.backtest.config import BacktestConfig
from aiec_graph.bench.backtest.control import correlation_of_shuffled
from aiec_graph.bench.backtest.cuts import Cut, Plan
from aiec_graph.bench.backtest.moments import written
from aiec_graph.bench.backtest.pace import estimate, in_words
from aiec_graph.bench.backtest.report import write_report
from aiec_graph.bench.backtest.results import (
    Backtest,
    control_of,
    decay_of,
    drift_of,
    leakage_of,
    paired,
    per_cut,
    per_run,
    read_ages,
)
from aiec_graph.bench.backtest.runs import BacktestRuns, Views, load_views
from aiec_graph.bench.backtest.statistics import correlation_of, inflation_of
from aiec_graph.bench.backtest.tuning import choose, parted, take_chosen
from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import choose_executor
from aiec_graph.bench.store import RunStore
from aiec_graph.errors import InputError


def backtest(data: str | Path, *, out: Path, **options: Any) -> Backtest:
    """Trains models at several dates on what was known then, and scores what came after.

        found = backtest("elliptic_graph", out="results/b", model=["gcn"], features="structural")
        found.pairs

    Args:
        data: a data set's name, or the path of a graph of your own.
        out: the folder of the results; the same call given again continues there.
        options: fields of `BacktestConfig`.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config = BacktestConfig(out=Path(out), **options)
    found = run_backtest(str(data), config, Console(stderr=True))
    assert found is not None  # without `plan` there is one
    return found


def run_backtest(data: str, config: BacktestConfig, console: Console) -> Backtest | None:
    """Runs what is not finished yet and writes the report.

    Writes `runs.csv` and `ages/` (what every run gave), and from them `backtest.csv`, `cuts.csv`,
    `pairs.csv`, `choices.csv`, `control.csv`, `shuffled.csv`, `ages.csv`, `decay.csv`, `drift.csv`,
    `leakage.csv`, `cuts.png`, `decay.png` and `report.md`.

    Args:
        data: a data set's name, or the path of a graph of the user's own.
        config: what is asked.
        console: for progress.

    Returns:
        What was found; None where only the plan was asked for.

    Raises:
        InputError: a name, value, file or folder cannot be used.
    """
    config.check(data)
    started = time.perf_counter()
    views = load_views(data, config.data_root, config.simulate, config.features)
    plan = config.schedule(views.timeline.unit).plan(views.timeline)
    _say_plan(plan, views, console)
    planned = time.perf_counter()
    tuned, cuts = parted(plan.cuts, config.tune)
    seeds = trial_seeds(2 * config.seeds)
    early = seeds[: config.seeds]
    tuning = [Run(s, seed) for c in tuned for s in config.specs(data, c) for seed in early]
    seeds = seeds[config.seeds :] if tuned else early
    folder = folder_of(data, config)
    if config.plan:
        runs = _runs(data, config, cuts, views.timeline.is_frozen, seeds)
        _say_pace([*tuning, *runs], views, config, console)
        return None
    kind = BacktestRuns(folder, config.data_root)
    executors = choose_executor(config.jobs, config.ray_address, console)
    with executors as executor, RunStore(folder, kind) as store:

        def run(runs: list[Run], what: str) -> pd.DataFrame:
            finished = set(store.finished(run.key for run in runs).index)
            left = [run for run in runs if run.key not in finished]
            if left:
                _say_pace(left, views, config, console)
            failed = execute(kind, runs, store, console, executor, what=what)
            if failed:
                raise InputError("; ".join(sorted(set(failed.values()))[:3]))
            keys = [run.key for run in runs]
            return store.finished(keys).loc[keys]

        choices = choose(run(tuning, "tuning")) if tuned else pd.DataFrame()
        runs = _runs(data, config, cuts, views.timeline.is_frozen, seeds)
        if tuned:
            runs = take_chosen(runs, choices)
        rows = run(runs, "")
        ran = time.perf_counter()
        found = _gather(kind, runs, rows, views, plan._replace(cuts=cuts))
        found = replace(found, choices=choices)
        write_report(folder, found)
    _say_times(rows, (planned - started, ran - planned, time.perf_counter() - ran), console)
    return found


def folder_of(data: str, config: BacktestConfig) -> Path:
    """The folder of the results."""
    from aiec_graph.data.datasets.registry import short_name

    suffix = "" if config.simulate is None else f"-simulated-{config.simulate:g}"
    return config.out or Path("results") / f"backtest-{short_name(data)}{suffix}"


def _runs(
    data: str, config: BacktestConfig, cuts: Sequence[Cut], is_frozen: bool, seeds: Sequence[int]
) -> list[Run]:
    """All runs, those of a cut together, so that they share what is made of it."""
    runs: list[Run] = []
    is_leakage_known = is_frozen or config.skip_leakage
    for cut in cuts:
        runs += [Run(spec, seed) for spec in config.specs(data, cut) for seed in seeds]
        if config.random_split:
            specs = config.specs(data, cut, is_random=True)
            runs += [Run(spec, seed) for spec in specs for seed in seeds]
        if not is_leakage_known:
            runs += [Run(spec, seeds[0]) for spec in config.specs(data, cut, is_leaking=True)]
    return list({run.key: run for run in runs}.values())


def _gather(
    kind: BacktestRuns, runs: Sequence[Run], rows: pd.DataFrame, views: Views, plan: Plan
) -> Backtest:
    rows = rows.reset_index(drop=True)
    files = pd.Series([kind.ages(run) for run in runs])
    is_random = rows["random"].astype(bool)
    is_honest = ~rows["leaking"].astype(bool) & ~is_random
    honest = rows[is_honest]
    table, shuffled = per_run(honest), per_run(rows[is_random])
    cuts, correlation = per_cut(table), correlation_of(plan.cuts, views.timeline)
    ages = read_ages(files[is_honest].tolist(), honest)
    return Backtest(
        rows=table,
        cuts=cuts,
        pairs=paired(cuts, correlation),
        ages=ages,
        decay=decay_of(ages),
        drift=drift_of(views, plan.cuts),
        leakage=leakage_of(rows[~is_random], correlation),
        shuffled=shuffled,
        control=control_of(
            cuts, per_cut(shuffled), correlation_of_shuffled(plan.cuts, views.timeline)
        ),
        left_out=plan.left_out,
        overlap=inflation_of(correlation),
        is_frozen=views.timeline.is_frozen,
        unit=views.timeline.unit,
        label=views.timeline.label,
    )


def _say_times(rows: pd.DataFrame, seconds: tuple[float, float, float], console: Console) -> None:
    """Says how long each stage took by the clock."""
    reading, running, reporting = seconds
    stages = ("prepare", "fit", "score")
    inside = ", ".join(f"{stage} {rows[f'seconds_{stage}'].sum():.1f} s" for stage in stages)
    console.print(
        f"reading and planning {reading:.1f} s, runs {running:.1f} s, drift and report "
        f"{reporting:.1f} s; within all {len(rows)} runs, one after another: {inside}",
        highlight=False,
        soft_wrap=True,
    )


def _say_plan(plan: Plan, views: Views, console: Console) -> None:
    timeline, unit = views.timeline, views.timeline.unit
    lines = [*timeline.notes]
    for cut in plan.cuts:
        known = timeline.labels(cut.known)
        counts = ", ".join(
            f"{part} {int(mask.sum()):,} "
            f"({int((timeline.y if part == 'test' else known)[mask].sum()):,} anomalous)"
            for part, mask in cut.split_of(timeline).masks().items()
        )
        lines.append(f"cut {written(cut.moment, unit)}, {cut.horizon} {unit}s after it: {counts}")
    for left in plan.left_out:
        lines.append(f"cut {written(left.cut.moment, unit)} is left out: {left.why}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _say_pace(runs: Sequence[Run], views: Views, config: BacktestConfig, console: Console) -> None:
    """Says how many trainings there are and about how long they take."""
    cuts = list(dict.fromkeys(run.spec.cut for run in runs))
    middle = cuts[len(cuts) // 2]
    # Candidates of one activation differ in what costs no time.
    counts = Counter((run.spec.model, run.spec.act) for run in runs)
    specs = {(run.spec.model, run.spec.act): run.spec for run in runs}
    snapshots = len(cuts) * (1 if views.timeline.is_frozen else 1 + len(middle.batches))
    seconds = 0.0
    for key, spec in specs.items():
        plain = replace(spec, cut=middle, is_leaking=False, is_random=False)
        pace = estimate(views, plain)
        seconds += snapshots * pace.preparing + counts[key] * pace.training
    words = in_words(seconds / (config.jobs or os.cpu_count() or 1))
    line = f"{len(runs)} trainings, at most about {words}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
