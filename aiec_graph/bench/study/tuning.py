"""Which candidates a study runs to tune: all of them, or none longer than it has a chance."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.artifacts.specs import ClassifierSpec, RunSpec
from aiec_graph.bench.engine import Run
from aiec_graph.bench.study.plan import Group

Candidate = RunSpec | ClassifierSpec
Make = Callable[[list[Run]], dict[str, str]]
"""Makes runs that are not finished; returns why specifications diverged, by their hash."""


def tune_all(groups: Iterable[Group], trials: Sequence[int], make: Make) -> set[str]:
    """Runs every candidate on every tuning trial.

    Returns:
        The hashes of candidates that diverged.
    """
    return set(make([Run(c, seed) for g in groups for c in g.candidates for seed in trials]))


def tune_pruned(
    groups: Iterable[Group], trials: Sequence[int], make: Make, read: Callable[[], pd.DataFrame]
) -> set[str]:
    """Runs half of each group's candidates on every tuning trial, the others while they may win.

    After each trial Optuna's `MedianPruner` drops those of the others whose best running mean of
    validation AP is below the median that the first half had after as many trials. All that is
    left runs side by side, and the decision waits for all of it: it does not depend on which run
    ended first, and a sweep that is continued decides as before.

    Args:
        groups: with their candidates; the first half of them, the defaults among them, is the
            yardstick.
        trials: the tuning seeds.
        make: makes runs.
        read: gives the finished rows, with config_hash, seed and val_ap.

    Returns:
        The hashes of candidates that were dropped or diverged.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    halves = [_halves(group) for group in groups]
    out = tune_all([Group(first, None) for first, _ in halves], trials, make)
    means = _running_means(read(), trials)
    searches = []
    for first, others in halves:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
        search = optuna.create_study(direction="maximize", pruner=pruner)
        for spec in first:
            if spec.config_hash not in out:
                search.add_trial(_finished(means[spec.config_hash].to_numpy()))
        searches.append([(search.ask(), spec) for spec in others])
    for step, seed in enumerate(trials):
        alive = [pair for pairs in searches for pair in pairs if pair[1].config_hash not in out]
        if not alive:
            break
        out |= set(make([Run(spec, seed) for _, spec in alive]))
        means = _running_means(read(), trials)
        for search, spec in alive:
            if spec.config_hash in out:
                continue
            search.report(float(means[spec.config_hash].to_numpy()[step]), step)
            if step + 1 < len(trials) and search.should_prune():
                out.add(spec.config_hash)
    return out


def _halves(group: Group) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    middle = (len(group.candidates) + 1) // 2
    return group.candidates[:middle], group.candidates[middle:]


def _running_means(rows: pd.DataFrame, trials: Sequence[int]) -> pd.DataFrame:
    """Mean validation AP over the first 1, 2, … trials: a row a trial, a column a candidate."""
    rows = rows[rows["seed"].isin(trials)].drop_duplicates(["config_hash", "seed"], keep="last")
    values = rows.pivot(index="seed", columns="config_hash", values="val_ap")
    return values.reindex(list(trials)).expanding().mean()


def _finished(means: NDArray[np.float64]) -> Any:
    import optuna

    values = {step: float(value) for step, value in enumerate(means)}
    return optuna.trial.create_trial(value=values[len(values) - 1], intermediate_values=values)
