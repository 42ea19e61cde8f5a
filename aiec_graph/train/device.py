"""The device that a setting names."""

import os
from collections.abc import Callable

import torch

from aiec_graph.errors import InputError, look_up

DEVICES: dict[str, Callable[[], bool]] = {
    "auto": lambda: True,
    "cpu": lambda: True,
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
}
"""By name, whether this machine has it."""


def resolve_device(name: str) -> torch.device:
    """Finds a device by its name.

    Args:
        name: "cpu", "cuda" (or "cuda:1"), "mps", or "auto": a CUDA GPU where there is one, else
            the CPU.

    Raises:
        InputError: the name is unknown, or this machine has no such device.
    """
    kind, _, number = name.partition(":")
    is_there = look_up(kind, DEVICES, "device")
    if kind in ("auto", "cuda") and not number and torch.cuda.is_available():
        local = os.environ.get("LOCAL_RANK")  # torchrun's: a GPU for each process of a host
        return torch.device("cuda" if local is None else f"cuda:{local}")
    if kind == "auto":
        return torch.device("cpu")
    if number and not (kind == "cuda" and number.isdecimal()):
        raise InputError(f"device {name!r}: only cuda takes a number, as in cuda:0")
    if not is_there() or (number and int(number) >= torch.cuda.device_count()):
        raise InputError(
            f"device {name!r}: this machine, or its torch {torch.__version__}, has none; use auto"
        )
    return torch.device(name)
