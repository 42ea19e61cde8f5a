"""The command `data`: which data sets there are, and getting, making and checking their files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.console import Console
from rich.table import Table

from aiec_graph.data import DATASETS, default_data_root, find_source, read_card
from aiec_graph.data.datasets.cards import Card, find_files
from aiec_graph.data.graph import UNKNOWN
from aiec_graph.data.simulate import simulate_dataset
from aiec_graph.errors import InputError, look_up

DESCRIPTION = """Data sets: what there is, and their files.

  aiec-bench data list
  aiec-bench data info elliptic
  aiec-bench data download elliptic
  aiec-bench data download weibo21 --accept-licence
  aiec-bench data simulate tfinance --scale 0.1
  aiec-bench data verify reddit weibo21 --data-root DIR

Every action takes --help."""

ROOT_HELP = "Folder with a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."


def data_command(arguments: list[str]) -> int:
    """Runs `data` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: an action, name or option is unknown, or the action failed.
    """
    console = Console(soft_wrap=True, highlight=False)
    if not arguments or arguments[0] in ("-h", "--help"):
        console.print(DESCRIPTION, markup=False)
        return 0
    look_up(arguments[0], _ACTIONS, "action")(arguments[1:], console)
    return 0


def _list(arguments: list[str], console: Console) -> None:
    root = _parse("list", "Lists the data sets, and whether their files are there.", arguments)
    table = Table(caption=f"files are looked for under {root.data_root}", caption_justify="left")
    for name in ("name", "what", "nodes", "edges", "anomalies", "files"):
        justify = "right" if name in ("nodes", "edges", "anomalies") else "left"
        table.add_column(name, justify=justify, no_wrap=name != "what")
    for name in DATASETS:
        card = read_card(name)
        edges = "made here" if card.edges is None else f"{card.edges:,}"
        what = card.title.partition(", ")[2].partition(" (")[0]
        there = "there" if _are_there(card, root.data_root / name) else "–"
        row = (name, what, f"{card.nodes:,}", edges, _anomalies(card), there)
        table.add_row(*row)
    Console().print(table)


def _info(arguments: list[str], console: Console) -> None:
    parsed = _parse("info", "Shows the card of a data set.", arguments, names="one")
    card = read_card(parsed.name)
    folder = parsed.data_root / card.name
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
    how = f"aiec-bench data download {card.name}{accept}" if card.downloads else "by hand"
    console.print(f"  get it     {how}", markup=False)


def _download(arguments: list[str], console: Console) -> None:
    from aiec_graph.data.storage.download import download

    parsed = _parse(
        "download",
        "Fetches the published files. What is there is left as it is; what was interrupted goes "
        "on where it stopped.",
        arguments,
        ("--accept-licence", {"action": "store_true", "help": "Accept the terms that are shown."}),
        names="many",
    )
    for name in parsed.names:
        folder = parsed.data_root / name
        download(read_card(name), folder, console, accept_licence=parsed.accept_licence)


def _simulate(arguments: list[str], console: Console) -> None:
    parsed = _parse(
        "simulate",
        "Writes simulated files in the raw form of a data set; simulated.json beside them says "
        "which features carry a signal.",
        arguments,
        ("--scale", {"type": float, "default": 0.1, "help": "Share of the real size, up to 1."}),
        ("--seed", {"type": int, "default": 0, "help": "Of everything that is drawn."}),
        names="one",
    )
    with Console(stderr=True).status(f"simulating {parsed.name}"):
        folder = simulate_dataset(
            read_card(parsed.name), parsed.data_root / parsed.name, parsed.scale, parsed.seed
        )
    console.print(f"simulated {parsed.name} at scale {parsed.scale:g}: {folder}", markup=False)


def _verify(arguments: list[str], console: Console) -> None:
    parsed = _parse(
        "verify",
        "Loads data sets and compares them with what was published. A difference is a warning; "
        "files that cannot be used are an error, exit code 2.",
        arguments,
        names="many",
    )
    for name in parsed.names:
        with Console(stderr=True).status(f"loading {name}"):
            source = find_source(name, parsed.data_root)
            loaded = source.load()
        graph, warnings = loaded.graph, loaded.warnings
        console.print(f"[bold]{graph.label}[/bold]")
        counts = {word: int((graph.y == value).sum()) for value, word in _WORDS.items()}
        console.print(
            f"  {len(graph.y):,} nodes, {graph.edges.num_edges:,} directed edges "
            f"({graph.edges.num_self_loops:,} self-loops), {graph.x.shape[1]} features"
        )
        console.print("  " + ", ".join(f"{count:,} {word}" for word, count in counts.items()))
        for kind, parts in graph.given.items():
            console.print(f"  comes with {len(parts)} {kind} split(s)")
        for file, found in zip(source.files, source.fingerprints, strict=True):
            published = None if source.card is None else source.card.files.get(file.name)
            verdict = "no published checksum to compare with"
            if published:
                verdict = "as published" if found.sha256 == published else "DIFFERS"
            console.print(f"  {file.name}: {verdict}", markup=False)
        for warning in warnings:
            console.print(f"  warning: {warning}", markup=False)
        if not warnings and graph.simulated is None:
            console.print("  every count agrees with the card")


_WORDS = {1: "anomalous", 0: "normal", UNKNOWN: "unknown"}

_ACTIONS: dict[str, Callable[[list[str], Console], None]] = {
    "list": _list,
    "info": _info,
    "download": _download,
    "simulate": _simulate,
    "verify": _verify,
}


def _parse(
    action: str,
    description: str,
    arguments: list[str],
    *options: tuple[str, dict[str, Any]],
    names: str = "",
) -> Namespace:
    from aiec_graph.cli.main import make_parser, parse

    parser = make_parser(f"data {action}", description)
    known = f"Known: {', '.join(DATASETS)}."
    if names == "one":
        parser.add_argument("name", type=str, help=f"A data set. {known}")
    elif names == "many":
        parser.add_argument("names", type=str, nargs="+", help=f"Data sets. {known}")
    for option, extra in options:
        parser.add_argument(option, **extra)
    parser.add_argument("--data-root", type=Path, default=default_data_root(), help=ROOT_HELP)
    parsed = parse(parser, arguments)
    for name in [parsed.name] if names == "one" else parsed.names if names == "many" else []:
        look_up(name, dict.fromkeys(DATASETS), "data set")
    return parsed


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
