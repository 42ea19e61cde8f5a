"""From the rows of a backtest to its tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.backtest.cuts import LeftOut
from aiec_graph.bench.backtest.runs import METRICS, Views
from aiec_graph.bench.backtest.spec import NO_ACT
from aiec_graph.bench.backtest.statistics import compare_cuts
from aiec_graph.bench.report.tables import MODEL_NAMES
from aiec_graph.bench.study.statistics import holm
from aiec_graph.detect.drift import Profile, column_names

MODEL = ["model", "act"]


@dataclass(frozen=True)
class Backtest:
    """What a backtest found; all metrics in percent."""

    rows: pd.DataFrame
    """A row for each cut, model and seed: dataset, simulated, features, cut, model, act, seed, auc,
    ap, rec_at_k, precision and recall at the cut-off that validation chose (precision is empty
    where no labelled node is above it), alerts, base_rate, and counts of nodes."""
    cuts: pd.DataFrame
    """A row for each cut and model: the metrics' means over the seeds, and `ap_low` and `ap_high`,
    a 95 % t interval of the mean AP over seeds, empty with one seed."""
    pairs: pd.DataFrame
    """A row for each model against the first and each metric: cuts, difference, low, high, p
    (t, corrected where horizons overlap), p_holm (of p, within the metric) and p_wilcoxon, which
    has no such correction and is empty where horizons overlap. Cuts are the sample."""
    ages: pd.DataFrame
    """A row for each cut, model, seed and age: metrics of the nodes that were new then."""
    decay: pd.DataFrame
    """A row for each model and age: the means over the cuts."""
    drift: pd.DataFrame
    """A row for each cut and age: psi_mean and psi_max over the inputs, and worst, its input."""
    leakage: pd.DataFrame
    """A row for each model: by how much features and edges of the whole time flatter its AP."""
    shuffled: pd.DataFrame
    """Rows as in `rows`, of the random splits of the same nodes; empty where none were asked."""
    control: pd.DataFrame
    """A row for each model and metric: the means `by_time` and `at_random`; and for all but the
    first `difference`, its lead over the first by time less that at random, with low, high, p and
    p_holm."""
    left_out: list[LeftOut]
    """Cuts that could not be used, and why."""
    overlap: float
    """By how much overlapping horizons widen the t-test (`inflation_of`)."""
    is_frozen: bool
    """Whether nothing that is known of a node changes later, so that nothing can leak."""
    unit: str
    """What cuts and ages count: "step" or "day"."""
    label: str
    """The data set's name to print."""
    choices: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What was tuned on the first cuts (`tuning.choose`); empty where nothing was."""


def titles(frame: pd.DataFrame) -> pd.Series:
    """The model's name to print, of each row."""
    names = [
        MODEL_NAMES.get(str(m), str(m)) + ("" if a == NO_ACT else f"-{title_of(str(a))}")
        for m, a in zip(frame["model"], frame["act"], strict=True)
    ]
    return pd.Series(names, index=frame.index, dtype=object)


