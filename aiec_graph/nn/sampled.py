"""Sampled neighbourhoods of a graph that is read by rows and never prepared as a whole."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from aiec_graph.errors import look_up
from aiec_graph.nn.normalisation import NORMALISATIONS, power_of_degrees
from aiec_graph.nn.propagate import NUMPY, Csr, Neighbourhoods
from aiec_graph.ops import sampling
from aiec_graph.ops.samples import ALL, Draw, Rows, Sample

ENTRIES_AT_ONCE = 2**18
"""Of the rows that are computed at a time where all neighbours are taken."""
NONE = np.empty(0)


class SampledBlocks(NamedTuple):
    """What the layers of a network compute for some seeds, over a sampled neighbourhood."""

    nodes: NDArray[np.int64]
    """The nodes [M] whose features the first layer gets, the seeds first."""
    layers: list["SampledBlock"]
    """A block for each layer, the first layer's first."""


class RowAdjacency:
    """The adjacency of a graph with a self-loop at each node, read by rows where they lie.

    Row = target, column = source. The arrays are never copied, so they may be mapped files that
    processes share; a self-loop of weight 1 is added to a row that has none as it is read.

    Args:
        indptr: row pointers [N + 1].
        indices: columns [E], sorted within a row, each once.
        weight: of the entries [E]; None where each weighs 1.
    """

    def __init__(
        self,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        weight: NDArray[np.floating] | None = None,
    ) -> None:
        # Plain views of mapped files, for which the kernels are compiled once.
        self.indptr, self.indices = np.asarray(indptr), np.asarray(indices)
        self._rows = Rows(self.indptr, self.indices)
        self.weight = NONE if weight is None else np.asarray(weight)
        self.num_nodes = len(indptr) - 1
        self._degrees: dict[str, NDArray[np.float64]] = {}
        self._factors: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def sample(
        self, seeds: NDArray[np.integer], fanout: Sequence[int], key: int, replace: bool = False
    ) -> SampledBlocks:
        """Samples what a network computes for some nodes; see `ops.sampling.sample_neighbours`.

        A node's self-loop is always there, beside as many of its other neighbours as `fanout`
        says. With all neighbours (-1) the blocks give what the whole graph gives.

        Args:
            seeds: nodes [B], each once.
            fanout: neighbours at each hop, from the seeds on: that of the last layer first.
            key: of the random numbers.
            replace: draw with replacement.

        Raises:
            ValueError: a seed is no node, or twice among them.
        """
        draw = Draw(replace, keep_loops=True)
        sample = sampling.sample_neighbours(self._rows, seeds, fanout, key, draw)
        ends = np.cumsum(sample.hop_nodes).tolist()
        hops = range(len(fanout))
        blocks = [SampledBlock(self, sample, ends[hop], ends[hop + 1]) for hop in hops]
        return SampledBlocks(sample.nodes, blocks[::-1])

    def sample_aggregated(
        self, seeds: NDArray[np.integer], fanout: Sequence[int], key: int
    ) -> SampledBlocks:
        """As `sample`, for a network that aggregates its input before it learns.

        The same neighbours, but the first layer's block has all nodes of the graph as its sources,
        of which it reads few, and `nodes` are its targets alone (`GNN.aggregates_input`).
        """
        nodes, layers = self.sample(seeds, fanout[:-1], key)
        ends = [len(seeds), *(block.num_sources for block in reversed(layers))]
        counts = np.repeat(np.asarray(fanout, np.int64), np.diff(ends, prepend=0))
        sample = sampling.sample_rows(self._rows, nodes, counts, key, Draw(keep_loops=True))
        first = SampledBlock(self, sample, len(nodes), self.num_nodes)
        return SampledBlocks(nodes, [first, *layers])

    def rows(self, targets: NDArray[np.integer]) -> tuple[NDArray[np.int64], "SampledBlock"]:
        """One layer over all neighbours of some nodes: the sources, the targets first, and it."""
        nodes, layers = self.sample(targets, [ALL], 0)
        return nodes, layers[0]

    def pieces(self, targets: NDArray[np.integer]) -> Iterator[slice]:
        """Cuts targets so that each piece has few entries, or one row."""
        ends = np.cumsum(self.indptr[targets + 1] - self.indptr[targets] + 1)
        start = 0
        while start < len(targets):
            done = ends[start - 1] if start else 0
            end = max(int(np.searchsorted(ends, done + ENTRIES_AT_ONCE, "right")), start + 1)
            yield slice(start, end)
            start = end

    def reached(self, targets: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The nodes [N] that a layer needs for some of them: these and their in-neighbours."""
        found = np.zeros(self.num_nodes, dtype=bool)
        sampling.mark_neighbours(self.indptr, self.indices, targets, found)
        return found

    def values(self, sample: Sample, rows: int, normalisation: str) -> NDArray[np.float64]:
        """The values of a normalisation for the first rows of a sample [E].

        Degrees are the whole graph's, and what was sampled is multiplied by the number of a node's
        neighbours over that of the sampled ones, so that the expectation of an aggregate is the
        whole neighbourhood's.
        """
        indptr = sample.indptr[: rows + 1]
        ends = indptr[-1]
        parts = (sample.nodes, indptr, sample.indices[:ends], sample.entries[:ends])
        parts = (*parts, sample.neighbours[:rows], sample.loops[:rows])
        by_row, by_column = self.factors(normalisation)
        if len(by_column) and not sample.reads_graph:
            by_column = by_column[sample.nodes]
        extra = 1.0 if NORMALISATIONS[normalisation].loops == "all" else 0.0
        return sampling.entry_values(parts, self.weight, extra, by_row, by_column)

    def factors(self, normalisation: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a normalisation multiplies rows and columns by, each [N], or [0] for 1.

        Made once, in a pass over the edges.

        Raises:
            InputError: the normalisation is unknown.
            ValueError: a degree that is to be scaled by is negative.
        """
        kind = look_up(normalisation, NORMALISATIONS, "normalisation")
        if normalisation not in self._factors:
            by_row = by_column = NONE
            if kind.rows is not None:
                extra = 1.0 if kind.loops == "all" else 0.0
                by_row = power_of_degrees(self._degree("in") + extra, kind.rows, "in")
            if kind.columns is not None:
                by_column = by_row
            if kind.columns == "out":
                by_column = power_of_degrees(self._degree("out"), -0.5, "out")
            self._factors[normalisation] = by_row, by_column
        return self._factors[normalisation]

    def _degree(self, side: str) -> NDArray[np.float64]:
        if side not in self._degrees:
            incoming = np.zeros(self.num_nodes)
            outgoing = np.zeros(self.num_nodes if side == "out" else 0)
            sampling.degrees(self.indptr, self.indices, self.weight, incoming, outgoing)
            self._degrees |= {"in": incoming} | ({"out": outgoing} if side == "out" else {})
        return self._degrees[side]

    def __repr__(self) -> str:
        return f"RowAdjacency(num_nodes={self.num_nodes}, num_edges={len(self.indices)})"


class SampledBlock(Neighbourhoods):
    """The rows of a sample that one layer computes: the first ones, over its first nodes.

    Args:
        graph: that it was sampled from.
        sample: of several hops.
        rows: the number of targets.
        sources: the number of nodes that the layer gets, the targets first.
    """

    def __init__(self, graph: RowAdjacency, sample: Sample, rows: int, sources: int) -> None:
        super().__init__()
        self.num_sources, self.num_targets = sources, rows
        self._graph, self._sample = graph, sample

    def _make(self, normalisation: str, dtype: torch.dtype) -> Csr:
        indptr: Any = self._sample.indptr[: self.num_targets + 1].astype(np.int32)
        indices = self._sample.indices[: indptr[-1]]
        if normalisation == "max":
            return Csr(indptr, indices, None, self.num_sources)
        values = self._graph.values(self._sample, self.num_targets, normalisation)
        return Csr(indptr, indices, values.astype(NUMPY[dtype], copy=False), self.num_sources)

    def _is_symmetric(self, normalisation: str) -> bool:
        return False

    def __repr__(self) -> str:
        return f"SampledBlock(num_sources={self.num_sources}, num_targets={self.num_targets})"
