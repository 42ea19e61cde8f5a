"""The order of the images, and chance, as a function of seed, epoch and image alone.

So a run that was stopped goes on as if it had not been, whatever process draws an image.
"""

import random
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import Dataset, Sampler

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
        seed_all(self.seed, *draw)
        return self.data[draw[1]]


def seed_all(*parts: int) -> None:
    """Seeds Python's, NumPy's and torch's generators by several numbers together."""
    seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
