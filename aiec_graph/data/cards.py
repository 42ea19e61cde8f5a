"""The card of each data set: what it is, whose, under which licence, in which files."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from aiec_graph.errors import InputError

_PACKAGE = Path(__file__).parent / "cards"  # in an installed wheel
_CHECKOUT = Path(__file__).parents[2] / "datasets"
CARDS = _PACKAGE if _PACKAGE.is_dir() else _CHECKOUT
DATA_ROOT = Path("datasets") if _PACKAGE.is_dir() else _CHECKOUT
"""Where data files are by default: in a checkout, beside the cards."""


@dataclass(frozen=True)
class Card:
    """What `datasets/<name>/card.yaml` says."""

    name: str
    title: str
    source: str
    """Where the files come from."""
    licence: str
    files: dict[str, str | None]
    """File name and SHA-256 where it is known."""
    nodes: int
    features: int | None
    """None where the features are the project's own making, such as from text."""
    anomalies: int
    train_fraction: float = 0.4
    val_fraction: float = 0.2

    @property
    def fractions(self) -> tuple[float, float]:
        return self.train_fraction, self.val_fraction


@cache
def read_card(name: str) -> Card:
    """Reads a card.

    Raises:
        InputError: there is none of that name.
    """
    path = CARDS / name / "card.yaml"
    if not path.is_file():
        raise InputError(f"no card for the data set {name!r} at {path}")
    return Card(name=name, **yaml.safe_load(path.read_text(encoding="utf-8")))


def find_file(card: Card, folder: Path, *names: str) -> Path:
    """Returns the first of `names` that is in `folder`.

    Raises:
        InputError: none is; says where the file comes from and where to put it.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder / names[0]} is missing. {card.title} comes from {card.source} "
        f"({card.licence}): put {', '.join(card.files)} into {folder}, or name another folder with "
        "--data-root. Without any file, --dataset elliptic --simulate runs on simulated data"
    )
