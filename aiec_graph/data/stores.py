"""A graph behind PyG's interfaces of a feature store and a graph store.

Loaders of PyG take such a pair where a `Data` would have to lie in memory. `open_stores` reads the
arrays of our cache where they lie; `put_graph` fills the stores of another library, such as
cuGraph-PyG's, through the same interface.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import EdgeAttr, FeatureStore, GraphStore, TensorAttr
from torch_geometric.data.graph_store import EdgeLayout
from torch_geometric.typing import EdgeTensorType, FeatureTensorType

from aiec_graph.graph.graph import Graph

NODE = "node"
"""The type of all nodes. Loaders of PyG want types from stores, of one kind of nodes as well."""
EDGE = (NODE, "to", NODE)
"""The type of all edges, from source to target."""
WEIGHT = "edge_weight"


class GraphFeatureStore(FeatureStore):
    """The features, labels and times of a graph's nodes, and the weights of its edges.

    Groups are `NODE`, with `x` [N, F], `y` [N] and, where the graph has any, `time` [N]; and
    `EDGE`, with `edge_weight` [E] in the order of `GraphEdgeStore`, where edges have weights.
    Tensors share the arrays of the graph: of one that is mapped from a file, rows are read when
    they are asked for. What is put beside them stays in memory.

    Args:
        graph: is not changed.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._tensors: dict[tuple[Any, Any], Tensor] = dict(_tensors(graph))

    def _put_tensor(self, tensor: FeatureTensorType, attr: TensorAttr) -> bool:
        if not _is_all(attr.index):
            raise ValueError(f"{attr}: a tensor is put as a whole, with the index None")
        self._tensors[attr.group_name, attr.attr_name] = torch.as_tensor(tensor)
        return True

    def _get_tensor(self, attr: TensorAttr) -> Tensor:
        try:
            tensor = self._tensors[attr.group_name, attr.attr_name]
        except KeyError:
            raise KeyError(f"there is no tensor for {attr}") from None
        if _is_all(attr.index):
            return tensor
        index: Any = attr.index
        if isinstance(index, slice | int):
            return tensor[index]
        index = torch.as_tensor(index)
        return tensor[index] if index.dtype == torch.bool else tensor.index_select(0, index)

    def _remove_tensor(self, attr: TensorAttr) -> bool:
        return self._tensors.pop((attr.group_name, attr.attr_name), None) is not None

    def _get_tensor_size(self, attr: TensorAttr) -> tuple[int, ...] | None:
        return tuple(self._get_tensor(attr).shape)

    def get_all_tensor_attrs(self) -> list[TensorAttr]:
        """The group and name of every tensor."""
        return [TensorAttr(*key) for key in self._tensors]


class GraphEdgeStore(GraphStore):
    """The edges of a graph, by target: PyG's layout CSC, which samplers take as it is.

    Its sources share the array of the graph where that holds 64-bit numbers, which PyG's samplers
    ask for, and are a copy otherwise. What is put beside them stays in memory.

    Args:
        graph: is not changed.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        edges, size = graph.edges, (graph.edges.num_nodes, graph.edges.num_nodes)
        pair = (_as_int64(edges.indices), _as_int64(edges.indptr))
        self._edges: dict[tuple[Any, ...], EdgeTensorType] = {
            _key(EdgeAttr(EDGE, EdgeLayout.CSC, size=size)): pair
        }

    def _put_edge_index(self, edge_index: EdgeTensorType, edge_attr: EdgeAttr) -> bool:
        self._edges[_key(edge_attr)] = edge_index
        return True

    def _get_edge_index(self, edge_attr: EdgeAttr) -> EdgeTensorType | None:
        return self._edges.get(_key(edge_attr))

    def _remove_edge_index(self, edge_attr: EdgeAttr) -> bool:
        return self._edges.pop(_key(edge_attr), None) is not None

    def get_all_edge_attrs(self) -> list[EdgeAttr]:
        """The type, layout and size of every set of edges."""
        return [EdgeAttr(*key) for key in self._edges]


def open_stores(graph: Graph) -> tuple[GraphFeatureStore, GraphEdgeStore]:
    """A graph as the pair of stores that PyG's loaders take.

    Args:
        graph: as `load_dataset` maps it from its cache.
    """
    return GraphFeatureStore(graph), GraphEdgeStore(graph)


def put_graph(
    graph: Graph,
    features: FeatureStore,
    edges: GraphStore,
    rank: int = 0,
    world_size: int = 1,
) -> None:
    """Fills stores of another library with a graph, or with a process's share of it.

    Every process puts the rows of its nodes and the edges into them, as COO, which all stores take
    and cuGraph-PyG's ask for. The shares follow one another in the order of the nodes.

    Args:
        graph: is not changed.
        features: gets the tensors of `GraphFeatureStore`, and their shares.
        edges: gets the edges of type `EDGE`, their size that of the whole graph.
        rank: the process's number.
        world_size: number of processes.

    Raises:
        ValueError: there is no such rank.
    """
    if not 0 <= rank < world_size:
        raise ValueError(f"rank {rank} is not one of {world_size} processes")
    count, indptr = graph.edges.num_nodes, graph.edges.indptr
    first, last = (count * i // world_size for i in (rank, rank + 1))
    start, stop = int(indptr[first]), int(indptr[last])
    for (group, name), tensor in _tensors(graph):
        part = slice(start, stop) if group == EDGE else slice(first, last)
        features.put_tensor(tensor[part], group_name=group, attr_name=name, index=None)
    targets = np.repeat(np.arange(first, last), np.diff(indptr[first : last + 1]))
    pair = (_as_int64(graph.edges.indices[start:stop]), torch.from_numpy(targets))
    edges.put_edge_index(pair, edge_type=EDGE, layout="coo", is_sorted=False, size=(count, count))


def _tensors(graph: Graph) -> Iterator[tuple[tuple[Any, str], Tensor]]:
    yield (NODE, "x"), graph.x
    yield (NODE, "y"), torch.from_numpy(graph.y)
    if graph.time_step is not None:
        yield (NODE, "time"), torch.from_numpy(graph.time_step)
    if graph.edges.weight is not None:
        yield (EDGE, WEIGHT), torch.from_numpy(graph.edges.weight)


def _is_all(index: Any) -> bool:
    return index is None or (isinstance(index, slice) and index == slice(None))


def _as_int64(numbers: Any) -> Tensor:
    return torch.from_numpy(numbers.astype(np.int64, copy=False))


def _key(attr: EdgeAttr) -> tuple[Any, ...]:
    return attr.edge_type, attr.layout.value, attr.is_sorted, attr.size
