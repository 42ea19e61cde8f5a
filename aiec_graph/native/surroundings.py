"""Whether anything has changed that a recorded computation depends on."""

import operator
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_DICTS = ("_parameters", "_buffers", "_modules", *_HOOKS)

_OWN = ("aiec_graph.", "torch.nn.")


class Surroundings:
    """What functions depend on besides the numbers in tensors, as it was noted last.

    Args:
        objects: whose attributes count, of a module those of its parts too.
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
        self._dicts += [vars(module)[name] for module in self._modules for name in _DICTS]
        self.note()

    def note(self) -> None:
        """Takes what is now for what it should be."""
        self._noted = self._now()

    def _now(self) -> tuple[list[object], list[object]]:
        # It runs in each epoch: nothing here may take longer than a small layer.
        same = list(chain.from_iterable(map(dict.values, self._dicts)))
        equal: list[object] = []
        for x in self._tensors:
            same += (x.grad, x._backward_hooks, x._post_accumulate_grad_hooks)
            equal += (x._version, x.data_ptr(), x.requires_grad)
        return same, equal

    def unchanged(self) -> bool:
        """Whether everything is as it was noted."""
        (same, equal), (were_same, was_equal) = self._now(), self._noted
        alike = len(same) == len(were_same) and all(map(operator.is_, same, were_same))
        return alike and equal == was_equal and _is_plain()

    def tells_all(self) -> bool:
        """Whether nothing else matters: no hook, no class or method of somebody else's."""
        attributes, tensors = [vars(module) for module in self._modules], self._tensors
        hooked = any(a[name] for a in attributes for name in _HOOKS)
        hooked = hooked or any(x._backward_hooks or x._post_accumulate_grad_hooks for x in tensors)
        foreign = any("forward" in a for a in attributes)
        foreign = foreign or not all(type(m).__module__.startswith(_OWN) for m in self._modules)
        return not hooked and not foreign and _is_plain()


def _is_plain() -> bool:
    """Whether torch's operations do what they always do and nobody watches."""
    modes = torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack()
    return torch.is_grad_enabled() and not modes and not torch.is_autocast_enabled("cpu")
