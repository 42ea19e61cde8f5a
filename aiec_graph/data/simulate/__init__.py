"""Simulators: files in a data set's raw form, with its sizes and rates, and a made-up signal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from aiec_graph.data.datasets.cards import Card
from aiec_graph.data.simulate import attributed, elliptic, marker, weibo21
from aiec_graph.data.simulate.marker import Planted
from aiec_graph.errors import InputError
from aiec_graph.files import whole_folder

Simulator = Callable[[Card, Path, float, np.random.Generator], Planted]

# By a card's `form`.
SIMULATORS: dict[str, Simulator] = {
    "elliptic": elliptic.write,
    "elliptic_graph": elliptic.write_without_features,
    "weibo21": weibo21.write,
    "graph": attributed.write,
}
VERSION = 2
"""In the folder's name: raised when a simulator draws something else."""


def simulate_dataset(card: Card, folder: Path, scale: float, seed: int = 0) -> Path:
    """Writes simulated files, once: a folder that is there is taken as it is.

    Args:
        card: the data set whose form and size to take.
        folder: where to make `simulated-v<version>-<scale>-seed<seed>/`.
        scale: share of the real number of nodes, above 0 and up to 1.
        seed: of everything drawn.

    Returns:
        The folder, with the files and the side file `simulated.json`.

    Raises:
        InputError: the scale is out of range or the folder cannot be written.
    """
    least = smallest_scale(card)
    if not least <= scale <= 1:
        raise InputError(f"--simulate {card.name} takes a scale from {least:g} to 1, not {scale:g}")
    target = folder / f"simulated-v{VERSION}-{scale:g}-seed{seed}"
    if not target.is_dir():
        with whole_folder(target) as draft:
            rng = np.random.default_rng(seed)
            planted = SIMULATORS[card.form](card, draft, scale, rng)
            marker.write(draft, card.name, scale, seed, planted)
    return target


def smallest_scale(card: Card) -> float:
    """Below it, a part would too often be without an anomalous node, or posts too few to embed."""
    if card.form != "graph":
        smallest = weibo21 if card.form == "weibo21" else elliptic
        return smallest.SMALLEST_SCALE
    rate = (card.anomaly_percent or 5) / 100
    known = card.anomalies[0] if isinstance(card.anomalies, list) else card.anomalies
    anomalies = known or rate * card.nodes
    return min(1.0, float(f"{max(20 / anomalies, 200 / card.nodes):.1g}"))
