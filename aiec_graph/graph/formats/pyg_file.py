"""PyG's `Data` and `HeteroData`: in a .pt file, in a zip that holds one, or in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.errors import InputError, named
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.node_arrays import MASK_NAMES, make_graph, tell_unused
from aiec_graph.graph.formats.options import FileOptions, choose_edge_types
from aiec_graph.graph.graph import Graph
from aiec_graph.graph.storage.pickle_machine import Record, plain
from aiec_graph.graph.storage.torch_file import (
    SparseMatrix,
    from_indptr,
    read_torch,
    sparse_matrix,
)
from aiec_graph.wording import listed

ADJACENCY_NAMES = ("adj", "adjacency", "adj_t")
HINT = "weights of edges are read from edge_weight, parts of a split from the masks"
USED = ("x", "y", "edge_index", "edge_weight", "num_nodes", *ADJACENCY_NAMES)
MOST_ZEROS = 1000
"""More zeros than this for each entry of a sparse feature matrix are refused."""

Parts = Mapping[str, Any]
Pairs = tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.floating] | None]


def read(name: str, path: Path, options: FileOptions = FileOptions()) -> Graph:  # noqa: B008
    """Reads what PyG saved: `Data` of any version, `InMemoryDataset`, `HeteroData`, or a dict.

    Raises:
        InputError: the file is damaged or holds something else.
    """
    return from_data(name, read_torch(path), path, options)


def from_data(
    name: str,
    data: Any,
    path: Path,
    options: FileOptions = FileOptions(),  # noqa: B008
) -> Graph:
    """Makes a graph of a PyG `Data` or `HeteroData`, or of what a file held of one.

    Args:
        name: of the graph.
        data: with `x` [N, F], dense or sparse, and `y` [N]; edges as `edge_index` [2, E] with
            `edge_weight` [E] where there are weights, or as `adj` [N, N] from row to column or
            `adj_t` [N, N] from column to row; and masks where there are any. Of several node
            types, the one with x and y is taken.
        path: where it is from, for messages.
        options: what the labels mean, and which edge types to take.

    Raises:
        InputError: a part is missing or not as it should be.
    """
    with named(path):
        parts, relations = _parts(data, options)
        x, labels = _features(parts), _array(parts, "y")
        stated = parts.get("num_nodes")
        if isinstance(stated, int) and stated != len(x):
            raise InputError(f"num_nodes is {stated}, and x has {len(x)} rows; they must agree")
        pairs = [_pairs(relation, len(x)) for relation in relations]
        edges = Edges.from_pairs(*_joined(pairs), len(x), _weights(pairs))
        names = [name for part in MASK_NAMES.values() for name in part]
        masks = {key: _array(parts, key) for key in names if parts.get(key) is not None}
        unused = {str(k) for part in (parts, *relations) for k in part if part[k] is not None}
    graph = make_graph(name, path, x, labels, edges, masks, options)
    return tell_unused(graph, unused - {*names, *USED}, HINT)


def _parts(data: Any, options: FileOptions) -> tuple[Parts, list[Parts]]:
    """The parts of the nodes, and those of each edge type that is taken."""
    if isinstance(data, tuple | list) and data:
        graphs = sum(map(_is_graph, data))
        if graphs > 1:
            raise InputError(f"holds {graphs} graphs; expected one graph")
        _check_slices(data[1:2])
        data = data[0]
    nodes, edges = _stores(data)
    if nodes is None:
        parts = _mapping(data)
        return parts, [parts]
    able = [kind for kind, parts in nodes.items() if {"x", "y"} <= set(parts)]
    if len(able) != 1:
        raise InputError(
            f"its graph has {len(nodes)} types of nodes ({listed(nodes)}), of which {len(able)} "
            "have x and y; expected one"
        )
    within = {key[1]: parts for key, parts in edges.items() if key[0] == key[2] == able[0]}
    if not within:
        raise InputError(f"it has no edges between nodes of the type {able[0]}")
    chosen = choose_edge_types(list(within), options)
    return nodes[able[0]], [list(within.values())[i] for i in chosen]


def _is_graph(item: Any) -> bool:
    if isinstance(item, Record):
        return item.kind in ("Data", "HeteroData")
    return hasattr(item, "edge_index") or hasattr(item, "edge_types")


def _check_slices(slices: Any) -> None:
    """An `InMemoryDataset` keeps its graphs in one, with the places where each begins."""
    places = slices[0] if slices else None
    for value in places.values() if isinstance(places, dict) else ():
        value = _plain(value)
        if isinstance(value, np.ndarray) and value.size > 2:
            raise InputError(f"holds a collection of {value.size - 1} graphs; expected one graph")


def _stores(data: Any) -> tuple[dict[str, Parts] | None, dict[tuple[str, str, str], Parts]]:
    """The parts by type of a `HeteroData`; None where it has no types."""
    if isinstance(data, Record) and data.kind == "HeteroData":
        nodes, edges = (data.state.get(f"_{kind}_store_dict") for kind in ("node", "edge"))
        if not isinstance(nodes, dict) or not isinstance(edges, dict):
            raise InputError("damaged (a HeteroData without its stores)")
    elif not isinstance(data, Record) and hasattr(data, "node_types"):
        nodes = {kind: data[kind] for kind in data.node_types}
        edges = {kind: data[kind] for kind in data.edge_types}
    else:
        return None, {}
    links = {
        key: _mapping(store)
        for key, store in edges.items()
        if isinstance(key, tuple) and len(key) == 3
    }
    return {str(key): _mapping(store) for key, store in nodes.items()}, links


def _mapping(data: Any) -> Parts:
    if isinstance(data, Record):
        store = data.state.get("_store")
        state = store.state if isinstance(store, Record) else data.state
        found = state.get("_mapping", state)  # PyG 1.x kept its tensors beside each other
    elif isinstance(data, dict):
        found = data
    elif hasattr(data, "to_dict"):
        found = data.to_dict()
    else:
        raise InputError("must hold a PyG Data with x, edge_index and y; no x in it")
    if not isinstance(found, dict):
        raise InputError("damaged (a Data without its parts)")
    return found


def _plain(value: Any) -> Any:
    """A tensor in memory, or what a file held of one, as a NumPy array or `SparseMatrix`."""
    if isinstance(value, Record) and value.kind == "SparseTensor":
        return _of_sparse_tensor(value.state.get("storage"))
    if isinstance(value, Record) or not hasattr(value, "layout"):
        return plain(value)
    value = value.detach().cpu()
    if value.is_quantized or value.is_complex():
        return None
    if str(value.layout) == "torch.strided":
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    value = value.to_sparse_coo().coalesce()
    indices = value.indices().numpy()
    if len(indices) != 2:
        return None
    return SparseMatrix(indices[0], indices[1], value.values().numpy(), tuple(value.shape))


def _of_sparse_tensor(storage: Any) -> SparseMatrix:
    state = storage.state if isinstance(storage, Record) else {}
    columns, rows = plain(state.get("_col")), plain(state.get("_row"))
    if rows is None:
        rows = from_indptr(plain(state.get("_rowptr")), columns)
    return sparse_matrix(rows, columns, plain(state.get("_value")), state.get("_sparse_sizes"))


def _array(parts: Parts, key: str) -> NDArray[Any]:
    if parts.get(key) is None:
        found = listed(name for name in parts if parts[name] is not None)
        raise InputError(
            f"must hold a PyG Data with x, edge_index and y; no {key} in it, but {found}"
        )
    value = _plain(parts[key])
    if not isinstance(value, np.ndarray) or value.ndim == 0 or value.dtype.kind not in "biuf":
        raise InputError(f"{key} must be a dense tensor of real numbers")
    return value


def _features(parts: Parts) -> NDArray[Any]:
    value = _plain(parts.get("x"))
    if isinstance(value, SparseMatrix):
        cells = value.shape[0] * value.shape[1]
        if cells > MOST_ZEROS * (len(value.rows) + 1000):
            raise InputError(
                f"x is a sparse matrix of {value.shape[0]} × {value.shape[1]} with "
                f"{len(value.rows)} entries, too large to be made dense; reduce its columns first"
            )
        values = np.ones(len(value.rows)) if value.values is None else value.values
        made = sparse.coo_array(
            (values.astype(np.float64), (value.rows, value.columns)), shape=value.shape
        )
        return made.astype(np.float32).toarray()
    x = _array(parts, "x")
    if x.ndim != 2:
        raise InputError(f"x must have the shape [N, F], not {list(x.shape)}")
    return x


def _pairs(parts: Parts, nodes: int) -> Pairs:
    """Sources, targets and weights of one edge type."""
    for key in ADJACENCY_NAMES:
        if parts.get("edge_index") is None and parts.get(key) is not None:
            return _of_adjacency(key, _plain(parts[key]), nodes)
    pairs = _array(parts, "edge_index")
    if pairs.shape == (2, 0):  # without edges, torch.tensor([[], []]) holds floats
        pairs = pairs.astype(np.int64)
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or len(pairs) != 2:
        hint = "; it is turned round: save edge_index.t()" if pairs.shape[-1] == 2 else ""
        raise InputError(f"edge_index must hold integers in the shape [2, E]{hint}")
    weight = None
    if parts.get("edge_weight") is not None:
        weight = _array(parts, "edge_weight").astype(np.float64)
        weight = weight.ravel() if weight.shape == (pairs.shape[1], 1) else weight
        if weight.shape != pairs[0].shape or not (np.isfinite(weight) & (weight >= 0)).all():
            raise InputError("edge_weight must hold a number from 0 up for each edge")
    return pairs[0], pairs[1], weight


def _of_adjacency(key: str, value: Any, nodes: int) -> Pairs:
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "biuf":
        rows, columns = np.nonzero(value)
        value = SparseMatrix(rows, columns, value[rows, columns], value.shape)
    if not isinstance(value, SparseMatrix) or value.shape != (nodes, nodes):
        raise InputError(f"{key} must be a matrix of real numbers [N, N] for {nodes} nodes")
    weight = None
    if value.values is not None and not (value.values == 1).all():
        weight = np.asarray(value.values, np.float64)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise InputError(f"{key} must hold numbers from 0 up")
    ends = (value.columns, value.rows) if key == "adj_t" else (value.rows, value.columns)
    return (*ends, weight)


def _joined(pairs: list[Pairs]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    if len(pairs) == 1:
        return pairs[0][:2]
    sources, targets, _ = zip(*pairs, strict=True)
    return np.concatenate(sources), np.concatenate(targets)


def _weights(pairs: list[Pairs]) -> NDArray[np.floating] | None:
    """One weight for each edge, where any has one; an edge without weighs 1."""
    if all(weight is None for *_, weight in pairs):
        return None
    return np.concatenate(
        [np.ones(len(source)) if weight is None else weight for source, _, weight in pairs]
    )
