"""A simulator of attributed graphs, written as the published file of a card is.

From the card it takes the sizes, the share of anomalies and the raw form. Degrees fall off as a
power of the rank. What tells an anomaly is made up: a few features carry a trace of the node
itself, a few tell it only when averaged over the neighbours, and the rest is noise.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.datasets.cards import Card
from aiec_graph.data.simulate.marker import Planted
from aiec_graph.graph.formats.dgl_binary import write_graph

CROWDING = 1.8
"""Degree of the node of rank r: proportional to r^(1/CROWDING - 1)."""
SIGNAL_SHARE, MOST_SIGNAL = 0.15, 12
DRAW_MORE = 1.05
TRIALS = 10
SEMI = ((20, 80), (20, 80))


class _Pairs(NamedTuple):
    source: NDArray[np.int64]
    target: NDArray[np.int64]


class _Drawn(NamedTuple):
    pairs: _Pairs
    x: NDArray[np.float64]
    y: NDArray[np.int64]


def write(card: Card, folder: Path, scale: float, rng: np.random.Generator) -> Planted:
    """Writes the file of a card and says which features carry the signal."""
    nodes = round(card.nodes * scale)
    # Edges thin out with the nodes, so that the mean degree stays; a small graph has no room
    # for it and takes a third of all its pairs at most.
    wanted = min(round((card.edges or 5 * card.nodes) * scale), nodes * (nodes - 1) // 6)
    pairs = _draw_pairs(nodes, wanted, card.undirected, rng)
    trace, exposure = rng.standard_normal(nodes), rng.standard_normal(nodes)
    around = _neighbour_mean(exposure, pairs, card.undirected)
    risk = trace + 1.5 * around / max(around.std(), 1e-9) + 0.5 * rng.standard_normal(nodes)
    anomalies = max(round(_anomaly_share(card) * nodes), 1)
    y = np.zeros(nodes, np.int64)
    y[np.argpartition(risk, -anomalies)[-anomalies:]] = 1
    x, planted = _features(card.features or 10, trace, exposure, rng)
    drawn = _Drawn(pairs, x, y)
    file = folder / next(iter(card.files))
    if file.suffix == ".npz":
        _write_npz(file, drawn, card, rng)
    elif file.suffix == ".pt":
        _write_pt(file, drawn)
    else:
        _write_dgl(file, drawn, card, rng)
    return planted


def _anomaly_share(card: Card) -> float:
    if card.anomalies is None:
        return (card.anomaly_percent or 5.0) / 100
    known = card.anomalies[0] if isinstance(card.anomalies, list) else card.anomalies
    return known / card.nodes


def _draw_pairs(nodes: int, wanted: int, undirected: bool, rng: np.random.Generator) -> _Pairs:
    """Distinct pairs of different nodes; undirected ones once, the smaller number first."""
    keys = np.empty(0, np.int64)
    while len(keys) < wanted:
        count = int((wanted - len(keys)) * DRAW_MORE) + 16
        # A power of a uniform number crowds the ends at the lowest numbers: the hubs.
        ends = [np.floor(nodes * rng.random(count) ** CROWDING).astype(np.int64) for _ in range(2)]
        if undirected:
            ends = [np.minimum(*ends), np.maximum(*ends)]
        fresh = ends[0] * nodes + ends[1]
        keys = np.concatenate([keys, fresh[ends[0] != ends[1]]])
        del ends, fresh
        keys.sort()
        keys = keys[np.diff(keys, prepend=-1) != 0]
    keys = np.delete(keys, rng.choice(len(keys), len(keys) - wanted, replace=False))
    names = rng.permutation(nodes)
    return _Pairs(names[keys // nodes], names[keys % nodes])


def _neighbour_mean(
    value: NDArray[np.float64], pairs: _Pairs, undirected: bool
) -> NDArray[np.float64]:
    nodes = len(value)
    total = np.bincount(pairs.target, weights=value[pairs.source], minlength=nodes)
    degree = np.bincount(pairs.target, minlength=nodes)
    if undirected:
        total += np.bincount(pairs.source, weights=value[pairs.target], minlength=nodes)
        degree += np.bincount(pairs.source, minlength=nodes)
    return total / np.maximum(degree, 1)


def _features(
    count: int,
    trace: NDArray[np.float64],
    exposure: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], Planted]:
    signal = min(max(round(SIGNAL_SHARE * count), 1), MOST_SIGNAL)
    order = rng.permutation(count)
    own, around, noise = np.split(order, [signal, 2 * signal])
    x = rng.standard_normal((len(trace), count))
    x[:, own] += 0.7 * trace[:, None]
    x[:, around] += 0.7 * exposure[:, None]
    return x, Planted(*(sorted(part.tolist()) for part in (own, around, noise)))


def _both_ways(pairs: _Pairs, card: Card, loops: int) -> _Pairs:
    """Directed edges, with a self-loop at each of the first `loops` nodes."""
    ends = (
        [*pairs]
        if not card.undirected
        else [
            np.concatenate([pairs.source, pairs.target]),
            np.concatenate([pairs.target, pairs.source]),
        ]
    )
    if loops:
        ends = [np.concatenate([end, np.arange(loops)]) for end in ends]
    return _Pairs(*ends)


def _write_npz(file: Path, drawn: _Drawn, card: Card, rng: np.random.Generator) -> None:
    pairs, x, y = drawn
    masks = _masks(y, card.fractions, None, rng)
    np.savez_compressed(
        file,
        node_features=x.astype(np.float32),
        node_labels=y,
        edges=np.stack(pairs, axis=1),
        train_masks=masks["train"].T,
        val_masks=masks["val"].T,
        test_masks=masks["test"].T,
    )


def _write_pt(file: Path, drawn: _Drawn) -> None:
    import torch
    from torch_geometric.data import Data

    pairs, x, y = drawn
    source, target = (np.concatenate([end, np.arange(len(y))]) for end in pairs)
    parts = {"x": x.astype(np.float32), "edge_index": np.stack([source, target]), "y": y}
    torch.save(Data(**{name: torch.from_numpy(part) for name, part in parts.items()}), file)


def _write_dgl(file: Path, drawn: _Drawn, card: Card, rng: np.random.Generator) -> None:
    pairs, x, y = drawn
    if not card.masks:  # the authors' form of T-Finance
        ndata = {"feature": x, "label": np.eye(2)[y]}
    else:  # GADBench's form
        supervised = _masks(y, card.fractions, None, rng)
        semi = _masks(y, card.fractions, SEMI, rng)
        ndata = {"feature": x.astype(np.float32), "label": y} | {
            f"{part}_masks": np.concatenate([supervised[part], semi[part]], axis=1)
            for part in supervised
        }
    edges = _both_ways(pairs, card, len(y) if card.masks else 0)
    write_graph(file, edges.source, edges.target, ndata)


def _masks(
    y: NDArray[np.int64],
    fractions: tuple[float, float],
    counts: tuple[tuple[int, int], tuple[int, int]] | None,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.uint8]]:
    """Train, val and test masks [N, trials]: of shares, or of (anomalous, normal) counts."""
    masks = {part: np.zeros((len(y), TRIALS), np.uint8) for part in ("train", "val", "test")}
    for trial in range(TRIALS):
        for value in (1, 0):
            members = rng.permutation(np.flatnonzero(y == value))
            if counts is None:
                sizes = [round(share * len(members)) for share in fractions]
            else:
                sizes = [min(part[1 - value], len(members) // 3) for part in counts]
            cuts = np.cumsum(sizes)
            for part, chosen in zip(masks, np.split(members, cuts), strict=True):
                masks[part][chosen, trial] = 1
    return masks
