"""What a training will take and which machines it needs, from the sizes of a graph alone."""

from dataclasses import dataclass
from math import ceil

from aiec_graph.errors import InputError
from aiec_graph.train import memory
from aiec_graph.train.memory import GB, Sizes
from aiec_graph.train.settings import TrainSettings

TRAIN_SHARE = 0.4
"""Of the nodes that are seeds of an epoch, where nothing is known of the split."""


@dataclass(frozen=True)
class Machine:
    """A host; several alike may share a training."""

    memory: float
    """GB that are free."""
    cores: int
    count: int = 1

    def check(self) -> None:
        """Checks the ranges.

        Raises:
            InputError: one is not above 0.
        """
        for name, value in (("memory", self.memory), ("cores", self.cores)):
            if not value > 0:
                raise InputError(f"{name} must be above 0, not {value}")
        if self.count < 1:
            raise InputError(f"machines must be at least 1, not {self.count}")


@dataclass(frozen=True)
class Plan:
    """A forecast, and what it means on some machines. Bytes and seconds."""

    full_batch: float
    """Of the process."""
    mapped: float
    """Mini-batches: edges and features, in files that a host's processes share."""
    own: float
    """Mini-batches: of each process beyond that."""
    full_epoch: float
    """Seconds, on one core."""
    batch_epoch: float
    """Seconds without validation, on one core."""
    scoring: float
    """Seconds to compute exact scores of all nodes, on one core."""
    processes: int
    """Of mini-batches that a machine holds; 0 where it does not hold one."""
    fits_full: bool
    """Whether a machine holds full batch."""


def make_plan(settings: TrainSettings, model: str, sizes: Sizes, machine: Machine) -> Plan:
    """Forecasts memory and time.

    Args:
        settings: of the training.
        model: a name in `MODELS`.
        sizes: of the graph.
        machine: what there is.

    Raises:
        InputError: a size or a number of the machine is out of its range.
    """
    machine.check()
    for name, value in sizes._asdict().items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
    free = machine.memory * GB * memory.SPARE
    full = memory.full_batch_bytes(settings, model, sizes)
    mapped, own = memory.mapped_bytes(sizes), memory.own_bytes(settings, sizes)
    return Plan(
        full_batch=full,
        mapped=mapped,
        own=own,
        full_epoch=memory.full_epoch_seconds(settings, sizes),
        batch_epoch=memory.batch_epoch_seconds(settings, sizes, TRAIN_SHARE * sizes.nodes),
        scoring=memory.scoring_seconds(settings, sizes),
        processes=max(0, min(machine.cores, int((free - mapped) // own))),
        fits_full=full <= free,
    )


def describe_plan(plan: Plan, sizes: Sizes, machine: Machine) -> list[str]:
    """The plan in sentences, a line each."""
    lines = [
        f"{sizes.nodes:,} nodes, {sizes.edges:,} directed edges, {sizes.features} features",
        f"full batch: {_gb(plan.full_batch)}; an epoch takes about {_time(plan.full_epoch)}",
        f"mini-batches: {_gb(plan.mapped)} of files that the processes of a machine share, and "
        f"{_gb(plan.own)} a process; on one core an epoch takes about {_time(plan.batch_epoch)}, "
        f"and exact scores of all nodes {_time(plan.scoring)}",
    ]
    where = f"{machine.memory:.3g} GB and {machine.cores} cores"
    if plan.fits_full:
        lines.append(f"a machine of {where} holds full batch")
    elif plan.processes:
        workers = plan.processes * machine.count
        lines.append(
            f"{machine.count} machine{'s' if machine.count > 1 else ''} of {where}: torchrun "
            f"--nnodes {machine.count} --nproc-per-node {plan.processes}; an epoch takes about "
            f"{_time(plan.batch_epoch / workers)}, exact scores {_time(plan.scoring / workers)}"
        )
    else:
        needed = (plan.mapped + plan.own) / memory.SPARE
        share = machine.memory * GB * memory.SPARE - plan.own
        lines.append(
            f"a machine of {where} does not hold it: take one with {ceil(needed / GB)} GB free"
        )
        if share > 0:
            lines.append(
                f"or spread edges and features over {ceil(plan.mapped / share)} of these machines "
                "by a graph store and a feature store"
            )
    return lines


def _gb(size: float) -> str:
    return f"{size / GB:.3g} GB"


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"
