"""Graphs in DGL's binary files: which of their types and arrays become the graph."""

from pathlib import Path

import numpy as np

from aiec_graph.errors import InputError, named
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.dgl_binary import StoredGraph, read_graphs
from aiec_graph.graph.formats.node_arrays import (
    FEATURE_NAMES,
    LABEL_NAMES,
    first_of,
    make_graph,
    tell_unused,
)
from aiec_graph.graph.formats.options import FileOptions, choose_edge_types
from aiec_graph.graph.graph import Graph


def read(name: str, path: Path, options: FileOptions = FileOptions()) -> Graph:  # noqa: B008
    """Reads the graph of a file, as T-Finance's authors and GADBench publish theirs.

    Takes `feature` [N, F] and `label` [N] or one-hot [N, 2], and, where the file carries them,
    `train_masks`, `val_masks` and `test_masks` [N, trials]; of GADBench's 20, the last 10 are the
    semi-supervised ones. A node of no mask is of unknown class. Of several node types, the one
    with features and labels is taken.

    Raises:
        InputError: the file is damaged, or holds several graphs, or several edge types of which
            `options` choose none.
    """
    graphs = read_graphs(path)
    if len(graphs) != 1:
        raise InputError(f"{path}: holds {len(graphs)} graphs; a file must hold one")
    return from_stored(name, graphs[0], path, options)


def from_stored(name: str, stored: StoredGraph, path: Path, options: FileOptions) -> Graph:
    """Makes a graph of a stored one.

    Raises:
        InputError: as `read`.
    """
    with named(path):
        node_type = _node_type(stored)
        arrays = {key: a for key, a in stored.ndata[node_type].items() if key.isidentifier()}
        within = [e for e in stored.edge_types if e.source_type == e.target_type == node_type]
        if not within:
            raise InputError(f"it has no edges between nodes of the type {node_type}")
        chosen = [within[i] for i in choose_edge_types([e.name for e in within], options)]
    features = first_of(arrays, FEATURE_NAMES, path)
    labels = first_of(arrays, LABEL_NAMES, path)
    ends = [(e.source, e.target) for e in chosen]
    source, target = (
        np.concatenate([pair[i] for pair in ends]) if len(ends) > 1 else ends[0][i] for i in (0, 1)
    )
    with named(path):
        edges = Edges.from_pairs(source, target, len(features))
    graph = make_graph(name, path, features, labels, edges, arrays, options)
    return tell_unused(graph, stored.edata, "of the edges their ends alone are read")


def _node_type(stored: StoredGraph) -> str:
    types = list(stored.num_nodes)
    if len(types) == 1:
        return types[0]
    able = [
        t
        for t in types
        if all(any(n in stored.ndata[t] for n in names) for names in (FEATURE_NAMES, LABEL_NAMES))
    ]
    if len(able) != 1:
        raise InputError(
            f"its graph has {len(types)} types of nodes ({', '.join(types)}), of which {len(able)} "
            "have features and labels; expected one"
        )
    return able[0]
