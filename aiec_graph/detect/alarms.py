"""Warnings that an analyst should see, one class for each kind, so that a filter can name it."""

import numpy as np
from numpy.typing import NDArray

MOST_AT_AN_END = 0.5
FEWEST_NODES = 10


class DetectionWarning(UserWarning):
    """Something that does not stop a detector, and that who relies on it has to know."""


class SplitWarning(DetectionWarning):
    """A split that flatters the model."""


class ThresholdWarning(DetectionWarning):
    """A threshold or a probability that is not what it seems."""


class TiesWarning(DetectionWarning):
    """So many equal scores that the list has no order."""


class DriftWarning(DetectionWarning):
    """What is scored does not look like what the model was trained on."""


def describe_ties(score: NDArray[np.floating]) -> str | None:
    """A line where at least half of the nodes have exactly the highest or the lowest score [N]."""
    if len(score) < FEWEST_NODES:
        return None
    for end, word in ((score.max(), "highest"), (score.min(), "lowest")):
        share = float((score == end).mean())
        if share >= MOST_AT_AN_END:
            return (
                f"{share:.0%} of the {len(score):,} nodes have exactly the {word} score, "
                f"{end:.6g}: among them the order means nothing; look at the features and the model"
            )
    return None
