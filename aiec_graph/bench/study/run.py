"""A study from its plan to its report: tune, choose, confirm, compare."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pandas as pd
from rich.console import Console

from aiec_graph.bench.engine import Run, execute
from aiec_graph.bench.executors import choose_executor
from aiec_graph.bench.runs import StudyRuns, look_first
from aiec_graph.bench.store import RunStore, write_settings
from aiec_graph.bench.study.plan import StudyConfig
from aiec_graph.bench.study.report import write_report
from aiec_graph.bench.study.tuning import tune_all, tune_pruned
from aiec_graph.errors import InputError
from aiec_graph.tables import write_csv

SELECTION = "selection.csv"


class Candidates(Protocol):
    """A row of a report, and the specifications that it may choose from."""

    @property
    def candidates(self) -> tuple[Any, ...]:
        """At least one specification."""
        ...

    @property
    def key(self) -> dict[str, Any]:
        """What the report calls it."""
        ...


G = TypeVar("G", bound=Candidates)


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
    groups, folder = list(config.groups()), config.folder
    if not folder.exists():
        look_first((group.candidates[0] for group in groups), config.data_root)
    kind = StudyRuns(folder, config.data_root)
    executors = choose_executor(config.jobs_at_a_time, config.ray_address, console)
    with executors as executor, RunStore(folder, kind) as store:
        tuned = [g for g in groups if len(g.candidates) > 1]
        make = partial(execute, kind, store=store, console=console, executor=executor)
        tuning = partial(make, what="tuning")
        excluded = (
            tune_pruned(tuned, config.tuning_trials, tuning, store.read)
            if config.prune
            else tune_all(tuned, config.tuning_trials, tuning)
        )
        chosen = choose(groups, store.read(), config.tuning_trials, excluded)
        record(folder, chosen, store.read(), config.confirmation_trials)
        runs = [Run(spec, seed) for _, spec in chosen for seed in config.confirmation_trials]
        failed = make(runs, what="confirming")
        if failed:
            raise InputError("; ".join(sorted(set(failed.values()))[:3]))
        for _, spec in chosen:
            write_settings(folder, spec)
        return write_report(config, chosen, store.read())


def choose(
    groups: Iterable[G],
    runs: pd.DataFrame,
    trials: list[int],
    excluded: Iterable[str] = (),
    metric: str = "val_ap",
) -> list[tuple[G, Any]]:
    """Picks each group's candidate by a mean validation metric over the tuning trials.

    Nothing else of the runs is looked at: no test metric, no other seed. The first of equals wins.

    Args:
        groups: with their candidates.
        runs: rows of `runs.csv`.
        trials: the tuning seeds.
        excluded: hashes of candidates that diverged in one of them or were stopped early.
        metric: the column to choose by; the highest is the best.

    Raises:
        InputError: all candidates of a group diverged.
    """
    seen = runs.loc[runs["seed"].isin(trials), ["config_hash", metric]]
    mean = seen.groupby("config_hash")[metric].mean()
    mean[mean.index.isin(list(excluded))] = float("nan")
    chosen: list[tuple[G, Any]] = []
    for group in groups:
        best = group.candidates[0]
        if len(group.candidates) > 1:
            values = mean.reindex([spec.config_hash for spec in group.candidates])
            if values.isna().all():
                name = ", ".join(str(part) for part in group.key.values() if part is not None)
                raise InputError(f"{name}: every candidate diverged; give space a smaller lr")
            best = group.candidates[int(values.to_numpy(float, na_value=-1).argmax())]
        chosen.append((group, best))
    return chosen


def record(
    folder: Path, chosen: Sequence[tuple[Candidates, Any]], runs: pd.DataFrame, trials: list[int]
) -> None:
    """Writes the choices, and refuses one that came after its confirmation seeds were seen.

    Args:
        folder: of the results.
        chosen: each group and the candidate that was chosen for it.
        runs: rows of the runs that confirm.
        trials: the seeds that confirm.

    Raises:
        InputError: a choice has changed after seeds were spent on it.
    """
    path, names = folder / SELECTION, list(chosen[0][0].key)
    rows = [_with_settings(group, spec) for group, spec in chosen]
    frame = pd.DataFrame(rows)
    if path.exists():
        before = pd.read_csv(path, dtype=str, keep_default_na=False)
        now = frame.astype("string").fillna("")
        spent = set(runs.loc[runs["seed"].isin(trials), "config_hash"])
        both = before.merge(now, on=names, suffixes=("_before", "_now"))
        changed = both[both["config_hash_before"] != both["config_hash_now"]]
        for row in changed[changed["config_hash_before"].isin(spent)].to_dict("records"):
            name = ", ".join(row[key] for key in names if row[key])
            raise InputError(
                f"{folder}: the settings chosen for {name} have changed after they were confirmed; "
                "give fresh seeds with another --confirm-from, or another --out"
            )
        gone = before[~before["config_hash"].isin(set(both["config_hash_before"]))]
        frame = pd.concat([frame, gone], ignore_index=True)
    write_csv(frame, path)


def _with_settings(group: Candidates, spec: Any) -> dict[str, Any]:
    return group.key | {"config_hash": spec.config_hash, "candidates": len(group.candidates)}
