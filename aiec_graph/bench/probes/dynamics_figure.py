"""The figure of `dynamics`: one panel per measure and layer, over the epochs."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.probes.measures import RATIO, SETTING
from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.files import write_whole

PANELS = {
    "silent_%": "silent channels (%)",
    "firing_rate": "relative firing rate",
    "gated_%": "gated channels (%)",
    "changed_%": "gates changed since\nthe epoch before (%)",
    "relevant_to_relu": "response of relevant\nchannels (ReLU's = 1)",
    "irrelevant_to_relu": "response of irrelevant\nchannels (ReLU's = 1)",
}
LINES: dict[str, Literal["-", "--"]] = {"normal": "--", "anomalous": "-"}
SMOOTH = {"changed_%": 5}
"""Epochs that a noisy measure is averaged over."""


def draw(folder: Path, epochs: pd.DataFrame) -> list[Path]:
    """Draws `dynamics_<data set>_<features>_<network>.png` for each setting.

    Means over the seeds, medians of ratios; a panel without figures, such as those that need a
    run of ReLU, is left out.

    Raises:
        InputError: a figure cannot be written.
    """
    paths = []
    for setting, rows in epochs.groupby(SETTING, sort=False):
        dataset, simulated, features, model = setting
        note = " (simulated data)" if simulated else ""
        seeds = rows["seed"].nunique()
        title = (
            f"{dataset}{note}, {features} features, {MODEL_NAMES[str(model)]}: means "
            f"(of ratios medians) over {seeds} seed{'s' if seeds > 1 else ''}"
        )
        stem = f"{dataset}{'-simulated' if simulated else ''}_{features}_{model}"
        path = folder / f"dynamics_{stem}.png"
        _draw(path, rows, title)
        paths.append(path)
    return paths


def _draw(path: Path, rows: pd.DataFrame, title: str) -> None:
    # Without pyplot there is no window system to ask for, and nothing global to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    measures = [name for name in PANELS if name in rows and rows[name].notna().any()]
    layers = sorted(rows["layer"].unique())
    acts = list(dict.fromkeys(rows["act"]))
    columns = min(3, len(measures))
    blocks = -(-len(measures) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.3 * blocks * len(layers) + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(blocks * len(layers), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    for i, measure in enumerate(measures):
        for j, layer in enumerate(layers):
            axis = axes[(i // columns) * len(layers) + j, i % columns]
            axis.set_visible(True)
            own = rows[rows["layer"] == layer]
            for (act, name), line in own.groupby(["act", "class"], sort=False):
                how = "median" if measure.endswith(RATIO) else "mean"
                mean = line.groupby("epoch")[measure].agg(how)
                if mean.notna().any():
                    mean = mean.rolling(SMOOTH.get(measure, 1), min_periods=1).mean()
                    color = f"C{acts.index(str(act))}"
                    axis.plot(mean.index, mean, LINES[str(name)], color=color, linewidth=1.1)
            axis.set_title(f"layer {layer}", fontsize=8)
            axis.set_ylabel(PANELS[measure], fontsize=8)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.25)
            if measure.endswith(RATIO):
                axis.axhline(1, color="0.4", linewidth=0.7)
    for axis in axes.flat:
        axis.set_xlabel("epoch", fontsize=8)
    handles = [Line2D([], [], color=f"C{i}", label=title_of(a)) for i, a in enumerate(acts)]
    handles += [Line2D([], [], color="0.3", linestyle=s, label=n) for n, s in LINES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
    figure.suptitle(title, fontsize=10)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=100))
