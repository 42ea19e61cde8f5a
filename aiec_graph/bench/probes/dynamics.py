"""The command `dynamics`: what training does to channels, epoch by epoch."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.bench.probes.dynamics_figure import draw
from aiec_graph.bench.probes.dynamics_page import write_page
from aiec_graph.bench.probes.history import History, follow
from aiec_graph.bench.probes.measures import (
    SETTING,
    end_rows,
    epoch_rows,
    gate_rows,
    over_seeds,
)
from aiec_graph.bench.probes.runs import probe
from aiec_graph.bench.runs import Arrays
from aiec_graph.train import Prepared

KIND = "dynamics-3"
RELU, PARTNER = "relu", "aiec"


def run_dynamics(config: ProbeConfig, console: Console) -> Path:
    """Runs what is not finished yet and writes what came out.

    Writes `epochs.csv` (a row per run, epoch, layer and class), `end.csv` (each run's last ten
    epochs), `summary.csv` (their mean and deviation over the seeds), `gates.csv` (what gated
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
    config = config.named("dynamics")
    runs = probe(config, KIND, _work, console)
    histories = {(*run.setting, run.key["act"]): History(**run.arrays) for run in runs}
    rows, gates, losses = [], [], []
    for run in runs:
        history = histories[*run.setting, run.key["act"]]
        partner, relu = (histories.get((*run.setting, act)) for act in (PARTNER, RELU))
        rows.append(epoch_rows(history, partner, relu).assign(**run.key))
        gates += [run.key | row for row in gate_rows(history)]
        losses.append(_losses(history).assign(**run.key))
    epochs = _named_first(pd.concat(rows, ignore_index=True))
    ends = end_rows(epochs)
    tables = {
        "epochs": epochs,
        "end": ends,
        "summary": over_seeds(ends, [*SETTING, "act", "layer", "class"]),
        "gates": pd.DataFrame(gates),
        "losses": _named_first(pd.concat(losses, ignore_index=True)),
    }
    figures = draw(config.folder, epochs)
    return write_page(config, tables, figures)


def _work(spec: RunSpec, seed: int, prepared: Prepared) -> Arrays:
    return follow(spec, seed, prepared).history.arrays()


def _losses(history: History) -> pd.DataFrame:
    frame = pd.DataFrame(history.losses, columns=["task", "aux", "gate"])
    frame.insert(0, "epoch", range(1, len(frame) + 1))
    return frame.assign(val_ap=history.val_ap)


def _named_first(frame: pd.DataFrame) -> pd.DataFrame:
    names = ["dataset", "simulated", "features", "model", "act", "seed"]
    return frame[[*names, *(c for c in frame if c not in names)]]
