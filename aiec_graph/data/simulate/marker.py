"""The side file of simulated data: that they are, at which scale, and what was planted in them."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiec_graph.errors import InputError

FILE = "simulated.json"


@dataclass(frozen=True)
class Planted:
    """Which input features carry a signal, by their position in the loaded features."""

    own: list[int]
    """They tell an anomalous node by its own value."""
    neighbours: list[int]
    """They tell nothing of the node itself but, averaged over its neighbours, do."""
    noise: list[int]
    """They tell nothing: an activation that silences irrelevant channels may silence these."""
    words: list[str] = field(default_factory=list)
    """For texts, which have no features of their own: the words that tell."""


def write(folder: Path, name: str, scale: float, seed: int, planted: Planted) -> None:
    """Marks a folder as simulated."""
    content = {"simulated": True, "dataset": name, "scale": scale, "seed": seed}
    text = json.dumps(content | {"planted": asdict(planted)}, ensure_ascii=False, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> float | None:
    """The scale of the simulated data in a folder; None where they are not marked as simulated.

    Raises:
        InputError: the mark is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: damaged; remove its folder to simulate again") from None


def read_planted(folder: Path) -> Planted:
    """What was planted in the simulated data in a folder.

    Raises:
        InputError: the folder holds no simulated data, or the mark is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder}: not simulated, so nothing is known to be planted in it")
    try:
        return Planted(**json.loads(path.read_text(encoding="utf-8"))["planted"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: damaged; remove its folder to simulate again") from None
