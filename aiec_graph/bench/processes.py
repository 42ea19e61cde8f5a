"""Runs that the processes of torchrun make together: the first keeps the books."""

from collections.abc import Generator, Sequence
from pathlib import Path

from rich.console import Console

from aiec_graph.artifacts.specs import ClassifierSpec, RunSpec
from aiec_graph.bench.engine import Kind, Outcome, Run, make
from aiec_graph.bench.runs import BenchmarkRuns, train_network
from aiec_graph.core.processes import num_processes
from aiec_graph.data import TextGraph, find_source, is_own, read_card
from aiec_graph.data.datasets.registry import is_text
from aiec_graph.errors import InputError
from aiec_graph.train import DivergedError
from aiec_graph.train.distributed import send_object
from aiec_graph.train.memory import AUTO, Sizes, choose_batches
from aiec_graph.train.run import sizes_of


def with_others(kind: Kind, runs: Sequence[Run]) -> Generator[Outcome]:
    """The executor of the first process: tells the others which run is made, and makes it."""
    for run in runs:
        if isinstance(run.spec, RunSpec):
            send_object(run)
        yield make(kind, run, kind.load(run.spec))
    # Not after an error: the others may be within a run, and torchrun ends them.
    send_object(None)


def help_out(kind: BenchmarkRuns) -> None:
    """Takes part in the runs that the first process makes, until it has made them all.

    Raises:
        InputError: the data cannot be used.
    """
    while (run := send_object(None)) is not None:
        try:
            prepared = kind.load(run.spec).prepared
            train_network(run.spec, run.seed, prepared, kind.state_of(run))
        except DivergedError:
            continue  # in each process alike; the first one says so


def settle_batches(
    specs: Sequence[RunSpec | ClassifierSpec], data_root: Path | None, jobs: int, console: Console
) -> list[RunSpec | ClassifierSpec]:
    """The same specifications with a batch size for "auto", by what fits in memory.

    Says the forecast once for each data set; of one that is not there nothing is known yet.

    Raises:
        InputError: full batch is asked for in several processes.
    """
    settled: list[RunSpec | ClassifierSpec] = []
    said: set[str] = set()
    for spec in specs:
        sizes = _sizes(spec, data_root) if isinstance(spec, RunSpec) else None
        if sizes is None or not isinstance(spec, RunSpec):
            settled.append(spec)
            continue
        choice = choose_batches(spec.settings, spec.model, sizes, num_processes(), jobs)
        settled.append(spec.with_settings(choice.settings))
        line = f"{spec.name}: {choice.reason}"
        if choice.reason and spec.name not in said:
            said.add(spec.name)
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return settled


def _sizes(spec: RunSpec, data_root: Path | None) -> Sizes | None:
    """Of a published data set by its card, of the user's own by its tables."""
    if spec.settings.batch_size != AUTO:
        return Sizes(0, 0, 0)  # nothing is to be chosen by them
    if is_own(spec.dataset) or is_text(spec.dataset):
        try:
            text = spec.text or TextGraph()
            return sizes_of(find_source(spec.dataset, data_root, None, text).load().graph)
        except InputError:
            return None
    card, scale = read_card(spec.dataset), spec.simulate or 1
    edges = (card.edges or 0) * (2 if card.undirected else 1)
    return Sizes(round(card.nodes * scale), round(edges * scale), card.features or 0)
