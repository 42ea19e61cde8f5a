"""The commands `data …`: the known data sets, and getting, simulating and verifying their files."""

from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.data.datasets.cards import (
    DATASETS,
    Card,
    default_data_root,
    find_files,
    read_card,
)
from aiec_graph.errors import InputError, look_up
from aiec_graph.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from aiec_graph.data import Loaded, Source

KNOWN = {"name": DATASETS, "names": DATASETS}


def list_(data_root: Path | None = None) -> int:
    """Lists the data sets, and whether their files are there.

    Args:
        data_root: Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).
    """
    from rich.console import Console
    from rich.table import Table

    root = data_root or default_data_root()
    table = Table(caption=f"files are looked for under {root}", caption_justify="left")
    for name in ("name", "what", "nodes", "edges", "anomalies", "files"):
        justify = "right" if name in ("nodes", "edges", "anomalies") else "left"
        table.add_column(name, justify=justify, no_wrap=name != "what")
    for name in DATASETS:
        card = read_card(name)
        edges = "made here" if card.edges is None else f"{card.edges:,}"
        what = card.title.partition(", ")[2].partition(" (")[0]
        there = "there" if _are_there(card, root / name) else "–"
        table.add_row(name, what, f"{card.nodes:,}", edges, _anomalies(card), there)
    Console().print(table)
    return 0


def info(name: str, data_root: Path | None = None) -> int:
    """Shows the card of a data set: sizes, source, licence, files.

    Args:
        name: A data set.
        data_root: Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: there is no such data set.
    """
    console = _console()
    card = _card(name)
    folder = (data_root or default_data_root()) / card.name
    console.print(f"[bold]{card.name}[/bold]: {card.title}")
    lines = {
        "source": card.source,
        "licence": card.licence,
        "terms": card.terms,
        "nodes": f"{card.nodes:,}",
        "edges": None
        if card.edges is None
        else f"{card.edges:,}" + (", undirected" if card.undirected else ", directed"),
        "features": card.features,
        "anomalies": _anomalies(card),
        "split": "comes with the files"
        if card.masks or card.form == "elliptic"
        else f"stratified, {card.train_fraction:.0%} train, {card.val_fraction:.0%} val",
        "notes": card.notes,
        "folder": f"{folder} ({'files are there' if _are_there(card, folder) else 'no files yet'})",
    }
    for what, value in lines.items():
        if value not in (None, ""):
            console.print(f"  {what:10} {value}", markup=False)
    for name, checksum in card.files.items():
        console.print(f"  file       {name}  SHA-256 {checksum or 'not known'}", markup=False)
    for name in card.also:
        console.print(f"  also taken {name}", markup=False)
    accept = " --accept-licence" if card.terms else ""
    how = f"aiec data download {card.name}{accept}" if card.downloads else "by hand"
    console.print(f"  get it     {how}", markup=False)
    return 0


def download(names: list[str], accept_licence: bool = False, data_root: Path | None = None) -> int:
    """Fetches the published files.

    What is there is left as it is; what was interrupted goes on where it stopped.

    Args:
        names: Data sets.
        accept_licence: Accept the terms that are shown.
        data_root: Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: a name is unknown, or a file cannot be fetched.
    """
    from aiec_graph.data.datasets.download import download as fetch

    root = data_root or default_data_root()
    for card in [_card(name) for name in names]:
        fetch(card, root / card.name, _console(), accept_licence=accept_licence)
    return 0


def simulate(name: str, scale: float = 0.1, seed: int = 0, data_root: Path | None = None) -> int:
    """Writes simulated files in the raw format of a data set.

    The file simulated.json beside them says which features carry a signal.

    Args:
        name: A data set.
        scale: Share of the real size, up to 1.
        seed: Of everything that is drawn.
        data_root: Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: the name or the scale cannot be used.
    """
    from rich.console import Console

    from aiec_graph.data.simulate import simulate_dataset

    card = _card(name)
    root = data_root or default_data_root()
    with Console(stderr=True).status(f"simulating {name}"):
        folder = simulate_dataset(card, root / name, scale, seed)
    _console().print(f"simulated {name} at scale {scale:g}: {folder}", markup=False)
    return 0


def verify(names: list[str], data_root: Path | None = None) -> int:
    """Loads data sets and compares them with what was published.

    A difference is a warning; files that cannot be used are an error, exit code 2.

    Args:
        names: Data sets.
        data_root: Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: a name is unknown, or its files cannot be used.
    """
    from rich.console import Console

    from aiec_graph.data import find_source

    console = _console()
    for card in [_card(name) for name in names]:
        with Console(stderr=True).status(f"loading {card.name}"):
            source = find_source(card.name, data_root or default_data_root())
            loaded = source.load()
        _report(source, loaded, console)
    return 0


def _report(source: "Source", loaded: "Loaded", console: "Console") -> None:
    from aiec_graph.data import UNKNOWN

    graph = loaded.graph
    words = {1: "anomalous", 0: "normal", UNKNOWN: "unknown"}
    counts = {word: int((graph.y == value).sum()) for value, word in words.items()}
    console.print(f"[bold]{graph.label}[/bold]")
    console.print(
        f"  {counted(len(graph.y), 'node')}, {counted(graph.edges.num_edges, 'directed edge')} "
        f"({counted(graph.edges.num_self_loops, 'self-loop')}), "
        f"{counted(graph.x.shape[1], 'feature')}"
    )
    console.print("  " + ", ".join(f"{count:,} {word}" for word, count in counts.items()))
    for kind, parts in graph.given.items():
        console.print(f"  comes with {counted(len(parts), f'{kind} split')}")
    for file, found in zip(source.files, source.fingerprints, strict=True):
        published = None if source.card is None else source.card.files.get(file.name)
        verdict = "no published checksum to compare with"
        if published:
            verdict = "as published" if found.sha256 == published else "DIFFERS"
        console.print(f"  {file.name}: {verdict}", markup=False)
    for warning in loaded.warnings:
        console.print(f"  warning: {warning}", markup=False)
    if not loaded.warnings and graph.simulated is None:
        console.print("  every count agrees with the card")


def _card(name: str) -> Card:
    look_up(name, dict.fromkeys(DATASETS), "data set")
    return read_card(name)


def _console() -> "Console":
    from rich.console import Console

    return Console(soft_wrap=True, highlight=False)


def _are_there(card: Card, folder: Path) -> bool:
    try:
        return bool(find_files(card, folder))
    except InputError:
        return False


def _anomalies(card: Card) -> str:
    if card.anomalies is None:
        return f"{card.anomaly_percent} %"
    several = card.anomalies if isinstance(card.anomalies, list) else [card.anomalies]
    return " or ".join(f"{count:,}" for count in several)
