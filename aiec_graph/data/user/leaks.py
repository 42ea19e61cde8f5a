"""Columns that tell the label by themselves: most often they were written down after it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.user.profile import Feature
from aiec_graph.graph.column import UNKNOWN

LEAK = 0.999
"""AUC of one column, in either direction, from which on it is taken for a leak."""
FEWEST = 5
"""Labelled nodes of each class below which an AUC says nothing."""
ROWS_PER_CATEGORY = 10
"""Below this, the share of anomalies in a category is about single nodes."""


def find_leaks(features: Iterable[Feature], y: NDArray[np.int64]) -> list[str]:
    """Says of each column that tells the label alone that it does.

    Args:
        features: columns and their values [N].
        y: 1 anomalous, 0 normal, -1 unknown [N].

    Returns:
        A line for each such column: its values equal the labels, or its AUC over the labelled
        nodes is at least `LEAK`, or at most 1 - `LEAK`. A category counts by its share of
        anomalies; a missing value is a value.
    """
    known = y != UNKNOWN
    is_anomalous = y[known] == 1
    if min(is_anomalous.sum(), (~is_anomalous).sum()) < FEWEST:
        return []
    lines = []
    for feature in features:
        name, values = feature.column.name, feature.values[known]
        if len(values) and np.array_equal(values, is_anomalous):
            lines.append(f"the column {name!r} equals the label; list it under drop")
            continue
        auc = _auc_alone(values, is_anomalous, feature.column.categories is not None)
        if auc >= LEAK:
            lines.append(
                f"the column {name!r} alone tells the label (AUC {auc:.4f}), as one that was "
                "written down after it does; list it under drop unless it is known before"
            )
    return lines


def find_sorted_rows(y: NDArray[np.int64]) -> str:
    """Says so where the rows stand in the order of their labels [N]; empty where they do not."""
    is_anomalous = y[y != UNKNOWN] == 1
    if min(is_anomalous.sum(), (~is_anomalous).sum()) < FEWEST:
        return ""
    if _best_direction(np.arange(len(is_anomalous)), is_anomalous) < LEAK:
        return ""
    return (
        "the rows are sorted by their label, so whatever grows from row to row (a running number, "
        "an id, a date of entry) tells the label"
    )


def auc_of(values: NDArray[np.generic], is_anomalous: NDArray[np.bool_]) -> float:
    """The area under the ROC curve, with ties counted half.

    Args:
        values: [N], none missing.
        is_anomalous: [N], with both classes.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    positive = int(is_anomalous.sum())
    total = ranks[inverse[is_anomalous]].sum() - positive * (positive + 1) / 2
    return float(total / (positive * (len(is_anomalous) - positive)))


def _auc_alone(
    values: NDArray[np.floating], is_anomalous: NDArray[np.bool_], is_category: bool
) -> float:
    missing = np.isnan(values)
    if not is_category:
        ways = (-np.inf, np.inf) if missing.any() else (0.0,)
        filled = (np.where(missing, way, values) for way in ways)
        return max(_best_direction(v, is_anomalous) for v in filled)
    codes = np.where(missing, -1, values).astype(np.int64) + 1
    counts = np.bincount(codes)
    if ROWS_PER_CATEGORY * np.count_nonzero(counts) > len(codes):
        return 0.5
    rate = np.bincount(codes, is_anomalous) / np.maximum(counts, 1)
    return auc_of(rate[codes], is_anomalous)


def _best_direction(values: NDArray[np.generic], is_anomalous: NDArray[np.bool_]) -> float:
    auc = auc_of(values, is_anomalous)
    return max(auc, 1 - auc)
