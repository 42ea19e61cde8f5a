"""What is right in form and yet deserves a look before a graph is trained on or scored."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.leaks import find_leaks, find_sorted_rows
from aiec_graph.data.user.profile import Feature, GraphTables, NodeTable, Reading
from aiec_graph.graph.column import PARTS, UNKNOWN

MOST_NAMED = 5
NO_LABEL = "no node has a label, so the graph can be scored, not trained on"
HUB_SHARE, HUB_EDGES = 0.1, 50
"""A node that this share of the edges, and at least so many, join is a hub."""
FEW_ISOLATED = 0.01
"""Share of nodes without edges up to which they are a fact and no warning."""
CODE = re.compile("-?9{2,}|-8{3,}")
FEWEST_FOR_CODES = 20
"""Values of a column of which one may be a code."""
FEWEST_TO_SPLIT = 3
"""Labelled nodes of each class that a split into three parts needs."""
ENRICHED, FEW_LABELLED = 0.2, 0.5
"""More anomalies among the labelled nodes, where fewer nodes are labelled, are likely enriched."""


def inspect_tables(tables: GraphTables, reading: Reading, where: str) -> None:
    """Adds warnings and facts about a graph without faults to the findings of its reading.

    They are about leaks, constant columns, labels, parts of a split, nodes without edges, hubs and
    time steps. Of a graph that is to be scored only the edges are looked at: its columns are
    those of the training.

    Args:
        tables: the graph.
        reading: it was made by.
        where: what to call the graph in messages.
    """
    warnings, facts = reading.findings.warnings, reading.findings.facts
    nodes = tables.nodes
    if reading.trained is None:
        warnings += [f"{where}: {line}" for line in find_leaks(nodes.features, nodes.y)]
        if line := find_sorted_rows(nodes.y):
            warnings.append(f"{where}: {line}")
        if constant := _find_constant(nodes.features):
            warnings.append(f"{where}: the same value throughout: {_list(constant)}")
        warnings += [f"{where}: {line}" for line in _find_codes(nodes.features)]
        _look_at_labels(nodes, where, warnings, facts)
    _look_at_edges(tables, where, warnings, facts)
    if nodes.time_step is not None:
        first, last = int(nodes.time_step.min()), int(nodes.time_step.max())
        facts.append(f"{where}: time steps from {first} to {last}")


def _find_constant(features: Sequence[Feature]) -> list[str]:
    """Columns with one value and none missing."""
    return [
        feature.column.name
        for feature in features
        if len(feature.values) > 1 and (feature.values == feature.values[0]).all()
    ]


def _find_codes(features: Sequence[Feature]) -> list[str]:
    """Numbers such as -999 that stand apart from all others of a column more than once."""
    lines = []
    for feature in features:
        known = feature.values[~np.isnan(feature.values)]
        if feature.column.kind != "number" or len(known) < FEWEST_FOR_CODES:
            continue
        for value in {float(known.min()), float(known.max())}:
            if not CODE.fullmatch(f"{value:.0f}") or value % 1:
                continue
            others, rows = known[known != value], int((known == value).sum())
            if rows > 1 and len(others) and np.abs(others - value).min() > 2 * np.ptp(others):
                lines.append(
                    f"the column {feature.column.name!r} holds {value:.0f} in {rows:,} of "
                    f"{len(feature.values):,} rows, far from all others, as a code for a missing "
                    "number is; list it under missing_values if it is one"
                )
    return lines


def _has_two_values(feature: Feature) -> bool:
    known = feature.values[~np.isnan(feature.values)]
    return len(known) > 0 and bool(np.isin(known, (0, 1)).all()) and bool(np.ptp(known) == 1)


def _look_at_labels(nodes: NodeTable, where: str, warnings: list[str], facts: list[str]) -> None:
    known = nodes.y != UNKNOWN
    labelled, anomalous = int(known.sum()), int((nodes.y == 1).sum())
    if not labelled:
        two = [f.column.name for f in nodes.features if _has_two_values(f)]
        hint = f"; columns of two values, of which one may be it: {_list(two)}" if two else ""
        warnings.append(f"{where}: {NO_LABEL}{hint}")
        return
    share, rate = labelled / len(known), anomalous / labelled
    line = (
        f"{where}: {labelled:,} of {len(known):,} nodes are labelled ({share:.1%}), {anomalous:,} "
        f"of these anomalous ({rate:.2%})"
    )
    if anomalous in (0, labelled):
        only = "anomalous" if anomalous else "normal"
        warnings.append(f"{where}: every labelled node is {only}; training needs both classes")
    elif nodes.parts is None and min(anomalous, labelled - anomalous) < FEWEST_TO_SPLIT:
        warnings.append(f"{line}; a split into train, val and test needs {FEWEST_TO_SPLIT} of each")
    elif rate > ENRICHED and share < FEW_LABELLED:
        warnings.append(
            f"{line}; if anomalies are rarer among the others, precision and probabilities will "
            "be far off there"
        )
    else:
        facts.append(line)
    if nodes.parts is not None:
        for part, code in PARTS.items():
            found = nodes.y[nodes.parts == code]
            if anomalous not in (0, labelled) and {0, 1} - set(np.unique(found).tolist()):
                lacking = "normal" if (found == 1).any() else "anomalous"
                warnings.append(f"{where}: the part {part} of the split holds no {lacking} node")


def _look_at_edges(tables: GraphTables, where: str, warnings: list[str], facts: list[str]) -> None:
    ids, edges = tables.nodes.ids, len(tables.source)
    if not edges:
        warnings.append(f"{where}: there are no edges, so nodes are told by their features alone")
        return
    degree = np.bincount(tables.source, minlength=len(ids))
    degree += np.bincount(tables.target, minlength=len(ids))
    isolated = int((degree == 0).sum())
    if isolated:
        share = isolated / len(ids)
        line = f"{where}: {isolated:,} of {len(ids):,} nodes ({share:.1%}) have no edge"
        (warnings if share > FEW_ISOLATED else facts).append(line)
    hubs = _find_hubs(degree, edges)
    if len(hubs):
        named = [f"{ids[i]!r} ({degree[i] / edges:.0%})" for i in hubs]
        warnings.append(
            f"{where}: few nodes are ends of much of the {edges:,} edges: {_list(named)}; if one "
            "stands for many (a bank, cash, an empty id), it joins nodes that have nothing in "
            "common"
        )


def _find_hubs(degree: NDArray[np.int64], edges: int) -> NDArray[np.int64]:
    """Numbers of the hubs, the largest first."""
    found = np.flatnonzero(degree >= max(HUB_SHARE * edges, HUB_EDGES))
    return found[np.argsort(-degree[found], kind="stable")]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def describe_numbers(times: NDArray[np.float64], unit: str) -> str:
    """Says from when to when times [N] are that are numbers; of a unit since 1970, or of none."""
    first, last = np.nanmin(times), np.nanmax(times)
    of = f"{unit} since 1970" if unit else "as plain numbers"
    return f"at times from {first:.15g} to {last:.15g}, {of}"


def describe_span(seconds: NDArray[np.float64]) -> str:
    """Says which days some times [N], in seconds since 1970, are from; NaN are left out."""
    given = seconds[~np.isnan(seconds)]
    if not len(given):
        return "without a time"
    first, last = (str(pd.Timestamp(value, unit="s"))[:16] for value in (given.min(), given.max()))
    days = (given.max() - given.min()) / 86400
    return f"from {first} to {last} UTC ({days:,.1f} days)"
