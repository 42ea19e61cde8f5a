"""A user's own graph by its path: a folder of tables, one table of transactions, a graph file."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aiec_graph.data.user.assemble import assemble, assemble_transactions
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.findings import DataError
from aiec_graph.data.user.graph_yaml import read_declaration
from aiec_graph.data.user.inspection import inspect_tables
from aiec_graph.data.user.labels import USUAL
from aiec_graph.data.user.profile import (
    ColumnProfile,
    DataProfile,
    Feature,
    GraphTables,
    NodeTable,
    Reading,
)
from aiec_graph.data.user.sources import Sources, find_sources, folder_of
from aiec_graph.data.user.tables import Table, read_tables
from aiec_graph.data.user.xml_file import XML_SUFFIXES, read_xml
from aiec_graph.errors import InputError
from aiec_graph.graph.column import Column
from aiec_graph.graph.formats.options import FileOptions

if TYPE_CHECKING:
    from aiec_graph.graph.graph import Graph


def file_options(declared: Declaration, yaml: str) -> FileOptions:
    """Returns what a declaration, in a file of this name, says of a graph file."""
    types = declared.edge_types
    return FileOptions(
        **{meaning: tuple(getattr(declared, meaning) or USUAL[meaning]) for meaning in USUAL},
        edge_types=None if types is None else tuple(types),
        yaml=yaml,
    )


def own_sources(path: Path, declaration: Declaration | None = None) -> list[Path]:
    """The files that the graph at a path is made of.

    Args:
        path: a folder, or a file.
        declaration: for a folder without a graph.yaml of its own.

    Raises:
        InputError: there is none.
    """
    return find_sources(path, declaration).files


def load_own(
    path: Path,
    columns: tuple[Column, ...] | None = None,
    declaration: Declaration | None = None,
    as_of: str = "",
) -> "Graph":
    """Loads the graph at a path; docs/guides/own-graphs.md says what can be there.

    Args:
        path: a folder, or a file.
        columns: those of the graph that a network was trained on, where this one is to be scored.
        declaration: of that graph, for a folder without a graph.yaml of its own.
        as_of: in place of the declared one.

    Raises:
        InputError: there is none, or it cannot be used; names every file, line and column that is
            at fault.
    """
    folder, sources = folder_of(path), find_sources(path, declaration)
    name = re.sub(r"[^\w.-]+", "_", folder.resolve().stem) or "graph"
    declared = declaration_of(sources, declaration)
    if as_of:
        declared = replace(declared, as_of=as_of)
    reading = Reading(declared, columns)
    if is_whole(sources):
        return _load_file(sources, reading, name)
    from aiec_graph.data.user.frames import to_graph

    return to_graph(_read(sources, reading), reading, name, str(folder))


def profile_own(
    path: Path,
    columns: tuple[Column, ...] | None = None,
    declaration: Declaration | None = None,
) -> DataProfile:
    """Says what the data at a path hold, and all that is wrong with them.

    Tables, GraphML and GEXF are read without torch.

    Args:
        path: a folder, or a file.
        columns: as in `load_own`.
        declaration: as in `load_own`.
    """
    reading = Reading(trained=columns)
    tables = None
    try:
        sources = find_sources(path, declaration)
        reading.declared = declaration_of(sources, declaration)
        if is_whole(sources):
            graph = _load_file(sources, reading, path.stem)
            return profile_graph(graph, str(sources.graph), reading)
        tables = _read(sources, reading)
    except DataError as error:
        reading.findings.faults += [f for f in error.faults if f not in reading.findings.faults]
    except InputError as error:
        reading.findings.add_fault(str(error))
    if tables is not None and not reading.findings.faults:
        inspect_tables(tables, reading, str(folder_of(path)))
    return reading.profile(tables)


def profile_graph(graph: "Graph", file: str, reading: Reading | None = None) -> DataProfile:
    """Says what a graph in memory holds.

    Args:
        graph: that was read.
        file: what to call the file of its columns.
        reading: that it was made by, if it has been inspected already.
    """
    tables = tables_of(graph)
    if reading is None:
        reading = Reading()
        reading.findings.notes += graph.notes
        inspect_tables(tables, reading, graph.label)
    for column in _describe(graph):
        reading.columns.append(ColumnProfile(file, *column))
    return reading.profile(tables)


def tables_of(graph: "Graph") -> GraphTables:
    """The arrays of a graph, which are shared where they can be."""
    columns = graph.columns or [Column(f"x[{i}]") for i in range(graph.x.shape[1])]
    features = [Feature(c, v) for c, v in zip(columns, graph.x.numpy().T, strict=True)]
    given = graph.given.get("supervised")
    source, target = graph.edges.edge_index.numpy()
    nodes = NodeTable(
        ids=pd.Index(graph.node_ids),
        features=features,
        y=graph.y,
        parts=None if given is None else given[0],
        time_step=graph.time_step,
    )
    weight = graph.edges.weight
    as_double = None if weight is None else weight.astype(np.float64)
    return GraphTables(nodes, source, target, as_double)


def _describe(graph: "Graph") -> list[tuple[str, str, str]]:
    """Name, role and kind of the parts of a graph."""
    features = [f.column for f in tables_of(graph).nodes.features]
    found = [(column.name, "feature", column.kind) for column in features]
    found.append(("y", "label", "category"))
    found += [(f"masks, {kind}", "split", "boolean") for kind in graph.given]
    if graph.time_step is not None:
        found.append(("time_step", "time_step", "number"))
    found += [(f"edge_index[{i}]", end, "number") for i, end in enumerate(("source", "target"))]
    if graph.edges.weight is not None:
        found.append(("weight", "weight", "number"))
    return found


def is_whole(sources: Sources) -> bool:
    """Says whether the data are a graph file that is read as a whole, and no tables."""
    return sources.graph is not None and sources.graph.suffix.lower() not in XML_SUFFIXES


def declaration_of(sources: Sources, otherwise: Declaration | None = None) -> Declaration:
    """Returns what the graph.yaml among the files says, or what is given in its place.

    Raises:
        InputError: it cannot be read.
    """
    if sources.declaration is not None:
        return read_declaration(sources.declaration)
    return otherwise or Declaration()


def _read(sources: Sources, reading: Reading) -> GraphTables | None:
    reading.findings.notes += sources.notes
    if sources.graph is not None:
        tables = read_xml(sources.graph, reading.declared)
        nodes, edges = (replace(table, yaml=sources.yaml) for table in tables)
        return assemble(nodes, edges, reading)
    found = read_sources(sources, reading)
    labels = found.get("labels")
    if sources.transactions:
        return assemble_transactions(found["transactions"], found.get("nodes"), reading, labels)
    return assemble(found.get("nodes"), found.get("edges"), reading, labels)


def read_sources(sources: Sources, reading: Reading) -> dict[str, Table]:
    """Reads the tables of a graph as they are, by role: transactions, nodes, edges, labels.

    Raises:
        DataError: lists those that cannot be read.
    """
    found: dict[str, Table] = {}
    for role in ("transactions", "nodes", "edges", "labels"):
        paths = getattr(sources, role)
        if paths:
            try:
                found[role] = read_tables(paths, sources.yaml)
            except InputError as error:
                reading.findings.add_fault(str(error))
    reading.findings.raise_faults()
    return found


def _load_file(sources: Sources, reading: Reading, name: str) -> "Graph":
    """Loads a whole graph from one file; what is to be told is in the reading too."""
    from aiec_graph.graph.formats import graph_file

    assert sources.graph is not None  # the caller has looked
    graph = graph_file.read(name, sources.graph, file_options(reading.declared, sources.yaml))
    reading.findings.notes += graph.notes
    inspect_tables(tables_of(graph), reading, str(sources.graph))
    findings = reading.findings
    return replace(
        graph,
        notes=(*findings.warnings, *findings.notes),
        declaration=reading.declared.to_dict(),
        trusted=True,
    )
