"""A user's own graph by its path: a folder of tables, one table of transactions, a graph file."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.data.column import Column
from aiec_graph.data.formats.options import FileOptions
from aiec_graph.data.user.assemble import assemble, assemble_transactions
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.findings import DataError
from aiec_graph.data.user.graph_yaml import read_declaration
from aiec_graph.data.user.labels import USUAL
from aiec_graph.data.user.profile import DataProfile, GraphTables, Reading
from aiec_graph.data.user.sources import Sources, find_sources, folder_of
from aiec_graph.data.user.tables import Table, read_tables
from aiec_graph.errors import InputError

if TYPE_CHECKING:
    from aiec_graph.data.graph import Graph


def file_options(declared: Declaration) -> FileOptions:
    """Returns what a declaration says of a graph file."""
    types = declared.edge_types
    return FileOptions(
        **{meaning: tuple(getattr(declared, meaning) or USUAL[meaning]) for meaning in USUAL},
        edge_types=None if types is None else tuple(types),
    )


def own_sources(path: Path) -> list[Path]:
    """The files that the graph at a path is made of.

    Raises:
        InputError: there is none.
    """
    return find_sources(path).files


def load_own(
    path: Path,
    columns: tuple[Column, ...] | None = None,
    declaration: Declaration | None = None,
    as_of: str = "",
) -> "Graph":
    """Loads the graph at a path; docs/own-graphs.md says what can be there.

    Args:
        path: a folder, or a file.
        columns: those of the graph that a network was trained on, where this one is to be scored.
        declaration: of that graph, for a folder without a graph.yaml of its own.
        as_of: in place of the declared one.

    Raises:
        InputError: there is none, or it cannot be used; names every file, line and column that is
            at fault.
    """
    folder = folder_of(path)
    name = re.sub(r"[^\w.-]+", "_", folder.resolve().stem) or "graph"
    sources = find_sources(path)
    if sources.graph is not None:
        return _load_file(sources.graph, _declaration_of(sources, declaration), name)
    from aiec_graph.data.user.frames import to_graph

    declared = _declaration_of(sources, declaration)
    if as_of:
        declared = replace(declared, as_of=as_of)
    reading = Reading(declared, columns)
    tables = _read(sources, reading)
    return to_graph(tables, reading, name, str(folder))


def profile_own(
    path: Path,
    columns: tuple[Column, ...] | None = None,
    declaration: Declaration | None = None,
) -> DataProfile:
    """Says what the tables at a path hold, and all that is wrong with them; needs no torch.

    Args:
        path: a folder of tables, or a table of transactions.
        columns: as in `load_own`.
        declaration: as in `load_own`.
    """
    reading = Reading(trained=columns)
    tables = None
    try:
        sources = find_sources(path)
        if sources.graph is not None:
            raise InputError(f"{path}: a graph file and no tables")
        reading.declared = _declaration_of(sources, declaration)
        tables = _read(sources, reading)
    except DataError as error:
        reading.findings.faults += [f for f in error.faults if f not in reading.findings.faults]
    except InputError as error:
        reading.findings.add_fault(str(error))
    return reading.profile(tables)


def _declaration_of(sources: Sources, otherwise: Declaration | None) -> Declaration:
    if sources.declaration is not None:
        return read_declaration(sources.declaration)
    return otherwise or Declaration()


def _read(sources: Sources, reading: Reading) -> GraphTables | None:
    reading.findings.notes += sources.notes
    found: dict[str, Table] = {}
    for role in ("transactions", "nodes", "edges", "labels"):
        paths = getattr(sources, role)
        if paths:
            try:
                found[role] = read_tables(paths)
            except InputError as error:
                reading.findings.add_fault(str(error))
    reading.findings.raise_faults()
    labels = found.get("labels")
    if sources.transactions:
        return assemble_transactions(found["transactions"], found.get("nodes"), reading, labels)
    return assemble(found["nodes"], found.get("edges"), reading, labels)


def _load_file(path: Path, declared: Declaration, name: str) -> "Graph":
    """Loads a whole graph from one file."""
    from aiec_graph.data.formats import graph_file
    from aiec_graph.data.user.xml_file import XML_SUFFIXES, read_xml

    if path.suffix.lower() in XML_SUFFIXES:
        return read_xml(path, name, declared)
    return graph_file.read(name, path, file_options(declared))
