"""A loaded data set against its card: what differs is worth a warning, not a failure."""

from collections.abc import Sequence
from pathlib import Path

from aiec_graph.data.datasets.cards import Card
from aiec_graph.graph.graph import UNKNOWN, Graph
from aiec_graph.graph.storage.fingerprint import Fingerprint

TOLERANCE = 0.05  # percentage points: published rates have one or two decimals


def compare_with_card(graph: Graph, card: Card) -> list[str]:
    """One line for each count that is not the published one; none for simulated data."""
    if graph.simulated is not None:
        return []
    differences = []
    found = {"nodes": len(graph.y), "features": graph.x.shape[1]}
    for what, count in found.items():
        published = getattr(card, what)
        if published not in (None, count):
            differences.append(f"{count:,} {what}, the published one has {published:,}")
    if card.edges is not None:
        edges = graph.edges.num_edges
        counts = {edges, edges - graph.edges.num_self_loops}
        published = card.edges * (2 if card.undirected else 1)
        if published not in counts:
            differences.append(f"{edges:,} directed edges, the published one has {published:,}")
    anomalies = int((graph.y == 1).sum())
    known = card.anomalies if isinstance(card.anomalies, list) else [card.anomalies]
    if known != [None] and anomalies not in known:
        published = " or ".join(f"{count:,}" for count in known if count is not None)
        differences.append(f"{anomalies:,} anomalies, the published one has {published}")
    if card.anomaly_percent is not None:
        percent = 100 * anomalies / max(int((graph.y != UNKNOWN).sum()), 1)
        if abs(percent - card.anomaly_percent) > TOLERANCE:
            differences.append(
                f"{percent:.2f} % anomalies, the published one has {card.anomaly_percent} %"
            )
    if differences and card.notes:
        differences.append(f"known variants: {card.notes}")
    return differences


def compare_checksums(
    card: Card, files: Sequence[Path], fingerprints: Sequence[Fingerprint]
) -> list[str]:
    """One line for each file whose SHA-256 is known and differs."""
    return [
        f"{file} is not the published file: its SHA-256 is {fingerprint.sha256}, that of the "
        f"published one {card.files[file.name]}"
        for file, fingerprint in zip(files, fingerprints, strict=True)
        if fingerprint.sha256 and fingerprint.sha256 != card.files.get(file.name)
    ]
