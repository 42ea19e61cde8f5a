"""The command `dynamics`: what training does to channels, epoch by epoch."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.bench.probes.config import MechanismConfig
from aiec_graph.bench.probes.dynamics_figure import draw
from aiec_graph.bench.probes.dynamics_page import write_page
from aiec_graph.bench.probes.history import History, follow
from aiec_graph.bench.probes.measures import (
    PLACE,
    end_rows,
    epoch_rows,
    over_seeds,
    verdict_rows,
)
from aiec_graph.bench.probes.store import Arrays, Run, finish
from aiec_graph.files import write_whole
from aiec_graph.train import Prepared

VERSION = 2
RELU, PARTNER = "relu", "aiec"


def run_dynamics(config: MechanismConfig, console: Console) -> Path:
    """Runs what is not finished yet and writes what came out.

    Writes `epochs.csv` (a row per run, epoch, layer and class), `end.csv` (each run's last ten
    epochs), `summary.csv` (their mean and deviation over the seeds), `verdicts.csv` (what gated
    channels are to the network), `losses.csv`, a figure for each data set, kind of features and
    network, and `index.md` with the tables.

    Args:
        config: the command.
        console: for progress.

    Returns:
        The page.

    Raises:
        InputError: a name, value, file or folder cannot be used, or a run diverged.
    """
    config.check()
    folder = config.folder("dynamics")
    runs = finish(config, folder, _work, VERSION, console)
    histories = {_key(run): History(**run.read()) for run in runs}
    rows, verdicts, losses = [], [], []
    for run in runs:
        history = histories[_key(run)]
        partner, relu = (histories.get((*run.place, act)) for act in (PARTNER, RELU))
        rows.append(epoch_rows(history, partner, relu).assign(**run.key))
        verdicts += [run.key | row for row in verdict_rows(history)]
        losses.append(_losses(history).assign(**run.key))
    epochs = _named_first(pd.concat(rows, ignore_index=True))
    ends = end_rows(epochs)
    tables = {
        "epochs": epochs,
        "end": ends,
        "summary": over_seeds(ends, [*PLACE, "act", "layer", "class"]),
        "verdicts": pd.DataFrame(verdicts),
        "losses": _named_first(pd.concat(losses, ignore_index=True)),
    }
    for name, table in tables.items():
        write_whole(folder / f"{name}.csv", lambda draft, t=table: t.to_csv(draft, index=False))
    figures = draw(folder, epochs)
    return write_page(folder, config, tables, figures)


def _work(cell: RunSpec, seed: int, prepared: Prepared) -> Arrays:
    return follow(cell, seed, prepared).history.arrays()


def _key(run: Run) -> tuple[Any, ...]:
    return (*run.place, run.cell.act_label)


def _losses(history: History) -> pd.DataFrame:
    frame = pd.DataFrame(history.losses, columns=["task", "aux", "gate"])
    frame.insert(0, "epoch", range(1, len(frame) + 1))
    return frame.assign(val_ap=history.val_ap)


def _named_first(frame: pd.DataFrame) -> pd.DataFrame:
    names = ["dataset", "simulated", "features", "model", "act", "seed"]
    return frame[[*names, *(c for c in frame if c not in names)]]
