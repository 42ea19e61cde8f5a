"""The section of a report on a backtest: what models would have found, from its tables."""

from dataclasses import dataclass
from pathlib import Path

import altair as alt
import pandas as pd
from markupsafe import Markup

from aiec_graph.detect.report.figures import GREY, WIDTH, to_svg
from aiec_graph.errors import InputError

NEEDED = {
    "cuts": ("title", "at", "unit", "ap", "base_rate", "precision", "recall"),
    "decay": ("title", "age", "ap_mean", "base_rate_mean"),
    "drift": ("age", "psi_mean", "psi_max"),
    "leakage": ("title", "ap_gap"),
}
"""The tables of a backtest's folder, with columns that are shown; all but cuts may be empty."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ([1, 0], [5, 2], [2, 2], [8, 3, 2, 3], [10, 4], [3, 5])
HEIGHT = 210


@dataclass(frozen=True)
class Grid:
    """A table as it is printed."""

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class BacktestSection:
    """What the template shows; AP in percent."""

    unit: str
    """day or step."""
    cuts: Grid
    """AP of each model at each cut, beside the base rate."""
    by_cut: Markup
    ages: Grid | None
    """AP of each model and drift of the inputs by age; None where no cut has them."""
    by_age: Markup | None
    drift: Markup | None
    leakage: Grid | None
    """By how much the whole time flatters each model; None where that was not measured."""


def read_backtest(folder: Path) -> BacktestSection:
    """Reads the tables that the command `backtest` wrote into a folder.

    Raises:
        InputError: one is not there, or has other columns.
    """
    tables = {name: _read(folder / f"{name}.csv", names) for name, names in NEEDED.items()}
    cuts, decay, drift, leakage = tables.values()
    if cuts.empty:
        raise InputError(f"{folder / 'cuts.csv'}: the file holds no rows")
    wide = _wide(cuts, "at", "ap", "base_rate")
    by_cut = cuts[["at", "title", "ap"]].rename(columns={"at": "place", "ap": "value"})
    rates = cuts.drop_duplicates("at")[["at", "base_rate"]].set_axis(["place", "value"], axis=1)
    unit = str(cuts["unit"].iloc[0])
    return BacktestSection(
        unit=unit,
        cuts=_grid(wide, "cut"),
        by_cut=_draw(by_cut, rates, f"cut ({unit})", "AP (%)"),
        ages=None if decay.empty else _grid(_with_drift(decay, drift), f"age ({unit}s)"),
        by_age=None if decay.empty else _draw_ages(decay, unit),
        drift=None if drift.empty else _draw_drift(drift, unit),
        leakage=None if leakage.empty else _gaps(leakage),
    )


def _read(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file; --backtest takes the folder of results of "
            "'run_bench.py backtest'"
        )
    try:
        frame = pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=list(needed))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of a backtest ({error})") from None
    lacking = [name for name in needed if name not in frame]
    if lacking and len(frame):
        raise InputError(
            f"{path}: no column {lacking[0]!r}; run the backtest again to write its tables anew"
        )
    return frame


def _wide(frame: pd.DataFrame, key: str, value: str, rate: str) -> pd.DataFrame:
    """A row for each cut or age: the value of each model, and the base rate."""
    names = list(dict.fromkeys(frame["title"]))
    wide = frame.pivot(index=key, columns="title", values=value)[names]
    return wide.assign(**{"base rate": frame.drop_duplicates(key).set_index(key)[rate]})


def _with_drift(decay: pd.DataFrame, drift: pd.DataFrame) -> pd.DataFrame:
    wide = _wide(decay, "age", "ap_mean", "base_rate_mean")
    if drift.empty:
        return wide
    means = drift.groupby("age")[["psi_mean", "psi_max"]].mean()
    return wide.join(means.set_axis(["drift, mean", "drift, largest"], axis=1))


def _grid(wide: pd.DataFrame, first: str) -> Grid:
    def show(name: str, value: float) -> str:
        return "" if pd.isna(value) else f"{value:.{2 if name.startswith('drift') else 1}f}"

    rows = [
        [str(key), *(show(str(name), value) for name, value in zip(wide, row, strict=True))]
        for key, row in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return Grid([first, *map(str, wide.columns)], rows)


def _gaps(leakage: pd.DataFrame) -> Grid:
    rows = []
    for row in leakage.to_dict("records"):
        within = ""
        if not pd.isna(row.get("low", float("nan"))):
            within = f"{row['low']:+.1f} to {row['high']:+.1f}"
        rows.append([str(row["title"]), f"{row['ap_gap']:+.1f}", within])
    return Grid(["model", "AP gap (points)", "95 %"], rows)


def _draw_ages(decay: pd.DataFrame, unit: str) -> Markup:
    values = decay[["age", "title", "ap_mean"]].set_axis(["place", "title", "value"], axis=1)
    rates = decay.drop_duplicates("age")[["age", "base_rate_mean"]]
    return _draw(values, rates.set_axis(["place", "value"], axis=1), _age(unit), "AP (%)")


def _draw_drift(drift: pd.DataFrame, unit: str) -> Markup:
    means = drift.groupby("age", as_index=False)[["psi_mean", "psi_max"]].mean()
    names = {"psi_mean": "mean of the columns", "psi_max": "largest"}
    long = means.melt("age", list(names), "title").set_axis(["place", "title", "value"], axis=1)
    custom = pd.DataFrame({"place": means["age"], "value": 0.2})
    return _draw(long.assign(title=long["title"].map(names)), custom, _age(unit), "drift (PSI)")


def _age(unit: str) -> str:
    return f"age of the model ({unit}s)"


def _draw(values: pd.DataFrame, dashed: pd.DataFrame, across: str, up: str) -> Markup:
    """Lines of place, title and value, and a dashed grey one of place and value."""
    names = list(dict.fromkeys(values["title"]))
    scale = {"domain": names, "range": [COLOURS[i % len(COLOURS)] for i in range(len(names))]}
    dash = {"domain": names, "range": [DASHES[i % len(DASHES)] for i in range(len(names))]}
    order = list(dict.fromkeys(values["place"]))
    x = alt.X("place:O", title=across, sort=order)
    y = alt.Y("value:Q", title=up, scale=alt.Scale(zero=True))
    lines = alt.Chart(values).properties(width=WIDTH, height=HEIGHT).mark_line(point=True)
    lines = lines.encode(
        x=x,
        y=y,
        color=alt.Color("title:N", title=None, scale=alt.Scale(**scale)),
        strokeDash=alt.StrokeDash("title:N", title=None, scale=alt.Scale(**dash)),
    )
    rate = alt.Chart(dashed).mark_line(color=GREY, strokeDash=[4, 4]).encode(x=x, y=y)
    return to_svg(lines + rate)
