"""Calls that are always the same, recorded once and then made again on the same memory.

Training on a full graph makes the same calls in every epoch. On a small graph, what lies between
them costs half as much as they do: Python's modules, autograd's engine, allocation. A tape keeps
the kernels' calls with the addresses they were made with, and what lies there; and the few
operations of torch between them that can be made again in place. Anything else of torch's breaks
it; what others write to a tensor's memory it does not see.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from aiec_graph.ops.surroundings import Surroundings

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
    _aten.clone.default: _aten.clone.out,
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
        self._memory: dict[int, torch.UntypedStorage] = {}
        # What nothing but its own call may write to.
        self._constant: set[int] = set()

    def __enter__(self) -> "Tape":
        if getattr(_here, "tape", None) is not None:
            raise RuntimeError("a tape is being recorded already")
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
        storages = (v.untyped_storage() for v in values if isinstance(v, Tensor))
        self._memory |= {storage.data_ptr(): storage for storage in storages}

    def has_moved(self) -> bool:
        """Whether what the calls point to lies elsewhere now, as what processes share does."""
        return any(at != storage.data_ptr() for at, storage in self._memory.items())

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
        elif func is _aten.slice_backward.default:  # around the slice, the zeros stay
            self._note_copy(_aten.slice.Tensor(out.detach(), *same[2:]), same[0])
            self._constant.add(_address(out))
        elif func in _IN_PLACE and _address(args[0]) not in self._constant:
            if func is _aten.zero_.default and _is_plain(args[0]):
                self.calls.append((ctypes.memset, (args[0].data_ptr(), 0, args[0].nbytes)))
                self._keep(args[0])
            else:
                self.calls.append((lambda: func(*same, **kwargs), ()))
        elif func is _aten.ones_like.default:
            self._constant.add(_address(out))
            self._keep(out)
        elif func is _aten._local_scalar_dense.default and _address(args[0]) in self._constant:
            pass  # what the host reads is the same each time
        else:
            self.whole = False
        return out

    def _note_copy(self, to: Tensor, x: Tensor) -> None:
        # Torch's first call in an epoch is a slow one: 20 µs more than C's.
        if _is_plain(to) and _is_plain(x):
            self.calls.append((ctypes.memmove, (to.data_ptr(), x.data_ptr(), x.nbytes)))
            self._keep(to, x)
        else:
            self.calls.append((to.copy_, (x,)))

    def replay(self) -> None:
        """Makes the calls again: the same memory then holds what they give for its new contents."""
        for function, arguments in self.calls:
            function(*arguments)


def _address(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


def _is_plain(x: Tensor) -> bool:
    return x.is_cpu and x.is_contiguous()


def _is_view(func: Any) -> bool:
    returned = [value.alias_info for value in func._schema.returns]
    return bool(returned) and all(alias and not alias.is_write for alias in returned)


def return_freed_memory() -> None:
    """Has the C library give back what was freed and not used again, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)


class Repeated:
    """A sequence of functions that is run again and again.

    Args:
        surroundings: what they depend on; None where they cannot be replayed.

    Attributes:
        whole: whether they can be replayed; once one cannot, all are called for good.
    """

    def __init__(self, surroundings: Surroundings | None) -> None:
        self.whole = surroundings is not None
        self._surroundings = surroundings
        self._known: dict[str, tuple[Tape, Any]] = {}
        self._is_new = False
        if self.whole:
            # What is recorded keeps its memory, which would fill the holes of what went before
            # badly: a tenth to a fifth of the peak.
            return_freed_memory()

    def __call__(self, name: str, function: Callable[[], T]) -> T:
        """Calls a function the first time; later repeats what it did.

        Returns:
            What it gave. Tensors are those of the first time, with new values.
        """
        if not self.whole:
            return function()
        if name in self._known:
            tape, found = self._known[name]
            tape.replay()
            return found
        with Tape() as tape:
            found = function()
        self._known[name], self._is_new = (tape, found), True
        if not tape.whole:
            self.whole = False
            self._known.clear()
        return found

    def note(self) -> None:
        """Takes the surroundings for what they should be when the sequence begins anew."""
        if self.whole and self._surroundings is not None:
            if self._is_new:
                self._surroundings.note()
            else:  # replays write to tensors and change nothing else
                self._surroundings.note_writing()
            self._is_new = False

    def is_outdated(self) -> bool:
        """Whether something has changed since, so that a replay would not do what a call does."""
        if not self.whole or self._surroundings is None:
            return False
        moved = any(tape.has_moved() for tape, _ in self._known.values())
        return moved or not self._surroundings.unchanged()
