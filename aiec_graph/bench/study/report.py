"""A study's report: a Markdown page with its tables and figures, and the tables as CSV."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from aiec_graph.artifacts.specs import NO_ACT, OWN_FEATURES, REFIT, ClassifierSpec, RunSpec
from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.paper import look_up_paper
from aiec_graph.bench.report.tables import MODEL_NAMES, markdown, mean_and_std, row_title
from aiec_graph.bench.study.compare import (
    across,
    by_setting,
    collect,
    comparisons,
    means,
    model_comparisons,
)
from aiec_graph.bench.study.figures import factor_plot, forest_plot, rank_plot
from aiec_graph.bench.study.plan import Group, StudyConfig
from aiec_graph.bench.study.statistics import LEVEL
from aiec_graph.files import whole_folder
from aiec_graph.tables import escape_markdown, harmless

FEWEST_SETTINGS = 3
"""Below it no test over settings can tell anything."""
SHOWN = {"test_auc": "AUC", "test_ap": "AP", "test_rec_at_k": "Rec@K"}


def write_report(
    config: StudyConfig, chosen: list[tuple[Group, RunSpec | ClassifierSpec]], runs: pd.DataFrame
) -> Path:
    """Writes the folder `report/`: index.md, figures, and the tables as CSV.

    Args:
        config: the study.
        chosen: each group and its candidate.
        runs: rows of `runs.csv`.

    Returns:
        The page.

    Raises:
        InputError: the folder cannot be written.
    """
    confirmed = collect(chosen, runs, config.confirmation_trials)
    table = means(confirmed)
    pairs = comparisons(confirmed, config.reference, config.difference)
    models = model_comparisons(confirmed, config.baselines, config.difference)
    choices = pd.DataFrame([_choice(config, runs, *choice) for choice in chosen])
    factor = next(iter(config.factor), None)
    note = "" if config.simulate is None else f" (simulated data, scale {config.simulate:g})"
    target = config.folder / "report"
    with whole_folder(target) as draft:
        frames = {"results": table, "comparisons": pairs, "choices": choices}
        for name, frame in (frames | ({"models": models} if len(models) else {})).items():
            shown = frame.drop(columns="networks", errors="ignore")
            if "dataset" in shown and "simulated" not in shown:
                position = list(shown.columns).index("dataset") + 1
                shown.insert(position, "simulated", config.simulate is not None)
            harmless(shown).to_csv(draft / f"{name}.csv", index=False)
        page = [f"# {_title(config)}{note}", *_how(config, pairs, note)]
        if factor is None:
            page += _results(config, table, pairs, note)
        else:
            page += [f"## Test AP over {factor}"]
            if table["level"].nunique() > 1:
                factor_plot(draft / "factor.png", table, factor, note)
                page += ["![test AP over the factor](factor.png)"]
            page += _by_level(table, factor)
        if len(pairs):
            if factor is None:
                page += _overviews(pairs)
            page += ["## Paired differences in AP"]
            for i, (reference, own) in enumerate(pairs.groupby("reference", sort=False), 1):
                name = f"forest_{i}.png"
                forest_plot(draft / name, own, factor, note)
                page += [f"![differences from {title_of(str(reference))}]({name})"]
            page += [_pairs_table(pairs, factor, config.difference)]
        page += _models(models)
        wide = by_setting(table)
        if len(wide) >= FEWEST_SETTINGS:
            page += ["## Over all settings"]
            if rank_plot(draft / "ranks.png", wide, note):
                page += ["![critical-difference diagram](ranks.png)"]
            page += [_across_table(across(table))]
        page += ["## What was chosen", _choices_table(choices)]
        (draft / "index.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return target / "index.md"


def _title(config: StudyConfig) -> str:
    names = dict.fromkeys(Path(name).name for name in config.dataset)
    factor = f" over {next(iter(config.factor))}" if config.factor else ""
    return f"Study on {escape_markdown(', '.join(names))}{factor}"


def _how(config: StudyConfig, pairs: pd.DataFrame, note: str) -> list[str]:
    first, last = config.confirm_from, config.confirm_from + config.seeds - 1
    tuned = (
        f"Each group chose from {config.candidates} candidates, the same for every activation "
        f"(the defaults, and draws from {_spaces(config)}), by mean validation AP over trials 0 to "
        f"{config.tuning_seeds - 1}."
        if config.candidates > 1
        else "Nothing was tuned: the settings are the defaults."
    )
    if config.prune and config.candidates > 1:
        tuned += (
            " The later half of the candidates was stopped early: each ran on only as long as its "
            "mean validation AP was not below the median of the first half after as many trials."
        )
    lines = [
        f"{tuned} Confirmed on trials {first} to {last}, which took part in nothing else; "
        f"{config.split} split. All figures are of these, on test nodes, in percent, mean ± "
        "standard deviation over the trials. Every run is a row of `runs.csv`; every run was "
        "on one thread.",
    ]
    if len(pairs):
        same = pairs.loc[~pairs["resampled"], "dataset"].unique()
        text = (
            "Differences are paired by trial. Their intervals and p-values are of Nadeau and "
            "Bengio's corrected t, which knows that the trials' training sets overlap"
        )
        if len(same):
            text += (
                f"; {escape_markdown(', '.join(same))} has one split for all trials, so there the "
                "plain t is taken, which speaks of new weights on these nodes and not of new nodes"
            )
        lines.append(
            f"{text}. Holm's correction is over all {len(pairs)} comparisons of this page."
        )
    if note:
        lines.append("**Simulated data: these numbers say nothing about the real data set.**")
    return lines


def _spaces(config: StudyConfig) -> str:
    spaces = config.space | {f"AIEC's {k}": v for k, v in config.aiec_space.items()}
    spaces = {k: v for k, v in spaces.items() if k not in config.factor}
    return "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in spaces.items())


def _results(config: StudyConfig, table: pd.DataFrame, pairs: pd.DataFrame, note: str) -> list[str]:
    """A table per data set: metrics by features; marks against the first reference."""
    against = config.reference[0] if config.reference else None
    page = ["## Results"]
    if against is not None:
        page.append(
            f"▲ and ▼: AP above or below {title_of(against)}'s with p < {LEVEL} after Holm; "
            "△ and ▽: before it. Bold: the highest mean AP of a network."
        )
    for dataset, own in table.groupby("dataset", sort=False):
        kinds = list(dict.fromkeys(own["features"]))
        paper = any(
            look_up_paper(str(dataset), m, a) for m, a in zip(own["model"], own["act"], strict=True)
        )
        paper = paper and config.simulate is None and config.split == "supervised"
        rows = []
        for (model, act), group in own.groupby(["model", "act"], sort=False):
            row: dict[str, str] = {"": row_title(str(model), str(act))}
            for kind in kinds:
                spec = group[group["features"] == kind]
                for metric, title in SHOWN.items():
                    text = "" if act not in (NO_ACT, REFIT) or kind == OWN_FEATURES else "as raw"
                    if len(spec):
                        text = _entry(spec.iloc[0], metric, own, pairs, against)
                    row[f"{kind} {title}"] = text
            if paper:
                found = look_up_paper(str(dataset), str(model), str(act))
                row["paper AUC / AP / Rec@K"] = "" if found is None else " / ".join(map(str, found))
            rows.append(row)
        page += [f"### {escape_markdown(str(dataset))}{note}", markdown(rows)]
    return page


def _entry(
    row: pd.Series, metric: str, own: pd.DataFrame, pairs: pd.DataFrame, against: str | None
) -> str:
    text = mean_and_std(row[f"{metric}_mean"], row[f"{metric}_std"])
    if metric != "test_ap" or not row["networks"]:
        return text
    others = own[(own["model"] == row["model"]) & (own["features"] == row["features"])]
    if row["test_ap_mean"] == others["test_ap_mean"].max():
        text = f"**{text}**"
    names = ["dataset", "features", "model", "act"]
    match = pairs[(pairs[names] == row[names]).all(axis=1) & (pairs["reference"] == against)]
    return text + (_mark(match.iloc[0]) if len(match) else "")


def _mark(pair: Mapping[Any, Any] | pd.Series) -> str:
    if pair["p"] >= LEVEL:
        return ""
    strong = pair["p_holm"] < LEVEL
    return " " + (("▲" if strong else "△") if pair["difference"] > 0 else ("▼" if strong else "▽"))


def _overviews(pairs: pd.DataFrame) -> list[str]:
    """A table per reference: the other activations by settings."""
    page = []
    for reference, own in pairs.groupby("reference", sort=False):
        rows = []
        for act, rival in own.groupby("act", sort=False):
            row = {"": title_of(str(act))}
            for pair in rival.to_dict("records"):
                setting = f"{pair['dataset']}, {pair['features']}, {MODEL_NAMES[pair['model']]}"
                row[setting] = f"{pair['difference']:+.2f}{_mark(pair)}"
            rows.append(row)
        title = title_of(str(reference))
        page += [
            f"## Test AP, minus {title}'s",
            f"Marks as above, against {title}.",
            markdown(rows),
        ]
    return page


def _by_level(table: pd.DataFrame, factor: str) -> list[str]:
    page = []
    for setting, own in table.groupby(["dataset", "features"], sort=False):
        rows = []
        for (model, act), group in own.groupby(["model", "act"], sort=False):
            row = {factor: row_title(str(model), str(act))}
            for spec in group.to_dict("records"):
                row[str(spec["level"])] = mean_and_std(spec["test_ap_mean"], spec["test_ap_std"])
            rows.append(row)
        page += [f"### {escape_markdown(', '.join(map(str, setting)))} features", markdown(rows)]
    return page


def _models(pairs: pd.DataFrame) -> list[str]:
    """The paired differences of models that have no activation."""
    if pairs.empty:
        return []
    rows = [
        {
            "data": str(pair["dataset"]),
            "pair": f"{_model_title(pair['model'])} − {_model_title(pair['reference'])}",
            **_difference(pair),
        }
        for pair in pairs.to_dict("records")
    ]
    return ["## Models, paired differences in AP", markdown(rows)]


def _model_title(name: str) -> str:
    model, _, how = name.partition(":")
    return row_title(model, how or NO_ACT)


def _difference(pair: Mapping[Any, Any]) -> dict[str, str]:
    """The columns of a paired comparison that all tables share."""
    return {
        "difference [95 %]": f"{pair['difference']:+.2f} [{pair['low']:+.2f}, {pair['high']:+.2f}]",
        "p": f"{pair['p']:.3f}",
        "p Holm": f"{pair['p_holm']:.3f}",
    }


def _pairs_table(pairs: pd.DataFrame, factor: str | None, wanted: float) -> str:
    rows = []
    for pair in pairs.to_dict("records"):
        row = {"data": f"{pair['dataset']}, {pair['features']}"}
        if factor is not None:
            row[factor] = f"{pair['level']}"
        needed = pair["seeds_needed"]
        rows.append(
            row
            | {
                "network": MODEL_NAMES[pair["model"]],
                "pair": f"{title_of(pair['act'])} − {title_of(pair['reference'])}",
                **_difference(pair),
                "p Wilcoxon": f"{pair['p_wilcoxon']:.3f}",
                "d": f"{pair['effect']:+.2f}",
                f"seeds for {wanted:g}": "never" if needed == float("inf") else f"{needed:.0f}",
            }
        )
    return markdown(rows)


def _across_table(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "One activation alone: nothing to compare."
    rows = [
        {
            "pair": f"{title_of(row['act'])} − {title_of(row['reference'])}",
            "ahead in": f"{row['ahead']} of {row['settings']}",
            "median difference": f"{row['difference']:+.2f}",
            "p Wilcoxon": f"{row['p_wilcoxon']:.3f}",
            "p Holm": f"{row['p_holm']:.3f}",
        }
        for row in frame.to_dict("records")
    ]
    return markdown(rows)


def _choice(
    config: StudyConfig, runs: pd.DataFrame, group: Group, spec: RunSpec | ClassifierSpec
) -> dict[str, Any]:
    """What was chosen, of how many, and the validation AP that chose it."""
    tuning = runs[runs["seed"].isin(config.tuning_trials)]
    val = tuning.loc[tuning["config_hash"] == spec.config_hash, "val_ap"].mean()
    settings = asdict(spec.settings)
    names = config.tree_space if isinstance(spec, ClassifierSpec) else config.space
    if isinstance(spec, RunSpec) and spec.act == "aiec":
        names = {**names, **config.aiec_space}
    return {
        **group.key,
        "candidates": len(group.candidates),
        "tuning_val_ap": val,
        **{name: settings[name] for name in names},
        "config_hash": spec.config_hash,
    }


def _choices_table(choices: pd.DataFrame) -> str:
    shown = choices.drop(columns=["config_hash"]).dropna(axis=1, how="all")
    return markdown(
        {k: "" if pd.isna(v) else f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in r}
        for r in (row.items() for row in shown.to_dict("records"))
    )
