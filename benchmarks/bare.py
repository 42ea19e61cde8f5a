"""The bare kernels of a training step: the dense products, the sparse ones, the maxima."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from aiec_graph.nn import kernels

PRODUCTS = ("aten::mm", "aten::addmm")


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], object]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.name() in PRODUCTS:
            kept = [a.detach() if isinstance(a, torch.Tensor) else a for a in args]
            self.calls.append(lambda: func(*kept))
        return func(*args, **(kwargs or {}))


def kernels_of(step: Callable[[], object]) -> Callable[[], None]:
    """Makes one step and returns what repeats its kernels, on the same operands, and only these."""
    recorder = _Recorder()

    def recorded(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*operands: Any) -> Any:
            recorder.calls.append(lambda: kernel(*operands))
            return kernel(*operands)

        return call

    with (
        recorder,
        mock.patch.multiple(
            kernels,
            maximum=recorded(kernels.maximum),
            maximum_backward=recorded(kernels.maximum_backward),
        ),
    ):
        step()

    def replay() -> None:
        with torch.no_grad():
            for call in recorder.calls:
                call()

    return replay
