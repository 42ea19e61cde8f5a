"""The data sets by name, the user's own by path, and the one way to load any of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from aiec_graph.data.check import compare_checksums, compare_with_card
from aiec_graph.data.datasets import elliptic, weibo21
from aiec_graph.data.datasets.cards import (
    DATASETS,
    Card,
    default_data_root,
    find_files,
    is_own,
    read_card,
)
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.data.simulate import marker, simulate_dataset
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.graph.formats import graph_file
from aiec_graph.graph.formats.options import MERGED
from aiec_graph.graph.graph import Graph
from aiec_graph.graph.storage.cache import cache_folder, cached
from aiec_graph.graph.storage.fingerprint import Fingerprint, Fingerprints

LOADER_VERSION = 3
"""Part of every cache's key: raised when a loader makes something else of the same files."""
DEFAULT_FRACTIONS = 0.4, 0.2
DEFAULT_TEXT = TextGraph()

Reader = Callable[[str, Sequence[Path], TextGraph], Graph]

# How the files of a card are read, by its `form`.
FORMS: dict[str, Reader] = {
    "graph": lambda name, files, _: graph_file.read(name, files[0], MERGED),
    "elliptic": lambda name, files, _: elliptic.read(name, files),
    "elliptic_graph": lambda name, files, _: elliptic.read_graph(name, files),
    "weibo21": weibo21.read,
}


@dataclass(frozen=True)
class Loaded:
    """A data set with what there is to say about it."""

    graph: Graph
    warnings: list[str]
    """How it differs from what was published, and what its reader did that should be known."""


@dataclass(frozen=True)
class Source:
    """Where a data set is, before it is loaded."""

    name: str
    """A name in `DATASETS`, or the path of the user's own graph."""
    card: Card | None
    """None for the user's own graph."""
    files: list[Path]
    fingerprints: list[Fingerprint]
    checksum: str
    """Of everything that the loaded graph is made from."""
    _cache: Path
    _build: Callable[[], Graph]

    def load(self) -> Loaded:
        """Loads it, from its cache where that is sound.

        Raises:
            InputError: a file is malformed.
        """
        graph = cached(self._cache, self.checksum, self._build)
        warnings = [*graph.notes]
        if self.card is not None:
            warnings += compare_with_card(graph, self.card)
        if self.card is not None and graph.simulated is None:
            warnings += compare_checksums(self.card, self.files, self.fingerprints)
        return Loaded(graph, warnings)


def is_text(name: str) -> bool:
    """Whether a data set is a collection of texts, which becomes a graph by options."""
    return not is_own(name) and read_card(name).form == "weibo21"


def short_name(name: str) -> str:
    """A data set's name for tables and folders; for a path, its last part without suffix."""
    return Path(name).resolve().stem if is_own(name) else name


def fractions(name: str) -> tuple[float, float]:
    """Shares of the training and validation nodes in a stratified split."""
    return DEFAULT_FRACTIONS if is_own(name) else read_card(name).fractions


def check_dataset(name: str, simulated: bool = False) -> None:
    """Checks that a data set is known, or a path, and can be simulated where that is asked for.

    Raises:
        InputError: it is not.
    """
    if is_own(name):
        if simulated:
            raise InputError(f"--simulate takes a data set by name, not a path such as {name}")
    elif name not in DATASETS:
        raise InputError(
            f"unknown data set {name!r}.{did_you_mean(name, DATASETS)} Known: "
            f"{', '.join(DATASETS)}, or the path of a graph of your own"
        )


def find_source(
    name: str,
    data_root: Path | None = None,
    simulate: float | None = None,
    text: TextGraph = DEFAULT_TEXT,
) -> Source:
    """Finds the files of a data set and their checksums; arguments as in `load_dataset`.

    Raises:
        InputError: the name is unknown or a file is missing.
    """
    check_dataset(name, simulate is not None)
    if is_own(name):
        from aiec_graph.data.user import own_sources

        path = Path(name)
        folder, files = path if path.is_dir() else path.parent, own_sources(path)
        card, simulated = None, None
        options: dict[str, object] = {"own": path.name}
    else:
        card = read_card(name)
        folder = (data_root or default_data_root()) / name
        if simulate is not None:
            folder = simulate_dataset(card, folder, simulate)
        files = find_files(card, folder)
        simulated = marker.read(files[0].parent)
        options = asdict(text) if card.form == "weibo21" else {}
    store = cache_folder(folder)
    prints = Fingerprints(store / "checksums.json")
    published = {} if card is None else card.files
    known = [prints.of(file, with_sha256=bool(published.get(file.name))) for file in files]
    prints.save(files)
    contents = [[file.name, found.xxh3] for file, found in zip(files, known, strict=True)]

    def build() -> Graph:
        if card is None:
            from aiec_graph.data.user import load_own

            return load_own(Path(name))
        graph = FORMS[card.form](name, files, text)
        return replace(graph, simulated=simulated, trusted=True)

    return Source(
        name=name,
        card=card,
        files=files,
        fingerprints=known,
        checksum=_digest([LOADER_VERSION, short_name(name), options, simulated, contents]),
        _cache=store / f"{short_name(name)}-{_digest(options)[:8]}",
        _build=build,
    )


def load_dataset(
    name: str,
    data_root: Path | None = None,
    simulate: float | None = None,
    text: TextGraph = DEFAULT_TEXT,
) -> Graph:
    """Loads a data set, from its cache where that is sound.

    Args:
        name: a name in `DATASETS`, or the path of a graph of your own (docs/guides/own-graphs.md).
        data_root: the folder that holds a folder `<name>/`; see `default_data_root`.
        simulate: the scale of a simulation in the data set's raw form, which is written below the
            data root and read back; None for the real files.
        text: how posts become a graph; used by weibo21 alone.

    Raises:
        InputError: the name is unknown, or a file is missing or malformed.
    """
    return find_source(name, data_root, simulate, text).load().graph


def load_and_compare(name: str, data_root: Path | None = None) -> Loaded:
    """As `load_dataset` of real files, with the differences from the data set's card.

    Raises:
        InputError: as `load_dataset`.
    """
    return find_source(name, data_root).load()


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
