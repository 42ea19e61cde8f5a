"""The report's charts, drawn by Altair and Vega into SVG: they print well and need no script."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from markupsafe import Markup
from numpy.typing import NDArray

from aiec_graph.artifacts.channels import Channels
from aiec_graph.detect.report.cuts import Evaluated
from aiec_graph.detect.rules import Curve

# Okabe and Ito's palette, which is told apart with any colour vision and in grey.
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#666666"
WIDTH, HEIGHT = 290, 210
MOST_POINTS = 300
BINS = 10


def to_svg(chart: Any) -> Markup:
    """A chart as an SVG element that takes the width of its place."""
    themed = chart.configure(font="sans-serif", background="transparent").configure_axis(
        labelFontSize=12,
        titleFontSize=12,
        labelColor="#222",
        titleColor="#222",
        tickCount=5,
        labelOverlap=True,
    )
    themed = themed.configure_legend(
        labelFontSize=12, titleFontSize=12, orient="top", columnPadding=24
    )
    svg = vl_convert.vegalite_to_svg(themed.configure_view(stroke=None).to_dict())
    return Markup(svg)  # Vega escapes what it draws


def _chart(frame: pd.DataFrame) -> alt.Chart:
    return alt.Chart(frame).properties(width=WIDTH, height=HEIGHT)


def _axis(name: str, title: str, low: float = 0, high: float = 1) -> Any:
    return {"shorthand": f"{name}:Q", "title": title, "scale": alt.Scale(domain=[low, high])}


def thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST_POINTS` rows, even by place and by ratio; the first and the last are there."""
    if len(frame) <= MOST_POINTS:
        return frame
    half = MOST_POINTS // 2
    even = np.linspace(0, len(frame) - 1, half)
    return frame.iloc[np.unique(np.append(even, np.geomspace(1, len(frame), half) - 1).astype(int))]


def curves_of(evaluated: Evaluated) -> pd.DataFrame:
    """A row for each length of the list: share, false (positive rate), recall, precision."""
    curve = Curve.of(evaluated.y, evaluated.score)
    recall, false = curve.rates()
    hits, listed = np.cumsum(curve.anomalous), np.cumsum(curve.anomalous + curve.normal)
    columns = {"share": listed / listed[-1], "false": false, "recall": recall}
    return pd.DataFrame({**columns, "precision": hits / listed, "listed": listed})


def draw_roc(curves: pd.DataFrame) -> Markup:
    """The ROC curve."""
    start = pd.DataFrame({"false": [0.0], "recall": [0.0]})
    line = _chart(pd.concat([start, thinned(curves[["false", "recall"]])])).mark_line(color=BLUE)
    diagonal = alt.Chart(pd.DataFrame({"false": [0, 1], "recall": [0, 1]}))
    x = alt.X(**_axis("false", "share of normal nodes on the list"))
    y = alt.Y(**_axis("recall", "share of anomalies on the list"))
    chance = diagonal.mark_line(color=GREY, strokeDash=[4, 4]).encode(x="false", y="recall")
    return to_svg(line.encode(x=x, y=y, order="false") + chance)


def draw_precision_recall(curves: pd.DataFrame, rate: float) -> Markup:
    """Precision against recall; the dashed line is what chance gives."""
    x = alt.X(**_axis("recall", "recall: share of anomalies found"))
    y = alt.Y(**_axis("precision", "precision: share of the list"))
    line = _chart(thinned(curves)).mark_line(color=BLUE).encode(x=x, y=y, order="listed")
    chance = alt.Chart(pd.DataFrame({"precision": [rate]})).mark_rule(color=GREY, strokeDash=[4, 4])
    return to_svg(line + chance.encode(y="precision"))


def draw_recall_at_k(curves: pd.DataFrame) -> Markup:
    """Recall against the length of the list."""
    scale = alt.Scale(type="log", domain=[1, int(curves["listed"].iloc[-1])])
    x = alt.X("listed:Q", title="length of the list K", scale=scale, axis=alt.Axis(tickCount=4))
    y = alt.Y(**_axis("recall", "share of anomalies among the first K"))
    return to_svg(_chart(thinned(curves)).mark_line(color=BLUE).encode(x=x, y=y))


