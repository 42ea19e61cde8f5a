"""Batches of seed nodes with their sampled neighbourhoods, as PyG's `NeighborLoader` gives them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch_geometric.typing
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader.utils import filter_data

from aiec_graph.ops.samples import Draw, Rows
from aiec_graph.ops.sampling import sample_neighbours


class NeighborLoader(DataLoader[Data]):
    """Samples the in-neighbours of seed nodes, hop by hop, and gives the subgraph of each batch.

    It takes the arguments of `torch_geometric.loader.NeighborLoader` and gives what that gives,
    without pyg-lib or torch-sparse: a `Data` whose first `batch_size` nodes are the seeds, with
    `n_id` and `e_id` (nodes and edges of `data`), `input_id` (positions among `input_nodes`),
    `num_sampled_nodes` and `num_sampled_edges` (by hop), and the rows of every attribute of a node
    or an edge. Random numbers are those of torch: `torch.manual_seed` makes batches come again.

    Args:
        data: a graph, with `edge_index`.
        num_neighbors: neighbours of a node at each hop, the seeds' first; -1 for all.
        input_nodes: the seeds: a mask [N], or nodes [B]; None for all nodes.
        input_time: the time of each seed [B], int64. Then only edges that are earlier than their
            seed are sampled.
        replace: draw with replacement.
        disjoint: each seed has a subgraph of its own, told by `batch`; always so with times, since
            a node may be earlier than one seed and later than another. By default a node that
            several seeds reach is in the batch once.
        time_attr: the edges' times in `data`, int64, where `input_time` is given.
        **options: of torch's `DataLoader`: batch_size, shuffle, drop_last, num_workers,
            generator, ….

    Raises:
        ValueError: `num_neighbors` holds 0 or a negative number other than -1; a seed is no node,
            or comes twice while subgraphs are not disjoint; or a time is without the other.
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        input_nodes: Tensor | NDArray[Any] | None = None,
        input_time: Tensor | None = None,
        replace: bool = False,
        disjoint: bool = False,
        time_attr: str | None = None,
        **options: Any,
    ) -> None:
        if any(number != -1 and number < 1 for number in num_neighbors):
            raise ValueError(f"num_neighbors must be -1 or at least 1, not {list(num_neighbors)}")
        if (input_time is None) != (time_attr is None):
            raise ValueError("input_time (of the seeds) and time_attr (of the edges) come together")
        self.data, self.num_neighbors = data, list(num_neighbors)
        self.replace, self.disjoint = replace, disjoint or time_attr is not None
        num_nodes = int(data.num_nodes or 0)
        self.input_nodes = _as_nodes(input_nodes, num_nodes)
        if not self.disjoint and len(np.unique(self.input_nodes)) < len(self.input_nodes):
            raise ValueError("a seed is twice among input_nodes: ask for disjoint=True")
        self.input_time = None if input_time is None else input_time.numpy().astype(np.int64)
        times = None if time_attr is None else data[time_attr].numpy()
        if times is not None and not np.issubdtype(times.dtype, np.integer):
            raise ValueError(f"{time_attr} must hold whole numbers, not {times.dtype}")
        source, target = (end.numpy() for end in _edges(data))
        # By target, then by time or source.
        order = np.lexsort((source if times is None else times, target))
        indptr = np.zeros(num_nodes + 1, np.int64)
        np.cumsum(np.bincount(target, minlength=num_nodes), out=indptr[1:])
        rows = indptr, source[order].astype(np.int32)
        self._rows = Rows(*rows) if times is None else Rows(*rows, times[order].astype(np.int64))
        self._order = torch.from_numpy(order)
        super().__init__(range(len(self.input_nodes)), collate_fn=self.sample, **options)  # pyright: ignore

    def sample(self, input_id: Sequence[int]) -> Data:
        """The batch of some seeds, by their positions among `input_nodes`."""
        chosen = np.asarray(input_id, np.int64)
        seed_time = None if self.input_time is None else self.input_time[chosen]
        key = int(torch.randint(2**63 - 1, (1,)))
        draw = Draw(self.replace, disjoint=self.disjoint)
        seeds = self.input_nodes[chosen]
        found = sample_neighbours(self._rows, seeds, self.num_neighbors, key, draw, seed_time)
        nodes, edges = torch.from_numpy(found.nodes), self._order[torch.from_numpy(found.entries)]
        sources = torch.from_numpy(found.indices.astype(np.int64))
        counts = torch.from_numpy(np.diff(found.indptr))
        targets = torch.repeat_interleave(torch.arange(len(counts)), counts)
        out = filter_data(self.data, nodes, sources, targets, edges)
        out.n_id, out.e_id = nodes, edges
        out.input_id = torch.from_numpy(chosen)
        out.batch_size = len(chosen)
        out.batch = torch.from_numpy(found.tree) if self.disjoint else None
        out.seed_time = None if seed_time is None else torch.from_numpy(seed_time)
        rows = [0, *found.hop_rows]
        out.num_sampled_nodes = found.hop_nodes.tolist()
        out.num_sampled_edges = np.diff(found.indptr[rows]).tolist()
        return out

    def __repr__(self) -> str:
        return f"NeighborLoader(num_neighbors={self.num_neighbors})"


def neighbor_loader(data: Data, num_neighbors: Sequence[int], **options: Any) -> Any:
    """PyG's `NeighborLoader` where pyg-lib is installed, and ours elsewhere.

    Ours also where PyG would sample through torch-sparse, which PyG is about to give up: without
    replacement that draws some neighbours half as often again as others
    (https://github.com/rusty1s/pytorch_sparse/issues/385), and PyG knows no times through it.

    Args:
        data: a graph.
        num_neighbors: as for `NeighborLoader`.
        **options: its other arguments; those of `NeighborLoader` work in either.

    Raises:
        ValueError: as `NeighborLoader`.
    """
    if not torch_geometric.typing.WITH_PYG_LIB:
        return NeighborLoader(data, num_neighbors, **options)
    from torch_geometric.loader import NeighborLoader as PyGLoader

    if options.get("input_time") is not None:
        # PyG takes edges of the seed's own time as well.
        options["input_time"] = options["input_time"] - 1
    return PyGLoader(data, list(num_neighbors), **options)


def _as_nodes(chosen: Tensor | NDArray[Any] | None, num_nodes: int) -> NDArray[np.int64]:
    if chosen is None:
        return np.arange(num_nodes)
    found = np.asarray(chosen)
    if found.dtype == bool:
        return np.flatnonzero(found)
    return found.astype(np.int64)


def _edges(data: Data) -> Tensor:
    if data.edge_index is None:
        raise ValueError("the graph has no edge_index")
    return data.edge_index
