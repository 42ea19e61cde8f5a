"""The page of `dynamics`: what was measured, in tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.bench.probes.measures import LAST, RATIO, SETTING
from aiec_graph.bench.probes.page import heading, write_results
from aiec_graph.bench.report.tables import markdown, mean_and_std

SHOWN = {
    "dead_%": ("dead %", 1),
    "silent_%": ("silent %", 1),
    "firing_rate": ("firing rate", 2),
    "gated_%": ("gated %", 1),
    "extrinsic_%": ("by weights %", 1),
    "intrinsic_%": ("by counts %", 1),
    "changed_%": ("changed %", 2),
    "counted_%": ("classified correctly %", 1),
    "agreement": ("agreement", 2),
    "gated_response_%": ("gated response %", 1),
    "relevant_to_relu": ("relevant / ReLU", 2),
    "irrelevant_to_relu": ("irrelevant / ReLU", 2),
    "relevant_fitted_to_relu": ("relevant / ReLU, fitted", 2),
    "irrelevant_fitted_to_relu": ("irrelevant / ReLU, fitted", 2),
}
WORDS = f"""Of the labelled training nodes; mean ± standard deviation over the seeds of the mean
over the last {LAST} epochs, of ratios the median with the least and the most. No run is stopped
early.

- *dead*: channels that fire for no node at all; *silent*: for no node of the class.
- *firing rate*: mean over channels of (activations − inhibitions) / nodes, from −1 to 1.
- *gated*: channels that the gates call irrelevant to the class; *by weights*, *by counts*: that
  each of the two gates alone calls so; *changed*: gates that differ from the epoch before.
- *classified correctly*: nodes of the class that the layer's decision unit classifies correctly:
  those counted.
- *agreement*: the cosine between the gradients of the gate loss and of the auxiliary loss by what
  enters the activation: at 1, the gate loss asks for nothing that the auxiliary loss does not.
- *gated response*: of all response to the class, the share of gated channels.
- *relevant / ReLU*: mean response of the channels that AIEC's gates of the same seed call
  relevant after the last epoch, as a multiple of the same channels' response in ReLU's run of
  that seed (all networks of a seed start with the same weights, so a channel keeps its number).
  *Fitted*: each network's own channels, told by a linear classifier fitted to its features
  after the last epoch: irrelevant is what fires for at most half of the class and weighs
  against it."""
GATES = """Silencing one channel that is alive, after the last epoch: by how many points the
validation AP falls, on average over the channels of a kind, and the share of them that cost more
than half a point. Channels that a gate calls irrelevant should cost nothing."""


def write_page(
    config: ProbeConfig, tables: Mapping[str, pd.DataFrame], figures: list[Path]
) -> Path:
    """Writes the tables and the page, as `write_results`."""
    note = "" if config.simulate is None else f" (simulated data, scale {config.simulate:g})"
    page = [f"# What training does to channels{note}", WORDS]
    summary = tables["summary"].groupby(SETTING, sort=False)
    for figure, (setting, rows) in zip(figures, summary, strict=True):
        page += [
            heading(setting, note),
            f"![measures over the epochs]({figure.name})",
            _table(rows),
        ]
        gates = tables["gates"]
        if len(gates):
            own = gates[(gates[SETTING] == list(setting)).all(axis=1)]
            page += [GATES, _gates(own)]
    return write_results(config.folder, tables, page)


def _table(rows: pd.DataFrame) -> str:
    shown = []
    for row in rows.sort_values(["layer", "class"], kind="stable").to_dict("records"):
        line: dict[str, Any] = {"layer": str(row["layer"]), "class": row["class"]}
        line["act"] = title_of(row["act"])
        for name, (title, digits) in SHOWN.items():
            if f"{name}_mean" in rows and rows[f"{name}_mean"].notna().any():
                if name.endswith(RATIO):
                    parts = (row[f"{name}_{how}"] for how in ("median", "min", "max"))
                    line[title] = _span(*parts)
                else:
                    line[title] = mean_and_std(row[f"{name}_mean"], row[f"{name}_std"], digits)
        shown.append(line)
    return markdown(shown)


def _gates(rows: pd.DataFrame) -> str:
    shown = []
    for key, own in rows.groupby(["layer", "act", "gates_call_it"], sort=False):
        layer, act, kind = key
        line = {"layer": str(layer), "act": title_of(str(act)), "the gates call it": kind}
        for name, title in (
            ("channels_%", "channels %"),
            ("importance", "AP lost"),
            ("important_%", "important %"),
        ):
            line[title] = mean_and_std(
                own[name].mean(), own[name].std(), 2 if name == "importance" else 1
            )
        shown.append(line)
    return markdown(sorted(shown, key=lambda line: line["layer"]))


def _span(median: float, least: float, most: float) -> str:
    return "" if pd.isna(median) else f"{median:.2f} ({least:.2f} to {most:.2f})"