def draw_calibration(y: NDArray[np.int64], probability: NDArray[np.floating]) -> Markup:
    """Observed frequency against predicted probability, in bins of equal numbers of nodes."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    frame = pd.DataFrame(
        {
            "predicted": [float(probability[part].mean()) for part in parts],
            "observed": [float(y[part].mean()) for part in parts],
        }
    )
    top = max(float(frame.to_numpy().max()) * 1.05, 1e-3)
    x = alt.X(**_axis("predicted", "mean probability of a tenth of the nodes", 0, top))
    points = _chart(frame).mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE, size=50))
    diagonal = alt.Chart(pd.DataFrame({"predicted": [0, top], "observed": [0, top]}))
    perfect = diagonal.mark_line(color=GREY, strokeDash=[4, 4])
    y_axis = alt.Y(**_axis("observed", "share of anomalies among them", 0, top))
    return to_svg(points.encode(x=x, y=y_axis) + perfect.encode(x="predicted", y="observed"))


def draw_scores(evaluated: Evaluated, cut: float) -> Markup:
    """How the scores of normal and of anomalous nodes are distributed."""
    edges = np.histogram_bin_edges(evaluated.score, bins=40)
    rows = []
    for label, name in ((0, "normal"), (1, "anomalous")):
        counts, _ = np.histogram(evaluated.score[evaluated.y == label], edges)
        share = np.append(counts / max(counts.sum(), 1), 0.0)
        rows += list(zip(edges, share, [name] * len(share), strict=True))
    frame = pd.DataFrame(rows, columns=["score", "share", "class"])
    classes = ["normal", "anomalous"]
    colours = alt.Scale(domain=classes, range=[BLUE, VERMILION])
    dashes = alt.Scale(domain=classes, range=[[1, 0], [5, 2]])
    bars = _chart(frame).mark_line(interpolate="step-after")
    lines = bars.encode(
        x=alt.X("score:Q", title="score", scale=alt.Scale(zero=False)),
        y=alt.Y("share:Q", title="share of the class"),
        color=alt.Color("class:N", scale=colours, title=None),
        strokeDash=alt.StrokeDash("class:N", title=None, scale=dashes),
    )
    rule = alt.Chart(pd.DataFrame({"score": [cut]})).mark_rule(color=GREY, strokeDash=[2, 2])
    return to_svg(lines + rule.encode(x="score:Q"))


def draw_time(frame: pd.DataFrame) -> Markup:
    """Average precision and the share of anomalies by time step; columns step, ap, rate."""
    long = frame.melt("step", ["ap", "rate"], "what", "value").dropna()
    long["what"] = long["what"].map({"ap": "average precision", "rate": "share of anomalies"})
    line = _chart(long).mark_line(point=True)
    names = ["average precision", "share of anomalies"]
    colours = alt.Scale(domain=names, range=[BLUE, VERMILION])
    dashes = alt.Scale(domain=names, range=[[1, 0], [5, 2]])
    return to_svg(
        line.encode(
            x=alt.X("step:Q", title="time step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("what:N", title=None, scale=colours),
            strokeDash=alt.StrokeDash("what:N", title=None, scale=dashes),
        )
    )


def draw_channels(channels: Channels, label: int) -> Markup:
    """Firing rate (bars) and decision weight (points) of each channel, by rising firing rate."""
    order = np.argsort(channels.activity[label], kind="stable")
    weight = channels.weight[label][order]
    frame = pd.DataFrame(
        {
            "place": np.arange(len(order)),
            "rate": channels.activity[label][order],
            "weight": weight / max(float(np.abs(weight).max()), 1e-12),
            "gate": np.where(channels.gated[label][order], "silenced", "kept"),
        }
    )
    colours = alt.Scale(domain=["kept", "silenced"], range=[BLUE, VERMILION])
    x = alt.X("place:O", title="channels, by firing rate", axis=alt.Axis(labels=False, ticks=False))
    bars = (
        _chart(frame)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y(
                "rate:Q", title="firing rate; weight (relative)", scale=alt.Scale(domain=[-1, 1])
            ),
            color=alt.Color("gate:N", scale=colours, title="AIEC's gate"),
        )
    )
    points = alt.Chart(frame).mark_point(color="#111", filled=True, size=18, opacity=1)
    return to_svg(bars + points.encode(x=x, y="weight:Q"))
