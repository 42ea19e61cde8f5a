"""The report of a backtest: a Markdown page, its tables as CSV, and its figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from aiec_graph.bench.backtest.figures import draw_cuts, draw_decay
from aiec_graph.bench.backtest.moments import written
from aiec_graph.bench.backtest.results import MODEL, titles
from aiec_graph.files import write_whole
from aiec_graph.tables import escape_markdown, write_csv

if TYPE_CHECKING:
    from aiec_graph.bench.backtest.results import Backtest

TABLES = ("cuts", "pairs", "choices", "shuffled", "control", "ages", "decay", "drift", "leakage")
SHOWN = {
    "auc": "AUC",
    "ap": "AP",
    "rec_at_k": "Rec@K",
    "precision": "precision",
    "recall": "recall",
}


def write_report(folder: Path, found: "Backtest") -> None:
    """Writes `report.md`, the tables and the figures into a folder.

    Raises:
        InputError: a file cannot be written.
    """
    write_csv(found.rows, folder / "backtest.csv")
    for name in TABLES:
        write_csv(_titled(getattr(found, name), found.unit), folder / f"{name}.csv")
    draw_cuts(found, folder / "cuts.png")
    if len(found.decay):
        draw_decay(found, folder / "decay.png")
    text = "\n\n".join(_page(found)) + "\n"
    write_whole(folder / "report.md", lambda draft: draft.write_text(text, encoding="utf-8"))


def _titled(frame: pd.DataFrame, unit: str) -> pd.DataFrame:
    """A table with what to print of its rows behind: title, and at (the cut) and unit."""
    if frame.empty:
        return frame
    if "act" in frame:
        frame = frame.assign(title=titles(frame))
    if "cut" in frame:
        frame = frame.assign(at=[written(int(cut), unit) for cut in frame["cut"]], unit=unit)
    return frame


def _page(found: "Backtest") -> list[str]:
    label = escape_markdown(found.label)
    parts = [f"# Backtest: {label}"]
    if found.rows["simulated"].any():
        parts.append("Simulated data: these numbers say nothing about the real data set.")
    if len(found.choices):
        chosen = found.choices[found.choices["is_chosen"]]
        parts.append(
            "Settings chosen by validation AP on the first cuts, which take part in nothing below: "
            f"{', '.join(titles(chosen))}."
        )
    parts += _cuts(found)
    parts += _pairs(found)
    parts += _control(found)
    parts += _decay(found)
    parts += _leakage(found)
    return parts


def _cuts(found: "Backtest") -> list[str]:
    cuts, unit = found.cuts, found.unit
    names = list(dict.fromkeys(titles(cuts)))
    wide = cuts.assign(title=titles(cuts)).pivot(index="cut", columns="title", values="ap")
    base = cuts.drop_duplicates("cut").set_index("cut")["base_rate"]
    values = wide.loc[base.index, names].to_numpy()
    rows = [
        [written(int(cut), unit), *(f"{value:.1f}" for value in own), f"{rate:.1f}"]
        for cut, own, rate in zip(base.index.tolist(), values, base, strict=True)
    ]
    rows.append(["mean", *(f"{wide[name].mean():.1f}" for name in names), f"{base.mean():.1f}"])
    means = cuts.groupby(MODEL, sort=False)[list(SHOWN)].mean().reset_index()
    second = [
        [name, *(f"{means[metric].iloc[i]:.1f}" for metric in SHOWN)]
        for i, name in enumerate(titles(means))
    ]
    parts = [
        "## By cut",
        f"AP in percent at each cut, {_of_seeds(int(cuts['seeds'].iloc[0]))}, and the share of "
        "anomalies, which is the AP of a random order.",
        _table([f"cut ({unit})", *names, "base rate"], rows),
        "![AP by cut](cuts.png)",
        "Means over the cuts; precision and recall at the cut-off that validation chose, precision "
        "over those runs in which a labelled node is above it.",
        _table(["model", *SHOWN.values()], second),
    ]
    if found.left_out:
        lines = (f"- {written(left.cut.moment, unit)}: {left.why}" for left in found.left_out)
        parts += ["Cuts left out:", "\n".join(lines)]
    return parts


def _of_seeds(count: int) -> str:
    return "of one seed" if count == 1 else f"the mean over {count} seeds"


def _pairs(found: "Backtest") -> list[str]:
    pairs = found.pairs
    if pairs.empty:
        return ["## Differences", "One model or one cut: there is nothing to compare."]
    rows = [
        [
            str(row["model"]),
            SHOWN[str(row["metric"])],
            str(row["cuts"]),
            f"{row['difference']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})",
            *(_number(row[p]) for p in ("p", "p_holm", "p_wilcoxon")),
        ]
        for row in pairs.to_dict("records")
    ]
    return [
        "## Differences",
        f"Each model against {pairs['reference'].iloc[0]}, cut by cut, in points; cuts are the "
        "sample, after averaging over seeds. Holm corrects for the models. " + _of_overlap(found),
        _table(
            ["model", "metric", "cuts", "difference (95 %)", "p (t)", "p (Holm)", "p (Wilcoxon)"],
            rows,
        ),
    ]


def _control(found: "Backtest") -> list[str]:
    """The random split of the same nodes, where it was asked for."""
    if found.control.empty:
        return []
    rows = []
    for row in found.control.to_dict("records"):
        cells = [str(row["model"]), SHOWN[str(row["metric"])]]
        cells += [f"{row['by_time']:.1f}", f"{row['at_random']:.1f}"]
        if pd.isna(row.get("p", float("nan"))):
            cells += ["–", "–", "–"]
        else:
            cells.append(f"{row['difference']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})")
            cells += [_number(row["p"]), _number(row["p_holm"])]
        rows.append(cells)
    return [
        "## Over time, and at random",
        "Each model was trained once more on the same nodes dealt out at random, with as many "
        "labels of each class, so that past and future do not differ. The difference is a model's "
        f"lead over {found.control['model'].iloc[0]} over time less its lead at random: above 0, "
        "it helps where the test differs from the training.",
        _table(
            ["model", "metric", "over time", "at random", "difference (95 %)", "p (t)", "p (Holm)"],
            rows,
        ),
    ]


def _of_overlap(found: "Backtest") -> str:
    if found.overlap == 0:
        return "No two horizons share a node, so the cuts' differences vary for themselves."
    return (
        "Horizons overlap, so neighbouring cuts test on the same nodes: the t-test and its "
        f"interval are widened for that (s² (1/n + {found.overlap:.2f})), and Wilcoxon's test, "
        "which cannot be, is left out."
    )


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"


def _decay(found: "Backtest") -> list[str]:
    unit = found.unit
    parts = ["## Age of the model"]
    if found.decay.empty:
        return [*parts, "No cut has both classes at every age."]
    ages = sorted(set(found.decay["age"]))
    drift = found.drift.groupby("age")[["psi_mean", "psi_max"]].mean()
    rows = []
    for age in ages:
        own = found.decay[found.decay["age"] == age]
        row = [str(age), *(f"{value:.1f}" for value in own["ap_mean"])]
        row += [f"{own['base_rate_mean'].iloc[0]:.1f}"]
        rows.append([*row, f"{drift.loc[age, 'psi_mean']:.2f}", f"{drift.loc[age, 'psi_max']:.2f}"])
    names = list(titles(found.decay.drop_duplicates(MODEL)))
    worst = found.drift["worst"].mode().iloc[0]
    return [
        *parts,
        f"AP of nodes that were new so many {unit}s after the training, over "
        f"{found.decay['cuts'].iloc[0]} cuts that have both classes at every age, and the "
        "population stability index of the inputs against the training nodes, mean and largest of "
        "an input, over all cuts; above 0.2 is by custom a shift that matters. Most often the "
        f"largest is that of {escape_markdown(str(worst))}.",
        _table([f"age ({unit}s)", *names, "base rate", "PSI, mean", "PSI, largest"], rows),
        "![AP and drift by age](decay.png)",
    ]


def _leakage(found: "Backtest") -> list[str]:
    parts = ["## Leakage gap"]
    if found.is_frozen:
        return [
            *parts,
            "No edge joins nodes of two moments, so what is known of a node never changes: "
            "features and edges of the whole time are those of the cut, and the gap is 0 without a "
            "training.",
        ]
    if found.leakage.empty:
        return [*parts, "Not measured (--skip-leakage)."]
    has_interval = "low" in found.leakage
    rows = [
        [
            name,
            str(row["cuts"]),
            f"{row['ap_gap']:+.2f}"
            + (f" ({row['low']:+.2f} to {row['high']:+.2f})" if has_interval else ""),
        ]
        for name, row in zip(titles(found.leakage), found.leakage.to_dict("records"), strict=True)
    ]
    return [
        *parts,
        "By how many points features and edges of the whole time raise the AP of the same nodes, "
        "models trained on the same labels: what a careless split would promise and not keep.",
        _table(["model", "cuts", "AP (95 %)"], rows),
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
