"""The control of a backtest: the same nodes, split at random, so that nothing changes over time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.bench.backtest.timeline import Timeline
from aiec_graph.graph.graph import TEST, TRAIN, VAL, Split

PARTS = {"train": TRAIN, "val": VAL, "test": TEST}


def shuffle(split: Split, y: NDArray[np.int64], seed: Sequence[int]) -> Split:
    """Deals the nodes of a split out anew, at random within each class.

    Train, validation and test keep their numbers of anomalous and of normal nodes, so that the
    labels to learn from and the base rate are as before, and only time is taken out.

    Args:
        split: of a cut.
        y: labels [N].
        seed: of the permutation.
    """
    rng = np.random.default_rng(list(seed))
    parts = np.zeros(len(y), np.int8)
    for name, mask in split.masks().items():
        parts[mask] = PARTS[name]
    for value in (0, 1):
        members = np.flatnonzero((parts > 0) & (y == value))
        parts[members] = rng.permutation(parts[members])
    return Split.from_parts(parts)


def correlation_of_shuffled(cuts: Sequence[Cut], timeline: Timeline) -> NDArray[np.float64]:
    """How much results of random splits vary together by the nodes that they share [n, n].

    Of two cuts whose splits deal out P and Q nodes, of which they test on S and T, the expected
    number of nodes that both test on is |P ∩ Q| S T / (|P| |Q|); see `statistics.correlation_of`.
    """
    pools, tested = [], []
    for cut in cuts:
        masks = cut.split_of(timeline).masks()
        pools.append(np.logical_or.reduce(list(masks.values())))
        tested.append(int(masks["test"].sum()))
    pool = np.stack(pools).astype(np.float64)
    share = np.array(tested) / pool.sum(1)
    both = (pool @ pool.T) * np.outer(share, share) / np.sqrt(np.outer(tested, tested))
    np.fill_diagonal(both, 1.0)
    return both
