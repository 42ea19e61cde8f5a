"""From the rows of a study to its figures: means of each group, and paired comparisons."""

from typing import Any

import pandas as pd

from aiec_graph.artifacts.specs import NO_ACT, REFIT, ClassifierSpec, RunSpec
from aiec_graph.bench.study.plan import Group
from aiec_graph.bench.study.statistics import compare, holm, over_settings, seeds_needed

SETTING = ["dataset", "features", "model", "level"]
METRICS = ("test_auc", "test_ap", "test_rec_at_k", "val_ap")


def collect(
    chosen: list[tuple[Group, RunSpec | ClassifierSpec]], runs: pd.DataFrame, trials: list[int]
) -> pd.DataFrame:
    """The confirmation runs of the chosen candidates, with the columns that name their group."""
    own = runs[runs["seed"].isin(trials)]
    names = ["dataset", "features", "model", "act"]
    frames = []
    for group, spec in chosen:
        rows = own[own["config_hash"] == spec.config_hash].drop(columns=names)
        frames.append(rows.assign(**group.key, networks=isinstance(spec, RunSpec)))
    return pd.concat(frames, ignore_index=True)


def means(confirmed: pd.DataFrame) -> pd.DataFrame:
    """One row a group: number of seeds, mean and standard deviation of each metric, in percent."""
    by = [*SETTING, "act", "simulated", "networks"]
    parts = {f"{m}_{how}": (m, how) for m in METRICS for how in ("mean", "std")}
    grouped = confirmed.groupby(by, sort=False, dropna=False)
    return grouped.agg(seeds=("seed", "size"), **parts).reset_index()


def comparisons(confirmed: pd.DataFrame, references: list[str], wanted: float) -> pd.DataFrame:
    """Every activation against every reference in AP, seed by seed, setting by setting.

    `p_holm` corrects for all rows of the table.

    Args:
        confirmed: from `collect`.
        references: labels of activations.
        wanted: the difference in points of AP that `seeds_needed` is for.
    """
    return _paired(confirmed[confirmed["networks"]], SETTING, "act", references, wanted)


def model_comparisons(confirmed: pd.DataFrame, baselines: list[str], wanted: float) -> pd.DataFrame:
    """The same for models that have no activation: each against every baseline among them.

    Args:
        confirmed: from `collect`.
        baselines: names of models, with `:refit` where they are fitted so.
        wanted: as in `comparisons`.
    """
    own = confirmed[~confirmed["networks"]]
    suffix = own["act"].map({NO_ACT: "", REFIT: f":{REFIT}"})
    own = own.assign(model=own["model"] + suffix)
    return _paired(own, ["dataset", "level"], "model", baselines, wanted)


def _paired(
    confirmed: pd.DataFrame, by: list[str], compared: str, references: list[str], wanted: float
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for setting, own in confirmed.groupby(by, sort=False, dropna=False):
        ap = own.pivot(index="seed", columns=compared, values="test_ap")
        resampled = own["split_checksum"].nunique() > 1
        overlap = float((own["test_nodes"] / own["train_nodes"]).mean()) if resampled else 0.0
        for name, reference in pair_up(list(ap.columns), references):
            d = (ap[name] - ap[reference]).to_numpy()
            needed = seeds_needed(wanted / max(d.std(ddof=1), 1e-9), overlap)
            names = dict(zip(by, setting, strict=True))
            row = {**names, compared: name, "reference": reference, "resampled": resampled}
            rows.append(row | compare(d, overlap)._asdict() | {"seeds_needed": needed})
    frame = pd.DataFrame(rows)
    return frame.assign(p_holm=holm(frame["p"])) if len(frame) else frame


def pair_up(acts: list[str], references: list[str]) -> list[tuple[str, str]]:
    """Each unordered pair once, the reference second; of two references, the later one first."""
    pairs = []
    for i, reference in enumerate(references):
        pairs += [(act, reference) for act in acts if act not in references[: i + 1]]
    return pairs


def by_setting(table: pd.DataFrame) -> pd.DataFrame:
    """Mean AP of each activation [settings × activations]; without those where one is missing."""
    own = table[table["networks"]]
    wide = own.pivot_table(
        index=SETTING, columns="act", values="test_ap_mean", dropna=False, sort=False, observed=True
    )
    wide = wide[list(dict.fromkeys(own["act"]))]
    return wide.dropna(axis=0, how="any")


def across(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of activations over all settings, by Wilcoxon's signed ranks with Holm's correction."""
    frame = over_settings(by_setting(table))
    return frame.assign(p_holm=holm(frame["p_wilcoxon"])) if len(frame) else frame
