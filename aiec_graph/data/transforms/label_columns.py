"""What the known labels of a node's neighbours say about it, never its own among them."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from aiec_graph.data.transforms.neighbourhood import Table
from aiec_graph.data.transforms.structural import undirected
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges

FOLDS = 5
HOPS = 2
WHERE = ("partners", "nodes two steps away")


def label_columns(edges: Edges, y: NDArray[np.int64], known: NDArray[np.bool_], seed: int) -> Table:
    """Anomalous and normal nodes that are known among those that a random walk reaches.

    Leaving out a node's own label alone would not do: where all are partners of each other, the
    anomalous ones would see one anomaly less than the normal ones, and a model would read the label
    off that. So the known nodes are divided into folds, and none sees a label of its own fold; what
    it sees of the other folds is scaled up to what the nodes without a label see of all.

    The columns belong to this graph and these labels: a graph without known labels has none.

    Args:
        edges: N nodes; directions, weights and self-loops are left out.
        y: labels, 0 or 1 where known [N].
        known: whose labels may be used: the training nodes [N].
        seed: of the folds.

    Returns:
        For one step and for two, the probability that a walk ends at a known anomalous node, and
        the share of these among the known nodes that it ends at (NaN where there are none).

    Raises:
        InputError: a class has fewer known nodes than there are folds.
    """
    fold = _folds(y, known, seed)
    walk = undirected(edges).astype(np.float32)
    degree = np.maximum(np.diff(walk.indptr), 1)
    walk = sparse.diags_array((1 / degree).astype(np.float32)) @ walk
    reached = np.zeros((len(y), 2, FOLDS), np.float32)
    members = np.flatnonzero(known)
    others = (fold[:, None] != np.arange(FOLDS))[:, None]
    reached[members, y[members], fold[members]] = 1
    columns, names = [], []
    for where in WHERE[:HOPS]:
        reached = (walk @ reached.reshape(len(y), -1)).reshape(reached.shape)
        # Masked, not subtracted: rounding would keep a trace of what was taken away again.
        total = (reached * others).sum(2)
        total[members] *= FOLDS / (FOLDS - 1)
        anomalous, labelled = total[:, 1], total.sum(1)
        share = np.full(len(y), np.nan, np.float32)
        np.divide(anomalous, labelled, out=share, where=labelled > 0)
        columns += [anomalous, share]
        names += [f"known anomalies among {where}", f"their share of the known {where}"]
    return Table(np.stack(columns, 1), names)


def _folds(y: NDArray[np.int64], known: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """The fold of each known node, as many of each class in each [N]; -1 elsewhere."""
    rng = np.random.default_rng(seed)
    fold = np.full(len(y), -1)
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero(known & (y == label)))
        if len(members) < FOLDS:
            raise InputError(
                f"label columns need {FOLDS} known nodes of each class, not {len(members)}"
            )
        fold[members] = np.arange(len(members)) % FOLDS
    return fold
