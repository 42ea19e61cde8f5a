"""What a fit says of the data that it was given."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data import UNKNOWN, Graph
from aiec_graph.detect.drift import column_names
from aiec_graph.wording import counted

LOG = logging.getLogger("aiec_graph.detect")
ENRICHED_RATE, FEW_LABELLED = 0.2, 0.5


def tell_of(graph: Graph) -> None:
    """Logs how large a graph is, and what its reading decided."""
    size = graph.x.nbytes + graph.edges.indices.nbytes + graph.edges.indptr.nbytes
    for line in graph.notes:
        LOG.info("%s", line)
    LOG.info(
        "%s: %s, %s, %s (%.0f MB); %s labelled, %s anomalous",
        graph.label,
        counted(len(graph.y), "node"),
        counted(graph.edges.num_edges, "directed edge"),
        counted(graph.x.shape[1], "feature"),
        size / 1e6,
        f"{int((graph.y != UNKNOWN).sum()):,}",
        f"{int((graph.y == 1).sum()):,}",
    )


def describe_enrichment(graph: Graph) -> str | None:
    """A line where few nodes are labelled, and many of these anomalous."""
    labelled = graph.y != UNKNOWN
    rate, share = float(graph.y[labelled].mean()), float(labelled.mean())
    if rate <= ENRICHED_RATE or share >= FEW_LABELLED:
        return None
    return (
        f"{graph.label}: {share:.1%} of the nodes are labelled, and {rate:.0%} of these are "
        "anomalous. If anomalies are rarer among the others, probabilities, precision and "
        "workload are far off; state their share with base_rate"
    )


def describe_data(graph: Graph, masks: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    """What a model card says of the data and of their split, as plain values."""
    parts = {
        part: {"nodes": int(mask.sum()), "anomalies": int((graph.y[mask] == 1).sum())}
        for part, mask in masks.items()
    }
    return {
        "name": graph.label,
        "simulated": graph.simulated is not None,
        "nodes": len(graph.y),
        "edges": graph.edges.num_edges,
        "features": column_names(graph),
        "labelled": int((graph.y != UNKNOWN).sum()),
        "anomalies": int((graph.y == 1).sum()),
        "parts": parts,
    }
