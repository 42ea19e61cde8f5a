"""The card of each data set: what it is, whose, under which licence, in which files."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from aiec_graph.errors import InputError

_PACKAGE = Path(__file__).parents[1] / "cards"  # in an installed wheel
_CHECKOUT = Path(__file__).parents[3] / "datasets"
CARDS = _PACKAGE if _PACKAGE.is_dir() else _CHECKOUT
DATA_ROOT = Path("datasets") if _PACKAGE.is_dir() else _CHECKOUT
"""Where data files are by default: in a checkout, beside the cards."""
DATA_ROOT_VARIABLE = "AIEC_DATA_ROOT"


@dataclass(frozen=True)
class Download:
    """One file to fetch."""

    url: str
    sha256: str | None = None
    """Of what is fetched."""
    unpack: dict[str, str] = field(default_factory=dict)
    """Where it is a zip: which member becomes which file. Empty where it is the file itself."""


@dataclass(frozen=True)
class Card:
    """What `datasets/<name>/card.yaml` says."""

    name: str
    title: str
    source: str
    """Where the files come from."""
    licence: str
    form: str
    """How to read the files: a name in `aiec_graph.data.datasets.registry.FORMS`."""
    files: dict[str, str | None]
    """File name and SHA-256 where it is known."""
    nodes: int
    edges: int | None
    """As published, with self-loops or without."""
    features: int | None
    """None where the features are the project's own making, such as from text."""
    anomalies: int | list[int] | None
    """Several where published variants differ."""
    anomaly_percent: float | None = None
    """Of the labelled nodes, where no exact number is published."""
    undirected: bool = False
    """Whether an edge is counted once and goes both ways."""
    masks: bool = False
    """Whether the file carries official masks."""
    also: tuple[str, ...] = ()
    """Names that the one file has elsewhere."""
    terms: str | None = None
    """What a user must accept before a download."""
    downloads: list[Download] = field(default_factory=list)
    train_fraction: float = 0.4
    val_fraction: float = 0.2
    notes: str = ""
    """Known variants."""

    @property
    def fractions(self) -> tuple[float, float]:
        return self.train_fraction, self.val_fraction


def card_names() -> list[str]:
    """The names of all cards, in alphabetical order."""
    return sorted(path.parent.name for path in CARDS.glob("*/card.yaml"))


DATASETS = tuple(card_names())
"""The data sets that are known by name."""


def default_data_root() -> Path:
    """The folder with a folder for each data set: the environment variable, else `datasets/`."""
    return Path(os.environ.get(DATA_ROOT_VARIABLE) or DATA_ROOT)


@cache
def read_card(name: str) -> Card:
    """Reads a card.

    Raises:
        InputError: there is none of that name.
    """
    path = CARDS / name / "card.yaml"
    if not path.is_file():
        raise InputError(f"no card for the data set {name!r} at {path}")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["downloads"] = [Download(**entry) for entry in content.get("downloads", [])]
    content["also"] = tuple(content.get("also", ()))
    return Card(name=name, **content)


def find_files(card: Card, folder: Path) -> list[Path]:
    """The files of a data set, in its folder or in a folder within, in the order of the card.

    Raises:
        InputError: one is missing; says where it comes from and where to put it.
    """
    if len(card.files) == 1:
        return [_find(card, folder, (*card.files, *card.also))]
    return [_find(card, folder, (name,)) for name in card.files]


def _find(card: Card, folder: Path, names: Iterable[str]) -> Path:
    places = [folder]
    if folder.is_dir():
        inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        places += [place for place in inner if not place.name.startswith("simulated-")]
    names = list(names)
    for name in names:
        for place in places:
            if (place / name).is_file():
                return place / name
    packed = [n + end for n in names for end in (".zip", ".gz") if (folder / (n + end)).is_file()]
    if packed:
        raise InputError(f"{folder / packed[0]} is there, packed: unpack it to {names[0]}")
    how = f"aiec data download {card.name}" if card.downloads else "see its page"
    raise InputError(
        f"{folder / names[0]} is missing. {card.title} comes from {card.source} "
        f"(licence: {card.licence}; {how}): put {', '.join(card.files)} into {folder}, or name "
        "another folder with --data-root. Without any file, --simulate runs on simulated data"
    )


def is_own(name: str) -> bool:
    """Whether a data set is given by its path: a file or folder of the user's own."""
    return name not in DATASETS and (os.sep in name or "/" in name or Path(name).exists())
