"""How much memory and time training takes, from the sizes of a graph alone, before any work.

The coefficients were measured by `benchmarks/minibatch.py`, which also checks the forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import NamedTuple

import psutil

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.train.settings import TrainSettings

AUTO, FULL = "auto", "full"
AT_HAND = 2**28
"""Bytes up to which the inputs of all nodes are made once and kept; 256 MiB."""
BATCH_SIZE = 1024
"""Of mini-batches where none is given."""
SPARE = 0.8
"""Of the memory that is available: what a forecast of full batch may take of it."""
WHOLE_GRAPH_MODELS = ("bwgnn",)
"""Networks that can be trained in full batch alone."""
_CGROUP = Path("/sys/fs/cgroup")
GB = 1e9


class Sizes(NamedTuple):
    """What a forecast is made from."""

    nodes: int
    edges: int
    """Directed: an undirected edge counts twice."""
    features: int
    """Inputs of the network."""


@dataclass(frozen=True)
class Coefficients:
    """Bytes at the peak of a training process, as a linear function of the sizes."""

    process: float
    """The libraries."""
    node: float
    input: float
    """A node's input."""
    hidden: float
    """A node's hidden channel, of one layer."""
    edge: float


class Choice(NamedTuple):
    """How a run is trained."""

    settings: TrainSettings
    """With a number or "full" for a batch size."""
    reason: str
    """The forecast behind it; empty where nothing was to be chosen."""


def check_batches(settings: TrainSettings) -> None:
    """Checks batch size and fan-out before anything runs.

    Raises:
        InputError: the batch size is no number of at least 1, "full" or "auto"; or the fan-out
            does not have a number for each layer.
    """
    size = settings.batch_size
    if size not in (AUTO, FULL) and not (size.isdecimal() and int(size) >= 1):
        raise InputError(
            f"batch_size must be a number of at least 1, auto or full, not {size!r}."
            f"{did_you_mean(size, (AUTO, FULL))}"
        )
    if size == FULL and settings.fanout:
        raise InputError("a fanout is for batches: leave it out, or give another batch_size")
    if settings.fanout:
        check_fanout(settings.fanout, settings.layers)


def check_fanout(fanout: Sequence[int], num_layers: int) -> None:
    """Checks the numbers of neighbours to sample, one for each layer from the seeds on.

    Raises:
        InputError: there are more or fewer, or one is neither -1 (all) nor at least 1.
    """
    if len(fanout) != num_layers:
        raise InputError(
            f"fanout must hold a number for each of the {num_layers} layers, not "
            f"{len(fanout)}: {' '.join(map(str, fanout)) or 'none'}"
        )
    for number in fanout:
        if number != -1 and number < 1:
            raise InputError(f"a fanout must be at least 1, or -1 for all neighbours, not {number}")


def choose_batches(
    settings: TrainSettings, model: str, sizes: Sizes, processes: int = 1, jobs: int = 1
) -> Choice:
    """Settles a batch size of "auto": full batch where it fits in memory.

    Args:
        settings: of the run.
        model: a name in `MODELS`.
        sizes: of its graph.
        processes: that share the run's batches.
        jobs: runs that share this machine.

    Raises:
        InputError: full batch is asked for in several processes.
    """
    size = settings.batch_size
    if size == FULL and processes > 1:
        raise InputError(
            "several processes share out batches: give a --batch-size, or run in one process"
        )
    if size != AUTO:
        return Choice(settings, "")
    needed, available = full_batch_bytes(settings, model, sizes), available_bytes() / jobs
    figures = f"full batch would take about {needed / GB:.2g} GB of {available / GB:.3g} GB free"
    if processes == 1 and (needed <= SPARE * available or model in WHOLE_GRAPH_MODELS):
        figures = figures.replace("would take", "takes")
        return Choice(replace(settings, batch_size=FULL, fanout=[]), figures)
    chosen = replace(settings, batch_size=str(BATCH_SIZE), fanout=settings.fanouts)
    fanout = " ".join(map(str, chosen.fanout))
    return Choice(chosen, f"{figures}: batches of {BATCH_SIZE}, fanout {fanout}")


def is_full_batch(settings: TrainSettings, model: str, sizes: Sizes) -> bool:
    """Whether one process takes the whole graph at once; see `choose_batches`."""
    return choose_batches(settings, model, sizes).settings.batch_size == FULL


