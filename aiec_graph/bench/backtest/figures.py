"""Figures of a backtest: quality by cut, and by the age of the model beside the inputs' drift."""

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aiec_graph.bench.backtest.moments import written
from aiec_graph.bench.backtest.results import MODEL, titles
from aiec_graph.files import write_whole

if TYPE_CHECKING:
    from aiec_graph.bench.backtest.results import Backtest

GREY = "0.45"


def draw_cuts(found: "Backtest", path: Path) -> None:
    """Draws AP by cut, a line a model with its interval over seeds, above the base rate."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    cuts = found.cuts
    models = list(cuts.groupby(MODEL, sort=False))
    place = {cut: i for i, cut in enumerate(sorted(set(cuts["cut"])))}
    for number, (_, own) in enumerate(models):
        # Side by side, so that intervals do not cover each other.
        at = [place[cut] + 0.06 * (number - (len(models) - 1) / 2) for cut in own["cut"]]
        low, high = own["ap"] - own["ap_low"], own["ap_high"] - own["ap"]
        axis.errorbar(
            at,
            own["ap"],
            yerr=[low.fillna(0), high.fillna(0)],
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=titles(own).iloc[0],
        )
    base = cuts.drop_duplicates("cut").sort_values("cut")
    at = [place[cut] for cut in base["cut"]]
    axis.step(at, base["base_rate"], where="mid", color=GREY, linestyle="--", label="base rate")
    axis.set_xticks(list(place.values()), [written(cut, found.unit) for cut in place])
    if found.unit == "day":
        axis.tick_params(axis="x", rotation=30)
    axis.set_ylim(0, 100)
    axis.set_xlabel(f"cut ({found.unit})")
    axis.set_ylabel("AP (%)")
    axis.set_title(found.label, fontsize=10)
    axis.legend(fontsize=8)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=150))


def draw_decay(found: "Backtest", path: Path) -> None:
    """Draws AP by the age of the model, and below it how far the inputs have drifted."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    for _, own in found.decay.groupby(MODEL, sort=False):
        (line,) = above.plot(own["age"], own["ap_mean"], marker="o", label=titles(own).iloc[0])
        error = own["ap_sem"].fillna(0)
        above.fill_between(
            own["age"],
            own["ap_mean"] - error,
            own["ap_mean"] + error,
            color=line.get_color(),
            alpha=0.15,
            linewidth=0,
        )
    base = found.decay.drop_duplicates("age")
    above.plot(base["age"], base["base_rate_mean"], "--", color=GREY, label="base rate")
    above.set_ylim(0, 100)
    above.set_ylabel("AP (%)")
    above.set_title(f"{found.label}: by age of the model", fontsize=10)
    above.legend(fontsize=8)
    drift = found.drift.groupby("age")[["psi_mean", "psi_max"]].mean()
    below.plot(drift.index, drift["psi_max"], marker="s", color="C3", label="most of an input")
    below.plot(drift.index, drift["psi_mean"], marker="o", color=GREY, label="mean of inputs")
    below.axhline(0.2, color="0.7", linewidth=0.8)
    below.set_ylim(bottom=0)
    below.set_ylabel("drift (PSI)")
    below.set_xlabel(f"{found.unit}s since the cut")
    below.legend(fontsize=8)
    write_whole(path, lambda draft: figure.savefig(draft, dpi=150))
