"""The command `plan`."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from aiec_graph.cli.known import DATASETS
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import MODELS
from aiec_graph.train.memory import GB, Sizes, available_bytes, check_batches
from aiec_graph.train.plan import Machine, describe_plan, make_plan
from aiec_graph.train.settings import TrainSettings

KNOWN = {"data": DATASETS, "model": MODELS}


@dataclass(frozen=True)
class PlanOptions:
    """What the forecast depends on beside the sizes of the data."""

    nodes: float | None = None
    """Number of nodes, such as 100e6, where there are no data yet."""
    edges: float | None = None
    """Number of directed edges; an undirected edge counts twice."""
    features: int | None = None
    """Number of features."""
    model: str = "sage"
    """Network."""
    hidden: int = 32
    """Width of the hidden layers."""
    layers: int = 2
    """Number of graph layers."""
    batch_size: int = 1024
    """Training nodes of a mini-batch."""
    fanout: list[int] = field(default_factory=list)
    """Neighbours that are sampled at each layer; -1 for all (default: 10 at each layer)."""
    memory: float | None = None
    """Free GB of a machine (default: of this one)."""
    cores: int | None = None
    """Of a machine (default: of this one)."""
    machines: int = 1
    """Machines that share the training."""


DEFAULTS = PlanOptions()


def plan(data: str = "", /, options: PlanOptions = DEFAULTS, data_root: Path | None = None) -> int:
    """Says how much memory and time training takes, before any work, and on which machines.

      run_bench.py plan tsocial
      run_bench.py plan my-graph/
      run_bench.py plan --nodes 100e6 --edges 10e9 --features 50 --memory 256 --cores 32

    For full batch and for mini-batches: the peak of a process, an epoch, and exact scores of all
    nodes. docs/guides/capacity.md says what it was measured on and how far to trust it.

    Args:
        data: The name of a data set, or the path of a graph of your own; else give nodes, edges
            and features.
        options: What the forecast depends on.
        data_root: Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: the sizes are not given, or an option or the data cannot be used.
    """
    look_up(options.model, dict.fromkeys(MODELS), "model")
    settings = TrainSettings(
        hidden=options.hidden,
        layers=options.layers,
        batch_size=str(options.batch_size),
        fanout=options.fanout,
    )
    for name in ("hidden", "layers"):
        if getattr(options, name) < 1:
            raise InputError(f"{name} must be at least 1, not {getattr(options, name)}")
    check_batches(settings)
    sizes = _sizes(data, options, data_root)
    free = available_bytes() / GB if options.memory is None else options.memory
    cores = (os.cpu_count() or 1) if options.cores is None else options.cores
    machine = Machine(free, cores, options.machines)
    found = make_plan(settings, options.model, sizes, machine)
    sys.stdout.write("\n".join(describe_plan(found, sizes, machine)) + "\n")
    return 0


def _sizes(data: str, options: PlanOptions, data_root: Path | None) -> Sizes:
    given = {name: getattr(options, name) for name in ("nodes", "edges", "features")}
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if data and len(missing) < 3:
        raise InputError(f"give {data}, or the sizes of a graph, not both")
    if not data and missing:
        raise InputError(f"name the data, or give {', '.join(missing)} as well")
    if not data:
        for name in ("nodes", "edges"):
            if not 1 <= given[name] < 1e15:
                raise InputError(f"{name} must be at least 1, not {given[name]:g}")
        return Sizes(*(int(value) for value in given.values()))
    from aiec_graph.data.datasets.cards import is_own, read_card

    if not is_own(data):
        look_up(data, dict.fromkeys(DATASETS), "data set")
        card = read_card(data)
        if card.edges is not None and card.features is not None:
            edges = card.edges * (2 if card.undirected else 1)
            return Sizes(card.nodes, edges, card.features)
    from aiec_graph.data import load_dataset
    from aiec_graph.train.run import sizes_of

    return sizes_of(load_dataset(data, data_root))
