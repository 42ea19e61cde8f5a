"""The choice of settings on the first cuts of a backtest, by validation alone."""

from collections.abc import Sequence

import pandas as pd

from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.bench.engine import Run
from aiec_graph.errors import InputError

GROUP = ["model", "group"]


def parted(cuts: Sequence[Cut], count: int) -> tuple[list[Cut], list[Cut]]:
    """The cuts that tune, and those that confirm.

    Raises:
        InputError: none is left to confirm.
    """
    if count >= len(cuts):
        raise InputError(
            f"--tune {count} leaves none of the {len(cuts)} cuts that can be used to confirm what "
            "it chooses; take fewer, or more cuts"
        )
    return list(cuts[:count]), list(cuts[count:])


def choose(rows: pd.DataFrame) -> pd.DataFrame:
    """Takes of each model and activation the settings with the best mean validation AP.

    Test metrics are not looked at; the first of equals wins.

    Args:
        rows: finished runs of the cuts that tune.

    Returns:
        A row for each model and candidate: model, group (the activation without settings), act
        (with them), val_ap and is_chosen.
    """
    # A variant of AIEC is another activation, and chooses for itself.
    variant = rows["act"].str.extract(r"\b(variant=\w+)")[0].fillna("")
    groups = (rows["act"].str.partition(":")[0] + ":" + variant).str.rstrip(":")
    keys = [*GROUP, "act"]
    means = rows.assign(group=groups).groupby(keys, sort=False)["val_ap"].mean().reset_index()
    best = means.groupby(GROUP, sort=False)["val_ap"].idxmax()
    return means.assign(is_chosen=means.index.isin(best))


def take_chosen(runs: Sequence[Run], choices: pd.DataFrame) -> list[Run]:
    """The runs with settings that were chosen.

    Args:
        runs: of all candidates.
        choices: from `choose`.
    """
    chosen = choices[choices["is_chosen"]][["model", "act"]]
    pairs = set(chosen.itertuples(index=False, name=None))
    return [run for run in runs if (run.spec.model, run.spec.act_label) in pairs]
