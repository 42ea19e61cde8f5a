"""Alert lists with a controlled share of false alarms, by conformal p-values."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from aiec_graph.errors import InputError

ASSUMPTION = (
    "The normal nodes of the new data are exchangeable with the normal calibration nodes: drawn "
    "alike, scored by the same model, none of them trained on."
)


def conformal_p_values(
    normal: NDArray[np.floating], score: NDArray[np.floating]
) -> NDArray[np.float64]:
    """For each node, how rarely a normal node scores as high: (1 + #{normal ≥ score}) / (n + 1).

    Under `ASSUMPTION`, a normal node's p-value is at most α with a probability of at most α.
    See Bates et al., Testing for outliers with conformal p-values, 2023.

    Args:
        normal: scores of normal calibration nodes [n].
        score: scores of new nodes [N].

    Raises:
        InputError: there is no calibration node.
    """
    if len(normal) == 0:
        raise InputError("conformal p-values need normal validation nodes")
    higher = len(normal) - np.searchsorted(np.sort(normal), score, side="left")
    return (1 + higher) / (len(normal) + 1)


def alert_list(p_values: NDArray[np.floating], false_alarms: float) -> NDArray[np.bool_]:
    """The nodes [N] to flag so that on average at most a given share of the list is false.

    This is the procedure of Benjamini and Hochberg, which holds its share for conformal p-values
    that come from one calibration set (Bates et al., 2023) under `ASSUMPTION`.

    Args:
        p_values: conformal p-values [N].
        false_alarms: the share, between 0 and 1.

    Raises:
        InputError: the share is out of range.
    """
    check_share(false_alarms)
    return np.asarray(false_discovery_control(p_values, method="bh") <= false_alarms)


def check_share(false_alarms: float) -> None:
    """Refuses what is no share of false alarms.

    Raises:
        InputError: it is out of range.
    """
    if not 0 < false_alarms < 1:
        raise InputError(f"the share of false alarms must be between 0 and 1, not {false_alarms}")


def fewest_alerts(normal: int, nodes: int, false_alarms: float) -> int:
    """How many nodes at least must score above all normal calibration nodes for any alert.

    No p-value is below 1 / (n + 1), and the k-th smallest must be at most k α / N.

    Args:
        normal: calibration nodes n.
        nodes: new nodes N.
        false_alarms: the share α.
    """
    return max(1, math.ceil(nodes / (normal + 1) / false_alarms - 1e-9))
