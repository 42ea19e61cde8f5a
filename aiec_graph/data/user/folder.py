"""A user's own graph by its path: a folder of tables, one table of transactions, a graph file."""

import re
from pathlib import Path

from aiec_graph.data.formats import graph_file
from aiec_graph.data.formats.options import FileOptions
from aiec_graph.data.graph import Graph
from aiec_graph.data.user.declaration import Declaration, read_declaration
from aiec_graph.data.user.frames import graph_of
from aiec_graph.data.user.tables import SUFFIXES, read_table
from aiec_graph.data.user.transactions import graph_of_transactions
from aiec_graph.data.user.xml_file import XML_SUFFIXES, read_xml
from aiec_graph.errors import InputError

DECLARATION = "graph.yaml"


def file_options(declared: Declaration) -> FileOptions:
    """What a declaration says of a graph file."""
    types = declared.edge_types
    return FileOptions(
        anomalous=tuple(declared.anomalous),
        normal=tuple(declared.normal),
        unknown=tuple(declared.unknown),
        edge_types=None if types is None else tuple(types),
    )


def own_sources(path: Path) -> list[Path]:
    """The files that the graph at a path is made of.

    Raises:
        InputError: there is none.
    """
    if path.is_file():
        return [path, *(f for f in (path.with_suffix(f".{DECLARATION}"),) if f.is_file())]
    if not path.is_dir():
        raise InputError(f"{path}: there is no such file or folder")
    declared = read_declaration(path / DECLARATION)
    files = [f for f in (path / DECLARATION,) if f.is_file()]
    if declared.graph is not None:
        return [*files, _graph_file(path, declared.graph)]
    transactions = _find(path, declared.transactions, "transactions")
    nodes = _find(path, declared.nodes, "nodes", "accounts")
    if transactions is not None:
        return [*files, transactions, *([nodes] if nodes else [])]
    edges = _find(path, declared.edges, "edges")
    if nodes is None or edges is None:
        missing = "nodes.csv" if nodes is None else "edges.csv"
        raise InputError(
            f"{path}: no {missing} (or .parquet) in it, nor transactions.csv; docs/own-graphs.md "
            "says what a folder holds"
        )
    return [*files, nodes, edges]


def load_own(path: Path) -> Graph:
    """Loads the graph at a path; docs/own-graphs.md says what can be there.

    Raises:
        InputError: there is none, or it cannot be used; names the file and the line.
    """
    name = re.sub(r"[^\w.-]+", "_", path.resolve().stem) or "graph"
    sources = own_sources(path)
    if path.is_file():
        declared = read_declaration(path.with_suffix(f".{DECLARATION}"))
        if path.suffix.lower() in SUFFIXES:
            return _transactions(path, None, declared, name)
        return _whole_graph(path, declared, name)
    declared = read_declaration(path / DECLARATION)
    if declared.graph is not None:
        return _whole_graph(sources[-1], declared, name)
    tables = [source for source in sources if source.name != DECLARATION]
    if _find(path, declared.transactions, "transactions") is not None:
        return _transactions(tables[0], tables[1] if len(tables) > 1 else None, declared, name)
    nodes = read_table(tables[0], _text_columns(declared))
    edges = read_table(tables[1], (declared.source, declared.target))
    return graph_of(nodes, edges, declared, name)


def _whole_graph(path: Path, declared: Declaration, name: str) -> Graph:
    if path.suffix.lower() in XML_SUFFIXES:
        return read_xml(path, name, declared)
    return graph_file.read(name, path, file_options(declared))


def _graph_file(folder: Path, named: str) -> Path:
    if not (folder / named).is_file():
        raise InputError(f"{folder / DECLARATION}: {named} must be a graph file beside it")
    return folder / named


def _transactions(path: Path, accounts: Path | None, declared: Declaration, name: str) -> Graph:
    ends = (declared.source, declared.target)
    labels = () if declared.transaction_label is None else (declared.transaction_label,)
    table = read_table(path, (*ends, *labels))
    extra = None if accounts is None else read_table(accounts, _text_columns(declared))
    return graph_of_transactions(table, extra, declared, name)


def _text_columns(declared: Declaration) -> tuple[str, ...]:
    return (declared.id, declared.label, declared.split, *declared.categorical)


def _find(folder: Path, named: str | None, *stems: str) -> Path | None:
    if named is not None:
        if not (folder / named).is_file() or (folder / named).suffix.lower() not in SUFFIXES:
            raise InputError(
                f"{folder / DECLARATION}: {named} must be a .csv or .parquet file beside it"
            )
        return folder / named
    for stem in stems:
        for suffix in SUFFIXES:
            if (folder / (stem + suffix)).is_file():
                return folder / (stem + suffix)
    return None
