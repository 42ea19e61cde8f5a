"""Which share of planted channels' responses the gates mark."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.bench.probes.history import CLASSES

MAJORITY, STRICT, QUARTERS, OWN = "majority", "90 %", "quarters", "majority, own class"
CRITERIA = {
    MAJORITY: "irrelevant: noise has more than half of the effect; relevant: all others",
    STRICT: "irrelevant: noise has at least 90 % of the effect; relevant: planted signal has",
    QUARTERS: "irrelevant: the quarter of a layer's channels with the largest share of noise in "
    "the effect; relevant: the quarter with the smallest",
    OWN: "as majority, but relevant to a class are only those that respond more to it",
}


class Found(NamedTuple):
    """What a run found: arrays of its best epoch."""

    noise: NDArray[np.float64]
    """Total effect of the planted noise on each channel [L, C]."""
    signal: NDArray[np.float64]
    """Of the planted signal [L, C]."""
    mean: NDArray[np.float32]
    """Mean response to each class [L, K, C]."""
    gates: NDArray[np.bool_]
    """G [L, K, C]; without layers where the network has no gates."""
    output: NDArray[np.float64]
    """Total effects of noise and signal on the margin [2]."""
    quality: NDArray[np.float64]
    """Validation AP in percent, and its epoch [2]."""


def noise_share(found: Found) -> NDArray[np.float64]:
    """Of the two effects on each channel, the noise's share [L, C]; NaN for a channel without."""
    total = found.noise + found.signal
    return np.divide(found.noise, total, out=np.full(total.shape, np.nan), where=total > 0)


def marked_rows(found: Found) -> list[dict[str, Any]]:
    """A row per layer, class and criterion: the shares that the gates mark.

    Of the total response to the class: `irrelevant_marked_%`, that of planted-irrelevant channels
    which the gates call irrelevant, and `relevant_marked_%` of relevant ones; then the numbers of
    channels, and the share of either kind's channels (whatever they respond) that is marked.
    """
    rows = []
    share = noise_share(found)
    for layer in range(len(found.gates)):
        for k, name in enumerate(CLASSES):
            response, gate = found.mean[layer, k].astype(np.float64), found.gates[layer, k]
            other = found.mean[layer, 1 - k]
            for criterion in CRITERIA:
                kinds = _kinds(share[layer], criterion, response >= other)
                row: dict[str, Any] = {"layer": layer + 1, "class": name, "criterion": criterion}
                for kind, members in kinds.items():
                    total = response[members].sum()
                    marked = response[members & gate].sum()
                    row[f"{kind}_marked_%"] = 100 * marked / total if total > 0 else np.nan
                    row[f"{kind}_channels"] = int(members.sum())
                    row[f"{kind}_channels_marked_%"] = (
                        100 * gate[members].mean() if members.any() else np.nan
                    )
                rows.append(row)
    return rows


def _kinds(
    share: NDArray[np.float64], criterion: str, own: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    known = ~np.isnan(share)
    if criterion == QUARTERS:
        order = np.argsort(np.where(known, share, np.inf))[: known.sum()]
        quarter = len(order) // 4
        low, high = (np.isin(np.arange(len(share)), part) for part in
                     (order[:quarter], order[len(order) - quarter :]))  # fmt: skip
        return {"irrelevant": high, "relevant": low}
    bounds = (0.9, 0.1) if criterion == STRICT else (0.5, 0.5)
    irrelevant = known & (share >= bounds[0])
    relevant = known & (share < bounds[1])
    return {"irrelevant": irrelevant, "relevant": relevant & own if criterion == OWN else relevant}


def share_rows(found: Found) -> list[dict[str, Any]]:
    """A row per layer, and one for the output: how large the noise's share of the effects is."""
    rows: list[dict[str, Any]] = []
    for layer, share in enumerate(noise_share(found), 1):
        known = share[~np.isnan(share)]
        quartiles = np.percentile(known, [0, 25, 50, 75, 100]) if len(known) else [np.nan] * 5
        names = ("least_%", "lower_quartile_%", "median_%", "upper_quartile_%", "most_%")
        row = dict(zip(names, (100 * float(q) for q in quartiles), strict=True))
        above = 100 * float((known > 0.5).mean()) if len(known) else np.nan
        rows.append({"where": f"layer {layer}", **row, "noise_majority_%": above})
    noise, signal = found.output
    rows.append({"where": "margin", "median_%": 100 * noise / (noise + signal)})
    return rows
