"""Calls that are always the same, recorded once and then made again on the same memory.

Training on a full graph makes the same calls in every epoch. On a small graph, what lies between
them costs half as much as they do: Python's modules, autograd's engine, allocation. A tape keeps
the kernels' calls with the addresses they were made with, and what lies there; and the few
operations of torch between them that can be made again in place. Anything else breaks it.
"""

import operator
import threading
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")

_aten = torch.ops.aten
_NO_WORK = {
    _aten.empty.memory_format,
    _aten.empty_like.default,
    _aten.empty_strided.default,
    _aten.new_empty.default,
    _aten.promote_types.default,
}
_IN_PLACE = {_aten.zero_.default, _aten.add_.Tensor}
_INTO = {
    _aten.add.Tensor: _aten.add.out,
    _aten.mul.Tensor: _aten.mul.out,
    _aten.clone.default: _aten.clone.out,
    _aten.slice_backward.default: _aten.slice_backward.out,
}
"""Operations, and what puts their result into memory that is there."""

_here = threading.local()


def call(function: Callable[..., object], *arguments: Any) -> None:
    """Calls it, and has the tape that this thread records, if any, note it.

    Tensors among the arguments arrive as their addresses.
    """
    plain = tuple(a.data_ptr() if isinstance(a, Tensor) else a for a in arguments)
    function(*plain)
    tape: Tape | None = getattr(_here, "tape", None)
    if tape is not None:
        tape.note(function, plain, arguments)


class Tape(TorchDispatchMode):
    """While it is entered, records what this thread computes.

    Attributes:
        calls: functions with their arguments, in their order.
        whole: whether these are all there was to do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.whole = True
        # Not the tensors: autograd takes over a gradient that nobody else refers to.
        self._memory: list[torch.UntypedStorage] = []
        self._constant: set[int] = set()

    def __enter__(self) -> "Tape":
        _here.tape = self
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        _here.tape = None
        super().__exit__(*raised)

    def note(
        self, function: Callable[..., object], plain: tuple[Any, ...], arguments: tuple[Any, ...]
    ) -> None:
        """Notes a call, and keeps what its arguments point to."""
        self.calls.append((function, plain))
        self._keep(*arguments)

    def _keep(self, *values: Any) -> None:
        self._memory += [v.untyped_storage() for v in values if isinstance(v, Tensor)]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        # Other tensors on the same memory, for the reason above.
        same = tuple(a.detach() if isinstance(a, Tensor) else a for a in args)
        if func in _NO_WORK or _is_view(func):
            pass
        elif func in _INTO:
            into, result = _INTO[func], out.detach()
            self.calls.append((lambda: into(*same, **kwargs, out=result), ()))
        elif func in _IN_PLACE and args[0].data_ptr() not in self._constant:
            self.calls.append((lambda: func(*same, **kwargs), ()))
        elif func is _aten.ones_like.default:
            self._constant.add(out.data_ptr())
            self._keep(out)
        elif func is _aten._local_scalar_dense.default and args[0].data_ptr() in self._constant:
            pass  # what the host reads is the same each time
        else:
            self.whole = False; print("BROKEN", func)
        return out

    def replay(self) -> None:
        """Makes the calls again: the same memory then holds what they give for its new contents."""
        for function, arguments in self.calls:
            function(*arguments)


def _is_view(func: Any) -> bool:
    returned = [value.alias_info for value in func._schema.returns]
    return bool(returned) and all(alias and not alias.is_write for alias in returned)


class Repeated:
    """A sequence of functions that is run again and again.

    Attributes:
        whole: whether they can be replayed; once one cannot, all are called for good.
    """

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole
        self._known: dict[str, tuple[Tape, Any]] = {}

    def __call__(self, name: str, function: Callable[[], T]) -> T:
        """Calls a function the first time; later repeats what it did.

        Returns:
            What it gave. Tensors are those of the first time, in new values.
        """
        if not self.whole:
            return function()
        if name in self._known:
            tape, found = self._known[name]
            tape.replay()
            return found
        with Tape() as tape:
            found = function()
        self._known[name] = tape, found
        if not tape.whole:
            self.whole = False
            self._known.clear()
        return found


_DICTS = ("_parameters", "_buffers", "_modules")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Surroundings:
    """What functions depend on besides the numbers in their tensors, as it was noted last.

    Args:
        objects: whose attributes count, those of modules' parts too.
        tensors: that nobody else may write to.
    """

    def __init__(self, objects: Iterable[object], tensors: Iterable[Tensor]) -> None:
        self._tensors = list(tensors)
        self._modules: list[nn.Module] = []
        self._dicts: list[dict[str, object]] = []
        for one in objects:
            parts = list(one.modules()) if isinstance(one, nn.Module) else []
            self._modules += parts
            self._dicts += map(vars, parts or [one])
        self._dicts += [vars(m)[name] for m in self._modules for name in _DICTS + _HOOKS]
        self.note()

    def note(self) -> None:
        """Takes what is now for what it should be."""
        self._state = self._now()

    def _now(self) -> tuple[list[object], list[object]]:
        same = list(chain.from_iterable(map(dict.values, self._dicts)))
        equal: list[object] = []
        for x in self._tensors:
            same += (x.grad, x._backward_hooks, x._post_accumulate_grad_hooks)
            equal += (x._version, x.data_ptr(), x.requires_grad)
        return same, equal

    def unchanged(self) -> bool:
        """Whether everything is as it was noted."""
        same, equal = self._now()
        was_same, was_equal = self._state
        alike = len(same) == len(was_same) and all(map(operator.is_, same, was_same))
        return alike and equal == was_equal and _is_plain()

    def can_be_left_out(self) -> bool:
        """Whether nobody watches the functions, and all that they do is on the tensors."""
        modules, tensors = self._modules, self._tensors
        own = all(type(m).__module__.startswith(("aiec_graph.", "torch.nn.")) for m in modules)
        hooked = any(vars(m)[name] for m in modules for name in _HOOKS)
        hooked = hooked or any(x._backward_hooks or x._post_accumulate_grad_hooks for x in tensors)
        return own and not hooked and not any("forward" in vars(m) for m in modules) and _is_plain()


def _is_plain() -> bool:
    """Whether operations of torch do what they do and no more."""
    watched = torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack()
    return torch.is_grad_enabled() and not watched and not torch.is_autocast_enabled("cpu")
