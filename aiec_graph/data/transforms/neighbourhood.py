"""Columns that describe a node by its neighbours: what trees and networks alike can be fed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data.transforms.structural import (
    Csr,
    is_symmetric,
    structural_columns,
    undirected,
)
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges

STATISTICS = ("mean", "std", "max", "min")


class Table(NamedTuple):
    """Named columns, one row a node."""

    values: NDArray[np.float32]
    """[N, F]; NaN where there is nothing to tell, such as a mean over no neighbours."""
    names: list[str]


@dataclass(frozen=True)
class Neighbourhood:
    """Which columns to make of a node's neighbours."""

    hops: int = 2
    """How often neighbours are summarised; from the second time on, it is the neighbours' means
    that are."""
    statistics: tuple[str, ...] = STATISTICS
    """What is told of them."""
    structure: bool = True
    """Begin with the structural columns as well: degrees, weights, core number, clustering."""
    with_self: bool = False
    """A node is one of its own neighbours, and directions are as the edges have them: with
    ("mean",) the columns of RFGraph and XGBGraph (Tang et al., 2023)."""

    def table(self, edges: Edges, x: NDArray[np.float32], names: list[str]) -> Table:
        """The columns of a graph: its own, then the neighbours' of each direction and hop.

        Means and standard deviations take the edges' weights. Where edges have directions,
        senders, receivers and both together ("partners") are summarised each for themselves.

        Args:
            edges: N nodes.
            x: own columns [N, F]; NaN where a value is missing, which counts nowhere.
            names: of these [F].

        Raises:
            InputError: an edge has a negative weight, with which there is no mean.
        """
        if edges.weight is not None and (edges.weight < 0).any():
            raise InputError("an edge's weight is negative: a mean needs weights from 0 up")
        if self.structure:
            columns, more = structural_columns(edges)
            x, names = np.concatenate([x, columns], 1), names + more
        parts, found = [x], list(names)
        for who, matrix in self.directions(edges).items():
            source, what = x, names
            for _ in range(self.hops):
                made = neighbour_statistics(matrix, source, self.statistics == ("mean",))
                for statistic, values in zip(STATISTICS, made, strict=False):
                    if statistic in self.statistics:
                        parts.append(values)
                        found += [_name(statistic, who, column) for column in what]
                source, what = made[0], [f"their mean of {column}" for column in what]
        return Table(np.concatenate(parts, axis=1), found)

    def directions(self, edges: Edges) -> dict[str, Csr]:
        """Who the neighbours are, by name: a matrix [N, N] each, a row for whom they surround."""
        matrix: Csr = edges.to_scipy()
        if self.with_self:
            missing = (matrix.diagonal() == 0).astype(np.float64)
            return {"partners": sparse.csr_array(matrix + sparse.diags_array(missing))}
        if is_symmetric(edges):
            return {"partners": matrix}
        both = (
            sparse.csr_array(matrix + matrix.T) if edges.weight is not None else undirected(edges)
        )
        return {"senders": matrix, "receivers": matrix.T.tocsr(), "partners": both}


def neighbour_statistics(
    matrix: Csr, x: NDArray[np.float32], mean_only: bool = False
) -> NDArray[np.float32]:
    """Mean, standard deviation, maximum and minimum of each column over the entries of each row.

    Args:
        matrix: CSR [M, N]; its values are the weights of means and standard deviations.
        x: [N, F], float32; missing values (NaN) count nowhere.
        mean_only: leave out the other three.

    Returns:
        [4, M, F], in the order of `STATISTICS`, or [1, M, F]; NaN where no entry has a value.
    """
    from aiec_graph.data.transforms import kernels

    weight = matrix.data
    if (weight == 1).all():
        weight = weight[:0]
    x = np.ascontiguousarray(x, np.float32)
    out = np.empty((1 if mean_only else len(STATISTICS), matrix.shape[0], x.shape[1]), np.float32)
    complete = not np.isnan(x).any()
    weight = weight.astype(np.float32)
    kernels.statistics(matrix.indptr, matrix.indices, weight, x, complete, out)
    return out


def _name(statistic: str, who: str, column: str) -> str:
    if column.startswith("their "):
        return f"{statistic} over {who} of {column}"
    return f"{statistic} of {column} over {who}"
