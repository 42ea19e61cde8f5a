"""The figure of a sweep: a metric over the values of one of AIEC's settings (Figures 4 and 5)."""

from pathlib import Path

import pandas as pd

from aiec_graph.artifacts.variants import SETTING_TITLES, swept, title_of
from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.files import write_whole

FEWEST = 2  # points that make a line


def plot_sweeps(folder: Path, summary: pd.DataFrame, network: str, metric: str, axis: str) -> None:
    """Draws `sweep_<setting>.png` for each setting of which a summary holds several values.

    Mean and standard deviation over the seeds, a panel per data set and network; activations
    without the setting are horizontal lines.

    Args:
        folder: where the figures go.
        summary: one row per spec, with dataset, act, `<metric>_mean` and `<metric>_std`.
        network: the column that names the network.
        metric: a column's name without `_mean`.
        axis: what the vertical axis says.

    Raises:
        InputError: a figure cannot be written.
    """
    found = summary["act"].map(swept)
    for key in dict.fromkeys(pair[0] for pair in found.dropna()):
        value = found.map(lambda pair, key=key: pair[1] if pair and pair[0] == key else None)
        rows = summary.assign(value=pd.to_numeric(value))
        if rows["value"].nunique() >= FEWEST:
            rows = rows[rows["value"].notna() | found.isna()]
            _plot(folder / f"sweep_{key}.png", rows, key, network, metric, axis)


def _plot(path: Path, rows: pd.DataFrame, key: str, network: str, metric: str, axis: str) -> None:
    # Without pyplot there is no window system to ask for, and nothing global to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    by = ["dataset", "simulated", network] if "simulated" in rows else ["dataset", network]
    panels = list(rows.groupby(by, sort=False))
    figure = Figure(figsize=(6, 3.4 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (setting, panel) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, i + 1)
        own = panel.dropna(subset="value").sort_values("value")
        mean, std = own[f"{metric}_mean"], own[f"{metric}_std"].fillna(0)
        axes.errorbar(own["value"], mean, std, marker="o", markersize=4, capsize=3, label="AIEC")
        others = panel[panel["value"].isna()]
        for number, other in enumerate(others.to_dict("records"), 1):
            level, spread = other[f"{metric}_mean"], other[f"{metric}_std"]
            color = f"C{number}"
            axes.axhline(level, color=color, linestyle="--", label=title_of(other["act"]))
            if spread == spread:
                axes.axhspan(level - spread, level + spread, color=color, alpha=0.1, linewidth=0)
        names = [MODEL_NAMES.get(str(p), str(p)) for p in setting if not isinstance(p, bool)]
        simulated = " (simulated data)" if "simulated" in rows and panel["simulated"].any() else ""
        about = "mean ± standard deviation over the seeds"
        axes.set_title(f"{', '.join(names)}{simulated}: {about}", fontsize=10)
        positive = own["value"][own["value"] > 0]
        if len(positive) and positive.max() / positive.min() > 20:
            axes.set_xscale("symlog", linthresh=positive.min())
            axes.set_xlim(min(own["value"].min(), 0), positive.max() * 1.5)
            axes.set_xticks(sorted(set(own["value"])))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        axes.set_xlabel(SETTING_TITLES.get(key, key))
        axes.set_ylabel(axis)
        axes.legend(fontsize=8)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=150))
