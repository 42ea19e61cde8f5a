"""The page of a tuned comparison of image networks, and its tables as CSV."""

from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from aiec_graph.artifacts.variants import title_of
from aiec_graph.bench.report.tables import markdown, mean_and_std
from aiec_graph.bench.study.compare import pair_up
from aiec_graph.bench.study.statistics import compare, holm
from aiec_graph.bench.vision_config import CONFIRM_FROM, VisionConfig
from aiec_graph.files import whole_folder
from aiec_graph.tables import escape_markdown, harmless
from aiec_graph.vision import BACKBONES
from aiec_graph.wording import counted

SETTING = ["dataset", "backbone"]
CLEAN, CORRUPTED = "test_top1", "corrupted_top1"


def write_vision_study(
    config: VisionConfig,
    confirmed: pd.DataFrame,
    candidates: pd.DataFrame,
    corrupted: pd.DataFrame | None,
) -> Path:
    """Writes the folder `report/`.

    Args:
        config: the command.
        confirmed: a row per run that confirms.
        candidates: a row per candidate: dataset, backbone, act, settings, val_top1, is_chosen.
        corrupted: a row per confirming run, kind and strength of corruption: top1; None without.

    Returns:
        The page.

    Raises:
        InputError: the folder cannot be written.
    """
    metrics = {CLEAN: "test images"}
    if corrupted is not None:
        broken = corrupted[corrupted["kind"] != "none"]
        means = broken.groupby([*SETTING, "act", "seed"])["top1"].mean().rename(CORRUPTED)
        confirmed = confirmed.merge(means.reset_index(), on=[*SETTING, "act", "seed"])
        metrics[CORRUPTED] = "corrupted test images"
    pairs = pd.concat(
        [comparisons(confirmed, metric, config.reference) for metric in metrics], ignore_index=True
    )
    pairs["p_holm"] = holm(pairs["p"])
    page = [_how(config)]
    for metric, what in metrics.items():
        page += [f"## Accuracy on {what}", _means(confirmed, metric)]
        own = pairs[pairs["metric"] == metric]
        if len(own):
            page += ["Paired differences, in points:", _pairs(own)]
    if corrupted is not None:
        page += ["## By kind of corruption", _by_kind(corrupted)]
    page += ["## What was chosen", _choices(candidates)]
    frames = {"confirmed": confirmed, "comparisons": pairs, "candidates": candidates}
    if corrupted is not None:
        frames["corrupted"] = corrupted
    target = config.folder / "report"
    with whole_folder(target) as draft:
        for name, frame in frames.items():
            harmless(frame).to_csv(draft / f"{name}.csv", index=False)
        (draft / "index.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    return target / "index.md"


def comparisons(confirmed: pd.DataFrame, metric: str, references: list[str]) -> pd.DataFrame:
    """Every activation against every reference, seed by seed, for each data set and network.

    Args:
        confirmed: a row per run.
        metric: the column to compare.
        references: labels of activations.
    """
    rows: list[dict[str, Any]] = []
    for setting, own in confirmed.groupby(SETTING, sort=False):
        wide = own.pivot(index="seed", columns="act", values=metric)
        names = dict(zip(SETTING, setting, strict=True))
        for act, reference in pair_up(list(dict.fromkeys(own["act"])), references):
            # All seeds share training and test images: nothing overlaps that the test must know.
            found = compare((wide[act] - wide[reference]).to_numpy(), 0.0)
            rows.append(
                {"metric": metric, **names, "act": act, "reference": reference} | found._asdict()
            )
    columns = None if rows else ["metric", *SETTING, "act", "reference", "p"]
    return pd.DataFrame(rows, columns=columns)


def _how(config: VisionConfig) -> str:
    train = config.train
    names = escape_markdown(", ".join(Path(name).name for name in config.dataset))
    limit = f"{train.limit_train:,} training images (those to validate on beside them)"
    last = CONFIRM_FROM + config.seeds - 1
    tuned = "trial 0" if config.tuning_seeds == 1 else f"trials 0 to {config.tuning_seeds - 1}"
    return (
        f"# Activations on {names}\n\n{limit if train.limit_train else 'All training images'}, "
        f"{counted(train.epochs, 'epoch')}, batches of {train.batch_size}. Each activation chose "
        f"its settings from as many candidates by validation accuracy over {tuned}; no test image "
        f"was looked at before. Confirmed on trials {CONFIRM_FROM} to {last}, which chose nothing: "
        "top-1 accuracy in percent after the last epoch, mean ± standard deviation. Differences "
        "are paired by trial, with the 95 % interval of the plain t: they speak of new weights and "
        "orders, not of new images. Holm's correction is over all comparisons of this page."
    )


def _means(confirmed: pd.DataFrame, metric: str) -> str:
    rows = []
    for setting, own in confirmed.groupby(SETTING, sort=False):
        row = {"": _title(setting)}
        found = own.groupby("act", sort=False)[metric].agg(["mean", "std"])
        best = found["mean"].max()
        for act, (mean, std) in zip(found.index, found.to_numpy(), strict=True):
            text = mean_and_std(mean, std)
            row[title_of(str(act))] = f"**{text}**" if mean == best else text
        rows.append(row)
    return markdown(rows)


def _pairs(pairs: pd.DataFrame) -> str:
    return markdown(
        {
            "": _title((pair["dataset"], pair["backbone"])),
            "pair": f"{title_of(pair['act'])} − {title_of(pair['reference'])}",
            "difference [95 %]": (
                f"{pair['difference']:+.1f} [{pair['low']:+.1f}, {pair['high']:+.1f}]"
            ),
            "p": f"{pair['p']:.3f}",
            "p Holm": f"{pair['p_holm']:.3f}",
        }
        for pair in pairs.to_dict("records")
    )


def _by_kind(corrupted: pd.DataFrame) -> str:
    """Mean over strengths and seeds; the same images as they are beside it."""
    rows = []
    for (dataset, backbone, act), own in corrupted.groupby([*SETTING, "act"], sort=False):
        row = {"": f"{_title((dataset, backbone))}, {title_of(str(act))}"}
        row |= {
            str(k): f"{v:.1f}" for k, v in own.groupby("kind", sort=False)["top1"].mean().items()
        }
        rows.append(row)
    return markdown(rows)


def _choices(candidates: pd.DataFrame) -> str:
    return markdown(
        {
            "": _title((row["dataset"], row["backbone"])),
            "activation": title_of(row["act"]),
            "settings": row["settings"],
            "validation accuracy": mean_and_std(row["val_top1"], nan) or "diverged",
            "chosen": "yes" if row["is_chosen"] else "",
        }
        for row in candidates.to_dict("records")
    )


def _title(setting: Any) -> str:
    dataset, backbone = setting
    return f"{escape_markdown(str(dataset))} {BACKBONES[str(backbone)].title}"
