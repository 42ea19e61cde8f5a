"""The command `planted`: whether AIEC's gates mark the channels that planted noise makes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.bench.probes.attribution import total_effects
from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.bench.probes.criteria import Found, marked_rows, share_rows
from aiec_graph.bench.probes.history import follow
from aiec_graph.bench.probes.planted_page import draw, write_page
from aiec_graph.bench.probes.runs import Probed, probe
from aiec_graph.bench.runs import Arrays
from aiec_graph.data import find_source
from aiec_graph.data.simulate.marker import Planted, read_planted
from aiec_graph.errors import InputError
from aiec_graph.train import Prepared

KIND = "planted-2"


class PlantedWork:
    """Makes one run: trains, then attributes each channel to the planted inputs.

    Args:
        planted: by data set, what its simulator planted.
    """

    def __init__(self, planted: dict[str, Planted]) -> None:
        self.planted = planted

    def __call__(self, spec: RunSpec, seed: int, prepared: Prepared) -> Arrays:
        """Returns the arrays of `Found`."""
        network, best = (followed := follow(spec, seed, prepared)).network, followed.best
        history, planted = followed.history, self.planted[spec.dataset]
        rows = np.flatnonzero(followed.split.train_mask)
        noise, signal = (
            total_effects(network, followed.x, prepared.adjacency, columns, rows, seed)
            for columns in (planted.noise, sorted(planted.own + planted.neighbours))
        )
        gates = history.gates[best] if len(history.gates) else np.empty((0, 0, 0), bool)
        return Found(
            *(noise.channels, signal.channels, history.mean[best], gates),
            np.array([noise.margin, signal.margin]),
            np.array([history.val_ap[best], best + 1], dtype=np.float64),
        )._asdict()


def run_planted(config: ProbeConfig, console: Console) -> Path:
    """Runs what is not finished yet and writes what came out.

    Writes `channels.csv` (a row per run, layer and channel), `marked.csv` (what the gates mark, by
    each criterion of relevance), `shares.csv` (how much of the channels is noise), a figure for
    each data set, kind of features and network, and `index.md` with the tables.

    Args:
        config: the command.
        console: for progress.

    Returns:
        The page.

    Raises:
        InputError: a name, value, file or folder cannot be used, or a run diverged.
    """
    if config.simulate is None:
        raise InputError("planted channels are known in simulated data alone: give --simulate")
    config = config.named("planted")
    planted = {name: _planted_in(config, name) for name in dict.fromkeys(config.dataset)}
    runs = probe(config, KIND, PlantedWork(planted), console)
    channels, marked, shares = [], [], []
    for run in runs:
        found = Found(**run.arrays)
        channels.append(_channels(run, found))
        marked += [run.key | row for row in marked_rows(found)]
        quality = {"val_ap": float(found.quality[0])}
        shares += [run.key | quality | row for row in share_rows(found)]
    tables = {
        "channels": pd.concat(channels, ignore_index=True),
        "marked": pd.DataFrame(marked),
        "shares": pd.DataFrame(shares),
    }
    figures = draw(config.folder, tables["channels"], config.simulate)
    return write_page(config, tables, figures, planted)


def _planted_in(config: ProbeConfig, name: str) -> Planted:
    source = find_source(name, config.data_root, config.simulate, config.text)
    planted = read_planted(source.files[0].parent)
    if not planted.noise:
        raise InputError(f"{name}: its simulator plants words, not features; name another data set")
    return planted


def _channels(run: Probed, found: Found) -> pd.DataFrame:
    layers, classes, width = found.mean.shape
    index = pd.MultiIndex.from_product(
        [range(1, layers + 1), range(width)], names=["layer", "channel"]
    )
    columns: dict[str, Any] = {"noise": found.noise.ravel(), "signal": found.signal.ravel()}
    for k, name in enumerate(("normal", "anomalous")[:classes]):
        columns[f"response_{name}"] = found.mean[:, k].ravel()
        if len(found.gates):
            columns[f"irrelevant_{name}"] = found.gates[:, k].ravel()
    return pd.DataFrame(columns, index).reset_index().assign(**run.key)
