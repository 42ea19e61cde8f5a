"""The bare kernels of a training step: the dense products, the sparse ones, the maxima.

Training replays its steps, so these are replayed in the same way, without wrappers or allocation:
through Python's functions they would cost more than the whole step.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import torch

from aiec_graph import ops
from aiec_graph.nn import kernels

PRODUCTS = ("aten::mm", "aten::addmm")
COMPILED = ("linear", "linear_backward", "sums", "maxima", "to_winners", "pool", "pool_backward")
FALLBACK = ("maximum", "maximum_backward")


class _Recorder(ops.Tape):
    """A tape that also has torch's products."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.name() in PRODUCTS:
            kept = [a.detach() if isinstance(a, torch.Tensor) else a for a in args]
            self.calls.append((func, tuple(kept)))
        return super().__torch_dispatch__(func, types, args, kwargs)


def kernels_of(step: Callable[[], object]) -> Callable[[], None]:
    """Makes one step and returns what repeats its kernels, on the same operands, and only these.

    Whichever the step calls: the compiled ones, or torch's where those do not apply.

    Args:
        step: forward, backward and the rest, from a loop that has made one before.
    """
    recorder = _Recorder()
    wanted = {f"aiec_{name}" for name in COMPILED} | {*FALLBACK, *PRODUCTS}

    def recorded(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*operands: Any) -> Any:
            recorder.calls.append((kernel, operands))
            return kernel(*operands)

        return call

    with ExitStack() as stack:
        stack.enter_context(recorder)
        for name in FALLBACK:
            kernel = recorded(getattr(kernels, name))
            stack.enter_context(mock.patch.object(kernels, name, kernel))
        step()

    def name_of(function: Any) -> str:
        return function.name() if hasattr(function, "name") else getattr(function, "__name__", "")

    recorder.calls = [(f, operands) for f, operands in recorder.calls if name_of(f) in wanted]

    def replay() -> None:
        with torch.no_grad():
            recorder.replay()

    return replay
