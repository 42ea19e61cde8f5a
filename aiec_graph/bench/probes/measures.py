"""From histories to figures: a row per epoch, layer and class, and the state at the end."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.bench.probes.history import CLASSES, History

SETTING = ["dataset", "simulated", "features", "model"]
RUN = [*SETTING, "act", "seed"]
LAST = 10
"""Epochs at the end over which the summary averages."""
RATIO = "_to_relu"
"""How names of ratios end: they can be huge where ReLU's channels are all but silent, so that their
median says more than their mean."""


def epoch_rows(history: History, partner: History | None, relu: History | None) -> pd.DataFrame:
    """One row per epoch, layer and class.

    Args:
        history: of the run.
        partner: the run with gates of the same setting and seed whose last gates tell relevant from
            irrelevant channels; none leaves those columns empty.
        relu: ReLU's run of the same setting and seed, which responses are compared with; likewise.

    Returns:
        Shares in percent: `silent_%` (channels that fire for no training node of the class),
        `gated_%`, `intrinsic_%`, `extrinsic_%` (channels that each gate marks), `changed_%` (gates
        that differ from the epoch before), `counted_%` (nodes that the decision unit tells
        rightly), `gated_response_%` (of all response, that of gated channels). Then `agreement`
        (of the two losses' gradients), `firing_rate` (mean relative rate), `response` (mean over
        channels) and `relevant`, `irrelevant`: the mean response of those channels; with `_fitted`
        the channels are told by the network's own fitted classifier, and without it by the
        partner's gates. `_to_relu` is the ratio to ReLU's.
    """
    epochs, layers, classes, _ = history.mean.shape
    columns: dict[str, NDArray[Any]] = {
        "silent_%": 100 * (history.fired == 0).mean(3),
        "firing_rate": 2 * history.fired.mean(3) - 1,
        "response": history.mean.mean(3),
    }
    if len(history.gates):
        for name in ("intrinsic", "extrinsic"):
            columns[f"{name}_%"] = 100 * getattr(history, name).mean(3)
        gates = history.gates
        columns["gated_%"] = 100 * gates.mean(3)
        changed = (gates[1:] != gates[:-1]).mean(3)
        columns["changed_%"] = 100 * np.concatenate([np.full_like(changed[:1], np.nan), changed])
        columns["counted_%"] = 100 * history.counted
        columns["agreement"] = history.agreement
        total = history.mean.sum(3)
        marked = (history.mean * gates).sum(3)
        columns["gated_response_%"] = 100 * _ratio(marked, total)
    irrelevant = {} if partner is None else {"": partner.gates[-1]}
    for suffix, gate in (irrelevant | {"_fitted": history.fitted}).items():
        own = _by_relevance(history, gate)
        # Each network has its own fitted classifier, and so its own relevant channels.
        theirs = relu and _by_relevance(relu, gate if not suffix else relu.fitted)
        for i, name in enumerate(("relevant", "irrelevant")):
            columns[name + suffix] = own[i]
            if theirs is not None:
                columns[f"{name}{suffix}{RATIO}"] = _ratio(own[i], theirs[i])
    index = pd.MultiIndex.from_product(
        [range(1, epochs + 1), range(1, layers + 1), CLASSES[:classes]],
        names=["epoch", "layer", "class"],
    )
    rows = pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index).reset_index()
    dead = pd.DataFrame(100 * (~history.alive).mean(2))
    rows.insert(3, "dead_%", dead.to_numpy().ravel().repeat(classes))
    return rows


def _by_relevance(
    history: History, irrelevant: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean response of relevant and of irrelevant channels [T, L, K] each; NaN where none is."""
    total = history.mean.astype(np.float64)
    return tuple(
        _ratio((total * part).sum(3), part.sum(2)[None]) for part in (~irrelevant, irrelevant)
    )  # pyright: ignore


def _ratio(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0)


def end_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Each run's mean over its last epochs: one row per run, layer and class."""
    late = rows[rows["epoch"] > rows["epoch"].max() - LAST]
    numbers = [c for c in rows if c not in (*RUN, "epoch", "layer", "class")]
    return late.groupby([*RUN, "layer", "class"], sort=False)[numbers].mean().reset_index()


def over_seeds(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean, standard deviation, median, least and most of each number over the seeds.

    Args:
        rows: with a column `seed`.
        by: the columns that tell what is one over the seeds.
    """
    numbers = [c for c in rows if c not in (*by, "seed")]
    how = ["mean", "std", "median", "min", "max"]
    grouped = rows.groupby(by, sort=False, dropna=False)[numbers].agg(how)
    grouped.columns = [f"{name}_{how}" for name, how in grouped.columns]
    return grouped.reset_index()


def gate_rows(history: History) -> list[dict[str, Any]]:
    """What the channels that the last gates mark are to the network: a row per layer and kind.

    The kind, `gates_call_it`, is what the gates of the two classes say together.

    `importance` is by how many points the validation AP falls, on average, where one of them is
    silenced; `important_%` the share of them whose silence costs more than half a point.
    """
    if not len(history.gates):
        return []
    rows = []
    for layer, gates in enumerate(history.gates[-1]):
        by_gates = {
            "irrelevant to both": gates.all(0),
            "irrelevant to normal alone": gates[0] & ~gates[1],
            "irrelevant to anomalous alone": gates[1] & ~gates[0],
            "relevant to both": ~gates.any(0),
        }
        live = history.alive[-1, layer]
        for kind, members in by_gates.items():
            own = history.importance[layer][members & live]
            row = {"layer": layer + 1, "gates_call_it": kind, "channels_%": 100 * members.mean()}
            has = len(own) > 0
            row["importance"] = float(own.mean()) if has else np.nan
            row["important_%"] = 100 * float((own > 0.5).mean()) if has else np.nan
            rows.append(row)
    return rows
