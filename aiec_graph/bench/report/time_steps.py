"""Metrics of each time step of the test nodes: where a pattern of fraud begins or ends."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.report.tables import METRICS, MODEL_NAMES
from aiec_graph.data import Graph, Split
from aiec_graph.files import write_whole
from aiec_graph.metrics import evaluate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RUN = ["dataset", "simulated", "model", "act", "seed"]
COUNTS = ["time_step", "nodes", "anomalous"]


def by_time_step(graph: Graph, split: Split, score: NDArray[np.floating]) -> pd.DataFrame:
    """One row per time step among the test nodes of a graph that has time steps.

    Columns: time_step, nodes, anomalous, and auc, ap and rec_at_k in percent, empty where the step
    lacks one of the classes.
    """
    assert graph.time_step is not None
    rows = []
    step = np.where(split.test_mask, graph.time_step, np.iinfo(np.int64).min)
    for value in np.unique(graph.time_step[split.test_mask]):
        y, scores = graph.y[step == value], score[step == value]
        row: dict[str, float] = {"time_step": value, "nodes": len(y), "anomalous": int(y.sum())}
        if 0 < y.sum() < len(y):
            row |= evaluate(y, scores)._asdict()
        rows.append(row)
    return pd.DataFrame(rows, columns=[*COUNTS, *METRICS])


def collect(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Joins the files of finished runs that have one, with the columns that name each run.

    Args:
        folder: with a file `<config_hash>_<seed>.csv` for each run on a graph with time steps.
        runs: rows of `runs.csv`.
    """
    frames = []
    for run in runs[["dataset", "simulated", "model", "act", "seed", "config_hash"]].to_dict(
        "records"
    ):
        path = folder / f"{run['config_hash']}_{run['seed']}.csv"
        if path.is_file():
            frames.append(pd.read_csv(path).assign(**{str(k): v for k, v in run.items()}))
    if not frames:
        return pd.DataFrame()
    joined = pd.concat(frames, ignore_index=True)
    return joined[
        ["dataset", "simulated", "model", "act", "seed", *COUNTS, *METRICS, "config_hash"]
    ]


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Draws AP by time step, mean and standard deviation over the seeds, a panel per network."""
    # Without pyplot there is no window system to ask for, and nothing global to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(rows.groupby(["dataset", "simulated", "model"], sort=False))
    figure = Figure(figsize=(8, 2.9 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), sharex=False, squeeze=False)[:, 0]
    for axis, ((dataset, simulated, model), panel) in zip(axes, panels, strict=True):
        draw_panel(axis, panel)
        suffix = " (simulated data)" if simulated else ""
        title = f"{dataset}{suffix}, {MODEL_NAMES[str(model)]}"
        axis.set_title(title, fontsize=10, parse_math=False)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=150))


def draw_panel(axis: "Axes", panel: pd.DataFrame) -> None:
    """Draws AP of each activation, what a random order would have, and the anomalous nodes."""
    from matplotlib.ticker import MaxNLocator

    steps = panel.drop_duplicates("time_step").set_index("time_step").sort_index()
    base_rate = 100 * steps["anomalous"] / steps["nodes"]
    axis.plot(steps.index, base_rate, color="0.3", linestyle="--", linewidth=1, label="base rate")
    highest = base_rate.max()
    for (act, _), runs in panel.groupby(["act", "config_hash"], sort=False):
        ap = runs.groupby("time_step")["ap"].agg(["mean", "std"]).dropna(subset="mean")
        mean, low, high = ap["mean"], *_band(ap)
        # Markers on the edge of the panel are drawn whole.
        style = {"marker": "o", "markersize": 3, "clip_on": False, "label": title_of(str(act))}
        (line,) = axis.plot(ap.index, mean, **style)
        axis.fill_between(ap.index, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        highest = max(highest, high.max())
    behind = axis.twinx()
    behind.bar(steps.index, steps["anomalous"], color="0.85", width=0.6, zorder=0)
    behind.set_ylabel("anomalous test nodes", color="0.5")
    behind.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_zorder(behind.get_zorder() + 1)
    axis.patch.set_visible(False)
    axis.set_xlim(steps.index[0] - 0.6, steps.index[-1] + 0.6)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_ylim(0, min(100, 1.1 * highest))
    axis.set_ylabel("AP (%)")
    axis.set_xlabel("time step")
    axis.legend(fontsize=8, ncols=5)


def _band(ap: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """One standard deviation below and above the mean, as far as AP reaches."""
    spread = ap["std"].fillna(0)
    return (ap["mean"] - spread).clip(lower=0), (ap["mean"] + spread).clip(upper=100)
