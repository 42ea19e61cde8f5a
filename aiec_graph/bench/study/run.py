"""A study from its plan to its report: tune, choose, confirm, compare."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec, TreeSpec
from aiec_graph.bench.report.results import RunsFile, write_settings
from aiec_graph.bench.runner import CHECKSUM_LENGTH, progress_bar
from aiec_graph.bench.study.plan import Group, StudyConfig
from aiec_graph.bench.study.pool import COLUMNS, Task, run_tasks
from aiec_graph.bench.study.report import write_report
from aiec_graph.data import TextGraph, find_source
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole

SELECTION = "selection.csv"
KEY = ["dataset", "features", "model", "level", "act"]
Choice = tuple[Group, RunSpec | TreeSpec]
"""A group and the candidate that was chosen for it."""


def run_study(config: StudyConfig, console: Console) -> Path:
    """Runs what is not finished yet and writes the report.

    Writes `runs.csv` (every run), `selection.csv` (what was chosen), `settings/<config_hash>.yaml`
    and the folder `report/`.

    Args:
        config: the study.
        console: for progress.

    Returns:
        The report's Markdown page.

    Raises:
        InputError: a name, value, file or folder cannot be used; or a choice has changed after
            confirmation seeds were spent on it.
    """
    config.check()
    groups = list(config.groups())
    runs = RunsFile(config.folder, COLUMNS)
    try:
        _refuse_other_data(config, groups, runs.read())
        tuned = [g for g in groups if len(g.candidates) > 1]
        tasks = [(c, s) for g in tuned for c in g.candidates for s in config.tuning_trials]
        diverged = _finish(config, "tuning", tasks, runs, console)
        chosen = choose(groups, runs.read(), config.tuning_trials, diverged)
        _record(config.folder, chosen, runs.read(), config.confirmation_trials)
        tasks = [(cell, seed) for _, cell in chosen for seed in config.confirmation_trials]
        failed = _finish(config, "confirming", tasks, runs, console)
        if failed:
            raise InputError("; ".join(sorted(set(failed.values()))[:3]))
        for _, cell in chosen:
            write_settings(config.folder, cell.config_hash, asdict(cell))
        return write_report(config, chosen, runs.read())
    finally:
        runs.close()


def choose(
    groups: Iterable[Group],
    runs: pd.DataFrame,
    trials: list[int],
    diverged: Iterable[str] = (),
) -> list[Choice]:
    """Picks each group's candidate by mean validation AP over the tuning trials.

    Nothing else of the runs is looked at: no test metric, no other seed. The first of equals wins.

    Args:
        groups: with their candidates.
        runs: rows of `runs.csv`.
        trials: the tuning seeds.
        diverged: hashes of candidates that failed in one of them.

    Raises:
        InputError: all candidates of a group diverged.
    """
    seen = runs.loc[runs["seed"].isin(trials), ["config_hash", "val_ap"]]
    mean = seen.groupby("config_hash")["val_ap"].mean()
    mean[mean.index.isin(list(diverged))] = float("nan")
    chosen: list[Choice] = []
    for group in groups:
        best = group.candidates[0]
        if len(group.candidates) > 1:
            values = mean.reindex([cell.config_hash for cell in group.candidates])
            if values.isna().all():
                name = ", ".join(str(part) for part in group.key.values() if part is not None)
                raise InputError(f"{name}: every candidate diverged; give space a smaller lr")
            best = group.candidates[int(values.to_numpy(float, na_value=-1).argmax())]
        chosen.append((group, best))
    return chosen


def _finish(
    config: StudyConfig, what: str, tasks: list[Task], runs: RunsFile, console: Console
) -> dict[str, str]:
    """Runs the tasks that have no row yet; returns why candidates diverged, by their hash."""
    unique = {(cell.config_hash, seed): (cell, seed) for cell, seed in tasks}
    finished = runs.finished()
    todo = [task for key, task in unique.items() if key not in finished]
    known = (
        f", {len(unique) - len(todo)} of them finished before" if len(todo) < len(unique) else ""
    )
    line = f"{what}: {len(unique)} runs{known}; results in {config.folder}/"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    diverged: dict[str, str] = {}
    with progress_bar(console) as progress:
        bar = progress.add_task(what, total=len(todo))
        for (cell, _), row in run_tasks(todo, config.data_root, config.jobs):
            if isinstance(row, str):
                diverged[cell.config_hash] = row
                progress.console.print(f"diverged: {row}", highlight=False, markup=False)
            else:
                runs.append(row)
            progress.advance(bar)
    return diverged


def _refuse_other_data(config: StudyConfig, groups: list[Group], runs: pd.DataFrame) -> None:
    for cell in {group.dataset: group.candidates[0] for group in groups}.values():
        text = cell.text or TextGraph()
        source = find_source(cell.dataset, config.data_root, cell.simulate, text)
        hashes = {c.config_hash for g in groups if g.dataset == cell.name for c in g.candidates}
        found = set(runs.loc[runs["config_hash"].isin(hashes), "data_checksum"])
        if found - {source.checksum[:CHECKSUM_LENGTH]}:
            raise InputError(
                f"{config.folder} has runs on {cell.name} from other data files than the present "
                "ones; name another --out"
            )


def _record(folder: Path, chosen: list[Choice], runs: pd.DataFrame, trials: list[int]) -> None:
    """Writes the choices, and refuses one that came after its confirmation seeds were seen."""
    path = folder / SELECTION
    rows = [_with_settings(group, cell) for group, cell in chosen]
    frame = pd.DataFrame(rows)
    if path.exists():
        before = pd.read_csv(path, dtype=str, keep_default_na=False)
        now = frame.astype("string").fillna("")
        spent = set(runs.loc[runs["seed"].isin(trials), "config_hash"])
        both = before.merge(now, on=KEY, suffixes=("_before", "_now"))
        changed = both[both["config_hash_before"] != both["config_hash_now"]]
        for row in changed[changed["config_hash_before"].isin(spent)].to_dict("records"):
            name = ", ".join(row[key] for key in KEY if row[key])
            raise InputError(
                f"{folder}: the settings chosen for {name} have changed after they were confirmed; "
                "give fresh seeds with another --confirm-from, or another --out"
            )
        gone = before[~before["config_hash"].isin(set(both["config_hash_before"]))]
        frame = pd.concat([frame, gone], ignore_index=True)
    write_whole(path, lambda draft: frame.to_csv(draft, index=False))


def _with_settings(group: Group, cell: RunSpec | TreeSpec) -> dict[str, Any]:
    return group.key | {"config_hash": cell.config_hash, "candidates": len(group.candidates)}
