"""Early stopping of candidates, beside the rule written out."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from aiec_graph.bench.study.plan import Group
from aiec_graph.bench.study.tuning import tune_all, tune_pruned

pytest.importorskip("optuna")
TRIALS = [11, 22, 33]


class Candidate(NamedTuple):
    config_hash: str


class Trainings:
    """Made-up validation AP of each candidate on each trial; NaN where it diverges."""

    def __init__(self, table):
        self.table, self.made = table, []

    def make(self, runs):
        keys = [(run.spec.config_hash, TRIALS.index(run.seed)) for run in runs]
        self.made += [key for key in keys if key not in self.made]
        return {name: "lost" for name, step in keys if np.isnan(self.table[name][step])}

    def read(self):
        rows = [(name, TRIALS[step], self.table[name][step]) for name, step in self.made]
        rows = [row for row in rows if not np.isnan(row[2])]
        return pd.DataFrame(rows, columns=["config_hash", "seed", "val_ap"])


def expected(names, table):
    """What is dropped and what is run, candidate by candidate."""
    first = names[: (len(names) + 1) // 2]
    running = {name: np.cumsum(table[name]) / [1, 2, 3] for name in names}
    made = {(name, step) for name in first for step in range(3)}
    dropped = {name for name in first if np.isnan(table[name]).any()}
    sound = [running[name] for name in first if name not in dropped]
    for name in names[len(first) :]:
        for step in range(3):
            made.add((name, step))
            if np.isnan(table[name][step]):
                dropped.add(name)
                break
            best = max(running[name][: step + 1])
            if step < 2 and sound and best < np.median([other[step] for other in sound]):
                dropped.add(name)
                break
    return dropped, made


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("diverge", [0.0, 0.15])
def test_what_is_stopped_is_what_the_rule_says(seed, diverge):
    chance = np.random.default_rng(seed)
    groups, table, dropped, made = [], {}, set(), set()
    for number, size in enumerate((2, 5, 8)):
        names = [f"g{number}c{i}" for i in range(size)]
        own = chance.random((size, 3)).round(2)
        own[chance.random((size, 3)) < diverge] = np.nan
        table |= dict(zip(names, own, strict=True))
        groups.append(Group(tuple(Candidate(name) for name in names), None))
        found = expected(names, table)
        dropped, made = dropped | found[0], made | found[1]
    trainings = Trainings(table)
    assert tune_pruned(groups, TRIALS, trainings.make, trainings.read) == dropped
    assert set(trainings.made) == made
    # Given again, it decides the same of what is finished.
    again = tune_pruned(groups, TRIALS, trainings.make, trainings.read)
    assert again == dropped
    assert set(trainings.made) == made
    everything = Trainings(table)
    lost = tune_all(groups, TRIALS, everything.make)
    assert len(everything.made) == 45
    assert lost == {name for name, values in table.items() if np.isnan(values).any()}