def per_run(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of `backtest.csv`, of rows of `runs.csv`."""
    listed, hits = runs["labelled_alerts"], runs["hits"]
    rows = runs.assign(
        precision=np.where(listed > 0, 100 * hits / listed.clip(lower=1), np.nan),
        recall=100 * hits / runs["anomalies"],
        base_rate=100 * runs["anomalies"] / runs["labelled"],
    )
    names = [
        "dataset",
        "simulated",
        "features",
        "cut",
        "horizon",
        *MODEL,
        "seed",
        *METRICS,
        "val_ap",
    ]
    counts = ["precision", "recall", "alerts", "base_rate", "nodes", "labelled", "anomalies"]
    trained = ["train_nodes", "train_anomalies", "val_nodes", "val_anomalies"]
    seconds = ["seconds_prepare", "seconds_fit", "seconds_score"]
    return rows[[*names, *counts, *trained, *seconds]].reset_index(drop=True)


def per_cut(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of each cut and model, with an interval of AP."""
    wanted = [*METRICS, "precision", "recall", "alerts", "base_rate"]
    groups = rows.groupby(["cut", *MODEL], sort=False)
    found = groups[wanted].mean()
    seeds, spread = groups["ap"].size(), groups["ap"].std(ddof=1)
    margin = stats.t.ppf(0.975, np.maximum(seeds - 1, 1)) * spread / np.sqrt(seeds)
    found = found.assign(seeds=seeds, ap_low=found["ap"] - margin, ap_high=found["ap"] + margin)
    return found.reset_index()


def paired(cuts: pd.DataFrame, correlation: NDArray[np.float64]) -> pd.DataFrame:
    """Each model against the first, cut by cut.

    Args:
        cuts: from `per_cut`.
        correlation: of the cuts, in their order (`correlation_of`).
    """
    rows: list[dict[str, Any]] = []
    for metric in METRICS:
        wide = cuts.assign(title=titles(cuts)).pivot(index="cut", columns="title", values=metric)
        wide = wide[list(dict.fromkeys(titles(cuts)))]
        reference = wide.columns[0]
        for other in wide.columns[1:]:
            differences = (wide[other] - wide[reference]).to_numpy()
            if len(differences) < 2:
                continue
            found = compare_cuts(differences, correlation)._asdict()
            row = {"metric": metric, "model": other, "reference": reference}
            rows.append(row | {"cuts": found.pop("seeds")} | found)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    corrected = frame.groupby("metric", group_keys=False, sort=False)["p"].apply(holm)
    return frame.assign(p_holm=corrected)


def control_of(
    cuts: pd.DataFrame, shuffled: pd.DataFrame, correlation: NDArray[np.float64]
) -> pd.DataFrame:
    """Whether a model is further ahead of the first over time than where nothing changes.

    Args:
        cuts: from `per_cut`.
        shuffled: the same of the random splits.
        correlation: of these, which share nodes (`correlation_of_shuffled`).
    """
    rows: list[dict[str, Any]] = []
    names = list(dict.fromkeys(titles(cuts)))
    for metric in METRICS if len(shuffled) else ():
        time, chance = (
            frame.assign(title=titles(frame)).pivot(index="cut", columns="title", values=metric)
            for frame in (cuts, shuffled)
        )
        for name in names:
            row = {"metric": metric, "model": name}
            row |= {"by_time": time[name].mean(), "at_random": chance[name].mean()}
            lead = time[name] - time[names[0]] - (chance[name] - chance[names[0]])
            if name != names[0] and len(lead) > 1:
                found = compare_cuts(lead.to_numpy(), correlation)
                row |= {key: getattr(found, key) for key in ("difference", "low", "high", "p")}
            rows.append(row)
    frame = pd.DataFrame(rows)
    if "p" not in frame:
        return frame
    tested = frame.dropna(subset=["p"])
    return frame.assign(p_holm=tested.groupby("metric", group_keys=False)["p"].apply(holm))


def decay_of(ages: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds, then over the cuts, of each model at each age.

    Only cuts count that have a value at every age, so that ages are compared on the same cuts.
    """
    usable = ages.dropna(subset=list(METRICS))
    count = usable.groupby("cut")["age"].nunique()
    whole = usable[usable["cut"].isin(count[count == ages["age"].nunique()].index)]
    per = whole.assign(base_rate=100 * whole["anomalies"] / whole["labelled"])
    wanted = [*METRICS, "base_rate"]
    means = per.groupby([*MODEL, "age", "cut"], sort=False)[wanted].mean()
    found = means.groupby([*MODEL, "age"], sort=False).agg(["mean", "sem", "size"])
    flat = {f"{metric}_{how}": found[metric, how] for metric in wanted for how in ("mean", "sem")}
    return pd.DataFrame({**flat, "cuts": found["ap", "size"]}).reset_index()


def drift_of(views: Views, cuts: Sequence[Any]) -> pd.DataFrame:
    """How far the inputs of each batch of a horizon are from those of the training nodes.

    The population stability index of each input against the labelled training nodes' window, all
    nodes of it counted; see `aiec_graph.detect.drift`.
    """
    rows = []
    for cut in cuts:
        view = views.at(cut, cut.moment)
        learnt = (view.moment >= cut.first) & (view.moment <= cut.last)
        names = column_names(view.graph)
        profiles = _profiles(view.graph.x.numpy()[learnt], view.graph.columns, names)
        before, last = cut.moment, cut.batches[-1]
        for end in cut.batches:
            later = views.at(cut, last if views.timeline.is_frozen else end)
            new = (later.moment > before) & (later.moment <= end)
            before = end
            if not new.any():
                continue
            x = later.graph.x.numpy()[new]
            psi = [p.stability(p.count(x[:, i]))[0] for i, p in enumerate(profiles)]
            worst = int(np.argmax(psi))
            row = {"cut": cut.moment, "age": end - cut.moment, "nodes": int(new.sum())}
            row |= {"psi_mean": float(np.mean(psi)), "psi_max": psi[worst]}
            rows.append(row | {"worst": names[worst]})
    return pd.DataFrame(rows)


def _profiles(x: np.ndarray, columns: Any, names: list[str]) -> list[Profile]:
    profiles = []
    for i, name in enumerate(names):
        categories = None if columns is None else columns[i].categories
        if categories is None:
            profiles.append(Profile.of_number(name, x[:, i]))
        else:
            profiles.append(Profile.of_category(name, x[:, i], categories))
    return profiles


def leakage_of(runs: pd.DataFrame, correlation: NDArray[np.float64]) -> pd.DataFrame:
    """By how much AP is flattered by features and edges of the whole time: same cuts and seeds."""
    keys = ["cut", *MODEL, "seed"]
    leaking = runs[runs["leaking"].astype(bool)]
    honest = runs[~runs["leaking"].astype(bool)]
    both = leaking.merge(honest, on=keys, suffixes=("_leaking", "_honest"))
    rows = []
    for (model, act), own in both.groupby(MODEL, sort=False):
        gap = (own["ap_leaking"] - own["ap_honest"]).groupby(own["cut"]).mean().to_numpy()
        row = {"model": model, "act": act, "cuts": len(gap), "ap_gap": float(gap.mean())}
        if len(gap) > 1:
            found = compare_cuts(gap, correlation)
            row |= {"low": found.low, "high": found.high, "p": found.p}
        rows.append(row)
    return pd.DataFrame(rows)


def read_ages(files: Sequence[Any], runs: pd.DataFrame) -> pd.DataFrame:
    """The metrics by age of finished runs.

    Args:
        files: their files, in the order of the rows.
        runs: rows of `runs.csv`.
    """
    parts = runs[["cut", *MODEL, "seed"]].to_dict("records")
    frames = [
        pd.read_csv(path).assign(**{str(k): v for k, v in run.items()})
        for path, run in zip(files, parts, strict=True)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame[["cut", *MODEL, "seed", "age", "labelled", "anomalies", *METRICS]]
