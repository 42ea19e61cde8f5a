"""The order of the images, their batches, and chance, as a function of seed, epoch and image alone.

So a run that was stopped goes on as if it had not been, whatever process draws an image.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, Sampler

from aiec_graph.errors import InputError
from aiec_graph.vision.images import ImageData
from aiec_graph.vision.settings import VisionSettings
from aiec_graph.wording import counted

Draw = tuple[int, int]
"""An epoch from 0, and the number of an image."""


class EpochSampler(Sampler[Draw]):
    """The images of an epoch in an order of its own; each process gets an equal share.

    Args:
        length: number of images.
        seed: of the order.
        epoch: the first one to draw; whoever trains sets `epoch` as it goes on.
        processes: how many share the images.
    """

    def __init__(self, length: int, seed: int, epoch: int, processes: int = 1) -> None:
        self.length, self.seed, self.epoch, self.processes = length, seed, epoch, processes

    def __len__(self) -> int:
        return self.length // self.processes

    def __iter__(self) -> Iterator[Draw]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        own = order[_rank() :: self.processes][: len(self)]
        return ((self.epoch, int(image)) for image in own)


class ShareSampler(Sampler[int]):
    """The images in order, each in exactly one process: none is counted twice."""

    def __init__(self, length: int, processes: int = 1) -> None:
        self.length, self.processes = length, processes

    def __len__(self) -> int:
        return len(range(_rank(), self.length, self.processes))

    def __iter__(self) -> Iterator[int]:
        return iter(range(_rank(), self.length, self.processes))


class Seeded(Dataset[Any]):
    """Images whose augmentation depends on seed, epoch and image alone.

    Args:
        data: what `EpochSampler` draws from.
        seed: of the augmentation.
    """

    def __init__(self, data: Dataset[Any], seed: int) -> None:
        self.data, self.seed = data, seed

    def __len__(self) -> int:
        return len(cast(Any, self.data))

    def __getitem__(self, draw: Draw) -> Any:
        seed_processor(self.seed, *draw)
        return self.data[draw[1]]


class Loaders(NamedTuple):
    """What a training takes its images from."""

    train: DataLoader[Any]
    val: DataLoader[Any] | None
    sampler: EpochSampler


def make_loaders(
    data: ImageData, settings: VisionSettings, seed: int, done: int, devices: int
) -> Loaders:
    """Makes the loaders of a training.

    Args:
        data: the images.
        settings: batch size and processes that load.
        seed: of order and augmentation.
        done: epochs that are over.
        devices: processes that share each batch.

    Raises:
        InputError: there are fewer images, in all or in a batch, than processes.
    """
    per_device = settings.batch_size // devices
    train, val = (len(cast(Any, part)) for part in (data.train, data.val))
    few = {"training image": train, "image of a batch": settings.batch_size}
    few |= {"validation image": val} if val else {}
    for what, count in few.items():
        if count < devices:
            raise InputError(
                f"{counted(count, what)} for {devices} processes: take fewer --devices"
            )
    sampler = EpochSampler(train, seed, done, devices)
    shared: dict[str, Any] = {
        "num_workers": settings.workers,
        "persistent_workers": False,  # they would keep the first epoch's number
        "pin_memory": torch.cuda.is_available(),
    }
    # A last batch of a single image would leave batch normalisation nothing to go by.
    drop = len(sampler) > per_device
    loader = DataLoader(
        Seeded(data.train, seed), per_device, sampler=sampler, drop_last=drop, **shared
    )
    if not val:
        return Loaders(loader, None, sampler)
    shares = ShareSampler(val, devices)
    return Loaders(loader, DataLoader(data.val, per_device, sampler=shares, **shared), sampler)


def seed_all(*parts: int) -> None:
    """Seeds every generator, accelerators' included, by several numbers together."""
    torch.manual_seed(seed_processor(*parts))


def seed_processor(*parts: int) -> int:
    """Seeds Python's, NumPy's and torch's generators on the processor, and returns the seed.

    An image's augmentation needs no other. torch.manual_seed also formats the call stack for each
    kind of accelerator that has not started, a millisecond an image.
    """
    seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    return seed


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
