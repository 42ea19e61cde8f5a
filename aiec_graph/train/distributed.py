"""The processes that torchrun starts, as one training."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from aiec_graph.core.processes import num_processes
from aiec_graph.errors import InputError

WORLD = "WORLD_SIZE"
"""The variable by which torchrun tells the number of processes."""


def processes_started() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get(WORLD, "1"))


@contextmanager
def process_group() -> Iterator[None]:
    """Joins the processes that torchrun has started, within the block; nothing without it.

    By gloo on CPUs and nccl on GPUs; a process takes the GPU of its number on its host.

    Raises:
        InputError: this torch was built without distributed training, or the others cannot be
            reached.
    """
    if processes_started() == 1:
        yield
        return
    if not dist.is_available():
        raise InputError("this torch has no torch.distributed: run in one process")
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{WORLD} asks for {processes_started()} processes, which cannot be joined ({reason}); "
            "start them by torchrun"
        ) from None
    try:
        yield
    finally:
        dist.destroy_process_group()


def send_object(found: Any) -> Any:
    """Sends a picklable object of the first process to all; each gets it."""
    if num_processes() == 1:
        return found
    box = [found]
    dist.broadcast_object_list(box, 0)
    return box[0]
