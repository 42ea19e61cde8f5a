"""Draws by class."""

import numpy as np
from numpy.typing import NDArray

TEST_SHARE = 0.2
"""Of the images of a data set that comes without a test part."""


def stratified(
    labels: NDArray[np.int64], rows: NDArray[np.integer], share: float
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Draws some rows of each class, in proportion, the same ones every time.

    Args:
        labels: of all rows.
        rows: to draw from.
        share: of the rows; from 1 on, their number.

    Returns:
        The drawn rows, of each class at least one, and the others; both in order.
    """
    wanted = share if share >= 1 else share * len(rows)
    rng = np.random.default_rng(0)
    order = rows[rng.permutation(len(rows))]
    counts = np.bincount(labels[order])
    # The rank of each row within its class, as a share of the class: the lowest are taken.
    by_class = order[np.argsort(labels[order], kind="stable")]
    rank = np.concatenate([np.arange(count) for count in counts])
    position = (rank + rng.random(len(rank))) / np.repeat(counts, counts)
    position[rank == 0] = -1  # one of each class in any case
    enough = max(round(wanted), int((rank == 0).sum()))
    taken = np.argsort(position, kind="stable")[:enough]
    mask = np.zeros(len(rows), bool)
    mask[taken] = True
    return np.sort(by_class[mask]), np.sort(by_class[~mask])
