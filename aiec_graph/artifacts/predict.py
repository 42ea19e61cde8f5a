"""Scoring nodes with a trained network."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from aiec_graph.artifacts.checkpoint import Origin, load_checkpoint
from aiec_graph.artifacts.scores import (
    SCORE_COLUMNS,
    describe_ties,
    describe_weights,
    explain_not_finite,
    score_frame,
    write_notes,
)
from aiec_graph.artifacts.specs import RunSpec, find_again, split_of
from aiec_graph.data import (
    UNKNOWN,
    Preprocessor,
    Split,
    TextGraph,
    default_data_root,
    find_source,
    is_own,
    load_dataset,
)
from aiec_graph.data.user import Declaration, load_own
from aiec_graph.errors import InputError, named
from aiec_graph.metrics import Metrics, evaluate
from aiec_graph.nn.networks import GNN
from aiec_graph.tables import write_csv
from aiec_graph.train import prepare_graph
from aiec_graph.train.prepared import Prepared
from aiec_graph.train.run import logits_of


class Reopened(NamedTuple):
    """A trained network and a data set for it."""

    network: GNN
    """In eval mode."""
    preprocessor: Preprocessor
    """Makes its inputs."""
    spec: RunSpec
    prepared: Prepared
    split: Split | None
    """That of its training; None where the data are others."""
    origin: Origin
    """The data of the training."""


class Scored(NamedTuple):
    """What `score` did."""

    label: str
    """Of the data set."""
    metrics: Metrics | None
    """On the test nodes, or in other data on the labelled nodes that were not trained on; None
    where these are not of both classes."""
    is_other: bool
    """Whether the data are others than those of the training."""
    notes: tuple[str, ...]
    """What is to be told about the data."""
    warnings: tuple[str, ...]
    """Why the scores may mean nothing."""


def reopen(checkpoint: Path, data_root: Path | None, dataset: str | None = None) -> Reopened:
    """Loads a checkpoint of a graph network, and its data set or another one.

    Tables of the user's own are read in the columns of the training, and as was declared there
    where they bring no graph.yaml.

    Raises:
        InputError: the checkpoint or the data cannot be used.
    """
    network, preprocessor, spec, seed, origin = load_checkpoint(checkpoint)
    simulate = spec.simulate if dataset is None else None
    source = dataset or find_again(spec.dataset, data_root or default_data_root())
    if dataset is None and is_own(source) and not Path(source).exists():
        raise InputError(
            f"{checkpoint}: trained on {source}, which is not here; name the data by --dataset, or "
            "the folder above it by --data-root"
        )
    if is_own(source) and not _is_data_of(origin, source):
        declared = Declaration.from_dict(origin.declaration)
        graph = load_own(Path(source), preprocessor.columns, declared)
    else:
        graph = load_dataset(source, data_root, simulate, spec.text or TextGraph())
    split = split_of(spec, seed, graph) if origin.checksum == graph.checksum else None
    return Reopened(network, preprocessor, spec, prepare_graph(graph), split, origin)


def _is_data_of(origin: Origin, source: str) -> bool:
    """Whether the files at a path are those of the training; files that cannot be read are not."""
    try:
        return find_source(source).checksum == origin.checksum
    except InputError:
        return False


def score(
    checkpoint: Path, out: Path, data_root: Path | None, dataset: str | None = None
) -> Scored:
    """Scores a data set with the network of a checkpoint, and writes the scores as CSV.

    What is to be told about the data and the scores is written beside them, in a text file.

    Args:
        checkpoint: the network.
        out: the file to write; only scores are overwritten.
        data_root: where data sets are looked for.
        dataset: the data set; by default that which the network was trained on.

    Raises:
        InputError: the checkpoint or the data cannot be used, or `out` cannot be written.
    """
    _check_out(out)
    network, preprocessor, spec, prepared, split, origin = reopen(checkpoint, data_root, dataset)
    graph = prepared.graph
    with named(checkpoint):
        (logits,) = logits_of([network], preprocessor, prepared, spec.settings, spec.model)
    margin = (logits[:, 1] - logits[:, 0]).numpy()
    scores = logits.softmax(1)[:, 1].numpy().astype(np.float32)
    if not np.isfinite(scores).all():
        raise InputError(f"{checkpoint}: {explain_not_finite(graph, scores)}")
    notes = [*graph.notes]
    told = describe_weights(graph, origin.is_weighted), describe_ties(scores)
    warnings = tuple(line for line in told if line is not None)
    frame = score_frame(graph, split, scores)
    fresh = np.ones(len(scores), bool) if split is None else split.test_mask
    if split is None:
        part = origin.trained_on.parts(graph)
        fresh = part == ""
        frame["split"] = part
        notes.append(
            f"{int(fresh.sum()):,} of {len(fresh):,} nodes were neither trained on nor used to "
            "choose the epoch"
        )
    fresh &= graph.y != UNKNOWN
    both = {0, 1} <= set(graph.y[fresh].tolist())
    metrics = evaluate(graph.y[fresh], margin[fresh]) if both else None
    write_csv(frame, out)
    write_notes(out, [*warnings, *notes])
    return Scored(graph.label, metrics, split is None, tuple(notes), warnings)


def _check_out(out: Path) -> None:
    """Refuses to write over what is not scores, such as a table of the graph itself."""
    if not out.is_file():
        return
    try:
        with out.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline().strip()
    except OSError as error:
        raise InputError(f"{out}: {error.strerror}") from None
    if first != ",".join(SCORE_COLUMNS):
        raise InputError(f"{out} is there already and holds no scores; name another --out")
