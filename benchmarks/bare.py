"""The bare kernels of a training step: the dense products, the sparse ones, the maxima."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from aiec_graph import native
from aiec_graph.nn import kernels

PRODUCTS = ("aten::mm", "aten::addmm")
COMPILED = ("linear", "by_input", "by_weight", "sums", "maxima", "to_winners")
FALLBACK = ("maximum", "maximum_backward")


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
    """Makes one step and returns what repeats its kernels, on the same operands, and only these.

    Whichever the step calls: the compiled ones, or torch's where those do not apply.
    """
    recorder = _Recorder()

    def recorded(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*operands: Any) -> Any:
            recorder.calls.append(lambda: kernel(*operands))
            return kernel(*operands)

        return call

    with ExitStack() as stack:
        stack.enter_context(recorder)
        for module, names in ((native, COMPILED), (kernels, FALLBACK)):
            for name in names:
                kernel = recorded(getattr(module, name))
                stack.enter_context(mock.patch.object(module, name, kernel))
        step()

    def replay() -> None:
        with torch.no_grad():
            for call in recorder.calls:
                call()

    return replay
