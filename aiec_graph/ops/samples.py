"""A sampled neighbourhood, what it is sampled from and how."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALL = -1
"""A fan-out that takes all neighbours."""
NO_ENTRY = -1
"""Stands in the place of an entry for a self-loop that the matrix does not have."""


class Sample(NamedTuple):
    """A sampled neighbourhood: the rows of the seeds and of the nodes reached, hop by hop.

    The first rows are the seeds', so that whatever a layer computes is a part from the front.
    """

    nodes: NDArray[np.int64]
    """The nodes reached [M], the seeds first, then hop by hop."""
    tree: NDArray[np.int64]
    """The seed's position that each belongs to [M]; [0] where the seeds share their nodes."""
    indptr: NDArray[np.int64]
    """Where the entries of each row begin and end [T + 1]; the rows are the first T nodes."""
    indices: NDArray[np.int32]
    """Positions in `nodes` [E]; nodes of the graph where `reads_graph`."""
    entries: NDArray[np.int64]
    """Which entry of the matrix each is [E]; `NO_ENTRY` for an added self-loop."""
    neighbours: NDArray[np.int64]
    """Entries of the matrix that each row was sampled from [T], a kept self-loop not counted."""
    loops: NDArray[np.int64]
    """Which of the entries is a row's kept self-loop [T]; [0] where they are as other entries."""
    hop_nodes: NDArray[np.int64]
    """The number of nodes reached first at each hop, that of the seeds first [H + 1]; [0] where
    `reads_graph`."""

    @property
    def reads_graph(self) -> bool:
        """Whether it is one of `sample_rows`, which lists no nodes but the targets."""
        return not len(self.hop_nodes)

    @property
    def hop_rows(self) -> list[int]:
        """The number of rows that end with each hop's targets [H]."""
        return np.cumsum(self.hop_nodes)[:-1].tolist()


class Rows(NamedTuple):
    """A matrix [N, N] by rows, targets as rows."""

    indptr: NDArray[np.integer]
    """Where the entries of each row begin and end [N + 1]."""
    indices: NDArray[np.integer]
    """Columns [E], sorted within a row."""
    time: NDArray[np.int64] = np.empty(0, np.int64)
    """Of each entry [E]: then rows are sorted by it instead. [0] where there are no times."""


class Draw(NamedTuple):
    """How neighbours are drawn."""

    replace: bool = False
    """With replacement: the fan-out's number wherever there is a neighbour."""
    keep_loops: bool = False
    """A node's self-loop is always in its row, added where the matrix has none, and the fan-out
    counts the others."""
    disjoint: bool = False
    """Each seed reaches nodes of its own, a node in as many trees as it is in; else a node that
    several reach is there once, and expanded at the hop that reaches it first."""


SHARED = Draw()
