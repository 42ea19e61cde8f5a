"""The page and the figures of `planted`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.bench.probes.criteria import CRITERIA
from aiec_graph.bench.probes.history import CLASSES
from aiec_graph.bench.probes.measures import SETTING, over_seeds
from aiec_graph.bench.probes.page import heading, write_results
from aiec_graph.bench.report.tables import MODEL_NAMES, markdown, mean_and_std
from aiec_graph.data.simulate.marker import Planted
from aiec_graph.files import write_whole
from aiec_graph.tables import escape_markdown

BINS = 10
WORDS = """**Simulated data: made-up signal, planted in known features.** For each channel of a
trained network, at the epoch with the best validation AP: the total effect (Sobol's, by
Jansen's estimator) of the planted noise columns and of the planted signal columns on its
response before activation, over the training nodes; a group's columns are drawn anew from other
nodes. In the first layer, where columns are independent, that is the sum of squared weights
times the variance of the aggregated columns. The share of noise in the two effects tells
planted-irrelevant channels from relevant ones, by four criteria:"""
SHARES = """How much of the channels is noise: the share of noise in the effects, over a layer's
channels (and in the margin between the classes, which is the network's output); `noise
majority`: channels with more noise than signal."""
MARKED = """What the gates mark: of the total response (sum of activations over the class's
training nodes) of planted-irrelevant channels, the share that the gates call irrelevant to the
class (wanted: at least 80 %), and of relevant channels (wanted: at most 10 %)."""


def draw(folder: Path, channels: pd.DataFrame, scale: float) -> list[Path]:
    """Draws `planted_<data set>-simulated_<features>_<network>.png` for each setting.

    The share of channels that are marked over their share of noise, in tenths.

    Raises:
        InputError: a figure cannot be written.
    """
    paths = []
    for setting, rows in channels.groupby(SETTING, sort=False):
        dataset, _, features, model = setting
        title = (
            f"{dataset} (simulated data, scale {scale:g}), {features} features, "
            f"{MODEL_NAMES[str(model)]}: {rows['seed'].nunique()} seeds"
        )
        path = folder / f"planted_{dataset}-simulated_{features}_{model}.png"
        _draw(path, rows, title)
        paths.append(path)
    return paths


def _draw(path: Path, rows: pd.DataFrame, title: str) -> None:
    # Without pyplot there is no window system to ask for, and nothing global to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers = sorted(rows["layer"].unique())
    acts = list(dict.fromkeys(rows["act"]))
    figure = Figure(figsize=(3.4 * (1 + len(CLASSES)), 2.5 * len(layers) + 0.8),
                    layout="constrained")  # fmt: skip
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(len(layers), 1 + len(CLASSES), squeeze=False)
    share = rows["noise"] / (rows["noise"] + rows["signal"])
    edges = np.linspace(0, 1, BINS + 1).tolist()
    middles = [100 * (i + 0.5) / BINS for i in range(BINS)]
    part = pd.cut(share, edges, labels=middles, include_lowest=True)
    for j, layer in enumerate(layers):
        here = rows["layer"] == layer
        for i, act in enumerate(acts):
            own = here & (rows["act"] == act)
            count = part[own].value_counts(normalize=True, sort=False)
            axes[j, 0].plot(middles, 100 * count.to_numpy(), color=f"C{i}", marker=".",
                            linewidth=1, label=title_of(act))  # fmt: skip
            for k, name in enumerate(CLASSES, 1):
                marks = rows.loc[own, f"irrelevant_{name}"]
                if marks.notna().all():
                    mean = 100 * marks.astype(float).groupby(part[own], observed=False).mean()
                    axes[j, k].plot(middles, mean.to_numpy(), color=f"C{i}", marker=".",
                                    linewidth=1)  # fmt: skip
        for k, name in enumerate(
            ("share of channels (%)", *(f"marked for {c} (%)" for c in CLASSES))
        ):
            axis = axes[j, k]
            axis.set_title(f"layer {layer}", fontsize=8)
            axis.set_ylabel(name, fontsize=8)
            axis.set_xlim(0, 100)
            if k:
                axis.set_ylim(-3, 103)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.25)
            axis.set_xlabel("noise in the channel's effects (%)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(acts), fontsize=8)
    figure.suptitle(title, fontsize=9)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=100))


def write_page(
    config: ProbeConfig,
    tables: Mapping[str, pd.DataFrame],
    figures: list[Path],
    planted: Mapping[str, Planted],
) -> Path:
    """Writes the tables and the page, as `write_results`."""
    note = f" (simulated data, scale {config.simulate:g})"
    page = [f"# Do the gates find planted noise?{note}", WORDS]
    page += ["\n".join(f"- *{name}*: {text}." for name, text in CRITERIA.items())]
    for name, known in planted.items():
        counts = (len(known.own), len(known.neighbours), len(known.noise))
        page.append(
            "{} has {} signal columns of a node's own, {} that tell by the neighbours' mean, "
            "and {} columns of noise.".format(escape_markdown(name), *counts)
        )
    shares = over_seeds(tables["shares"], [*SETTING, "act", "where"])
    marked = tables["marked"]
    for figure, (setting, rows) in zip(figures, shares.groupby(SETTING, sort=False), strict=True):
        page.append(heading(setting, note))
        page += [f"![marked channels over their share of noise]({figure.name})", SHARES]
        page.append(_shares(rows))
        if len(marked):
            own = marked[(marked[SETTING] == list(setting)).all(axis=1)]
            by = [*SETTING, "criterion", "act", "layer", "class"]
            page += [MARKED, _marked(over_seeds(own, by))]
    return write_results(config.folder, tables, page)


def _shares(rows: pd.DataFrame) -> str:
    shown = []
    for row in rows.sort_values("where", kind="stable").to_dict("records"):
        line: dict[str, str] = {"": row["where"], "act": title_of(row["act"])}
        for name, title in (
            ("least_%", "least %"),
            ("lower_quartile_%", "lower quartile %"),
            ("median_%", "median %"),
            ("upper_quartile_%", "upper quartile %"),
            ("most_%", "most %"),
            ("noise_majority_%", "noise majority %"),
            ("val_ap", "validation AP"),
        ):
            line[title] = mean_and_std(row[f"{name}_mean"], row[f"{name}_std"])
        shown.append(line)
    return markdown(shown)


def _marked(rows: pd.DataFrame) -> str:
    shown = []
    order = {name: i for i, name in enumerate(CRITERIA)}
    rows = rows.sort_values(
        ["criterion", "layer", "class"],
        kind="stable",
        key=lambda c: c.map(order) if c.name == "criterion" else c,
    )
    for row in rows.to_dict("records"):
        line: dict[str, str] = {name: str(row[name]) for name in ("criterion", "layer", "class")}
        line["act"] = title_of(row["act"])
        for kind in ("irrelevant", "relevant"):
            line[f"{kind} channels"] = f"{row[f'{kind}_channels_mean']:.1f}"
            for name, title in (
                ("marked_%", "response marked %"),
                ("channels_marked_%", "marked %"),
            ):
                column = f"{kind}_{name}"
                line[f"{kind}: {title}"] = mean_and_std(row[f"{column}_mean"], row[f"{column}_std"])
        shown.append(line)
    return markdown(shown)