PROCESS = 1e9
"""Bytes of the libraries."""
FULL_BATCH = {
    "gcn": Coefficients(PROCESS, 60, 5, 13, 27),
    "sage": Coefficients(PROCESS, 60, 20, 22, 36),
}
OWN_NODE = 80
"""Bytes of a node in mini-batches beyond features, edges and hidden channels."""
PIECE, REACHED = 2**18, 4
"""Nodes that a piece of the rows reaches at most while all are scored; floats that each of its
channels takes."""
EDGE_SECONDS, NODE_SECONDS = 1e-10, 1e-8
"""Of a hidden channel in an epoch of full batch."""
STEP_SECONDS, REACH_SECONDS, CHANNEL_SECONDS = 7e-3, 1.3e-7, 1e-9
"""In mini-batches: of a step, of a node that it reaches, and of a channel of that node."""
SCORED_EDGE_SECONDS = 1.1e-7
"""Of an edge in each layer of exact scoring."""


def full_batch_bytes(settings: TrainSettings, model: str, sizes: Sizes) -> float:
    """Bytes that a process takes at its peak in full batch."""
    own = FULL_BATCH.get(model, FULL_BATCH["sage"])
    per_node = (
        own.node + own.input * sizes.features + own.hidden * settings.hidden * settings.layers
    )
    return own.process + per_node * sizes.nodes + own.edge * sizes.edges


def mapped_bytes(sizes: Sizes) -> float:
    """Bytes of edges, features, labels and ids in mini-batches, which lie in mapped files."""
    return 4 * sizes.edges + (8 + 4 * sizes.features + 8 + 8) * sizes.nodes


def own_bytes(settings: TrainSettings, sizes: Sizes) -> float:
    """Bytes that each process has for itself in mini-batches, at its peak.

    While all nodes are scored: the outputs of a layer, of two where there are three or more, some
    numbers a node, and what a piece of the rows takes; or what a batch takes, if that is more. To
    it come the inputs of all nodes, where they are few and not the features themselves (`AT_HAND`).
    """
    held = min(settings.layers - 1, 2)
    size = int(settings.batch_size) if _is_number(settings) else BATCH_SIZE
    piece = 4 * REACHED * max(sizes.features, settings.hidden) * min(sizes.nodes, PIECE)
    batch = 4 * REACHED * sizes.features * sampled_nodes(settings, sizes, size)
    inputs = 4 * sizes.features * sizes.nodes
    kept = inputs if settings.features != "raw" and inputs <= AT_HAND else 0
    per_node = OWN_NODE + 4 * settings.hidden * held
    return PROCESS + per_node * sizes.nodes + kept + max(piece, batch)


def mini_batch_bytes(settings: TrainSettings, sizes: Sizes) -> float:
    """Bytes that a process takes at its peak in mini-batches, mapped files included."""
    return mapped_bytes(sizes) + own_bytes(settings, sizes)


def full_epoch_seconds(settings: TrainSettings, sizes: Sizes) -> float:
    """Seconds of an epoch in full batch with its validation, on one core."""
    channels = settings.hidden * settings.layers
    return channels * (EDGE_SECONDS * sizes.edges + NODE_SECONDS * sizes.nodes)


def batch_epoch_seconds(settings: TrainSettings, sizes: Sizes, seeds: float) -> float:
    """Seconds of an epoch in mini-batches without its validation, on one core."""
    size = int(settings.batch_size) if _is_number(settings) else BATCH_SIZE
    reached = sampled_nodes(settings, sizes, size)
    channels = sizes.features + settings.hidden
    return seeds / size * (STEP_SECONDS + reached * (REACH_SECONDS + CHANNEL_SECONDS * channels))


def scoring_seconds(settings: TrainSettings, sizes: Sizes) -> float:
    """Seconds to score all nodes exactly, layer by layer, on one core."""
    return SCORED_EDGE_SECONDS * settings.layers * sizes.edges


def _is_number(settings: TrainSettings) -> bool:
    return settings.batch_size not in (AUTO, FULL)


def sampled_nodes(settings: TrainSettings, sizes: Sizes, seeds: int) -> int:
    """Most nodes that a batch reaches, by its fan-out."""
    fanouts = [sizes.nodes if number < 0 else number for number in settings.fanouts]
    reached = sum(prod(fanouts[: hop + 1]) for hop in range(len(fanouts)))
    return min(sizes.nodes, seeds * (1 + reached))


def available_bytes() -> float:
    """Memory that this process can have: what the system has free, within its own limit."""
    found = float(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = (_CGROUP / "memory.current").read_text().strip()
    except OSError:
        return found
    return min(found, float(limit) - float(used)) if limit != "max" else found
