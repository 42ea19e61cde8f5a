"""A study's figures: differences with their intervals, ranks, and what a factor changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.bench.study.compare import SETTING
from aiec_graph.bench.study.statistics import LEVEL
from aiec_graph.files import write_whole

FEWEST_ACTS = 3


def setting_title(row: Mapping[Any, Any] | pd.Series, factor: str | None) -> str:
    """A setting as figures name it."""
    name = f"{row['dataset']}, {row['features']}, {MODEL_NAMES[str(row['model'])]}"
    return name if factor is None else f"{name}, {factor} {row['level']}"


def forest_plot(path: Path, rows: pd.DataFrame, factor: str | None, note: str) -> None:
    """Draws the mean differences in AP from one activation, with their 95 % intervals."""
    # A panel for each data set: their spreads differ by an order of magnitude.
    panels = list(rows.groupby("dataset", sort=False))
    figure = _figure(8, 1.4 + 0.24 * len(rows))
    heights = [len(panel) + 2 for _, panel in panels]
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=heights)
    acts = list(dict.fromkeys(rows["act"]))
    for (_, panel), axes in zip(panels, grid[:, 0], strict=True):
        labels = []
        for y, row in enumerate(panel.to_dict("records")):
            color = f"C{acts.index(row['act'])}"
            axes.plot([row["low"], row["high"]], [y, y], color=color, linewidth=1.4)
            filled = color if row["p_holm"] < LEVEL else "white"
            axes.plot(
                row["difference"], y, "o", color=color, markerfacecolor=filled, markersize=4.5
            )
            labels.append(f"{setting_title(row, factor)}: {title_of(row['act'])}")
        axes.axvline(0, color="0.5", linewidth=0.8)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        axes.invert_yaxis()
        axes.margins(y=0.02)
    grid[-1, 0].set_xlabel(
        f"difference in test AP (points), 95 % interval; filled: p < {LEVEL} after Holm"
    )
    against = title_of(str(rows["reference"].iloc[0]))
    grid[0, 0].set_title(f"Test AP, minus {against}'s{note}", fontsize=10)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=130))


def rank_plot(path: Path, wide: pd.DataFrame, note: str) -> bool:
    """Draws the critical-difference diagram (Demšar, 2006) of three activations or more.

    Args:
        path: the PNG.
        wide: mean AP [settings × activations].
        note: added to the title.

    Returns:
        Whether it was drawn.
    """
    if wide.shape[1] < FEWEST_ACTS:
        return False
    import scikit_posthocs

    named = wide.rename(columns=title_of)
    ranks = named.rank(axis=1, ascending=False).mean()
    p = scikit_posthocs.posthoc_nemenyi_friedman(named.to_numpy())
    p.index = p.columns = named.columns
    figure = _figure(7, 2.6)
    axes = figure.add_subplot()
    scikit_posthocs.critical_difference_diagram(ranks, p, ax=axes)
    axes.set_title(
        f"Mean rank in test AP over {len(wide)} settings; a bar joins what Nemenyi's test "
        f"does not tell apart{note}",
        fontsize=8,
    )
    write_whole(path, lambda draft: figure.savefig(draft, dpi=130))
    return True


def factor_plot(path: Path, table: pd.DataFrame, factor: str, note: str) -> None:
    """Draws test AP over a factor's values, a panel per data set, features and network."""
    own = table[table["networks"]]
    panels = list(own.groupby(SETTING[:-1], sort=False))
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = _figure(5 * columns, 3.2 * rows)
    for i, (_, panel) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        for act, line in panel.groupby("act", sort=False):
            error = line["test_ap_std"] / line["seeds"] ** 0.5
            x = line["level"].astype(float)
            axes.errorbar(
                x, line["test_ap_mean"], error, marker="o", markersize=3, capsize=2,
                label=title_of(str(act)), linewidth=1.2,
            )  # fmt: skip
        positive = [v for v in panel["level"].astype(float) if v > 0]
        if positive and max(positive) / min(positive) > 7:
            axes.set_xscale("symlog", base=2, linthresh=min(positive))
        axes.set_xticks(sorted(set(panel["level"].astype(float))))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_title(setting_title(panel.iloc[0], None), fontsize=9)
        axes.set_xlabel(factor)
        axes.set_ylabel("test AP (%)")
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(f"Mean and its standard error over the seeds{note}", fontsize=9)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=130))


def _figure(width: float, height: float) -> Any:
    # Without pyplot there is no window system to ask for, and nothing global to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
