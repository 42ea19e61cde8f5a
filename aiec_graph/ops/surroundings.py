"""Whether anything has changed that a recorded computation depends on."""

import operator
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_DICTS = ("_parameters", "_buffers", "_modules")
_MODULE = vars(nn.Module())

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
        self._attributes: list[dict[str, object]] = []
        for one in objects:
            parts = list(one.modules()) if isinstance(one, nn.Module) else []
            self._modules += parts
            self._attributes += map(vars, parts or [one])
        self._dicts = [vars(m)[name] for m in self._modules for name in _DICTS if vars(m)[name]]
        self._hooks = [vars(m)[name] for m in self._modules for name in _HOOKS]
        # Past what nn.Module keeps for itself: this runs in each epoch.
        own = [[n for n in a if n not in _MODULE or n == "training"] for a in self._attributes]
        self._own = [operator.itemgetter(*names, names[0]) for names in own]
        self.note()

    def note(self) -> None:
        """Takes what is now for what it should be."""
        self._noted, self._versions = self._now(), self._versions_now()

    def note_writing(self) -> None:
        """Takes note of nothing but that the tensors were written to."""
        self._versions = self._versions_now()

    def _now(self) -> tuple[list[object], list[object]]:
        parts = (get(a) for get, a in zip(self._own, self._attributes, strict=True))
        same = list(chain.from_iterable(chain(parts, map(dict.values, self._dicts))))
        equal: list[object] = list(map(len, self._attributes))
        for x in self._tensors:
            same += (x.grad, x._backward_hooks, x._post_accumulate_grad_hooks)
            equal += (x.data_ptr(), x.requires_grad)
        return same, equal

    def _versions_now(self) -> list[int]:
        return [x._version for x in self._tensors]

    def unchanged(self) -> bool:
        """Whether everything is as it was noted."""
        if self._versions_now() != self._versions or any(self._hooks) or not _is_plain():
            return False
        try:
            (same, equal), (were_same, was_equal) = self._now(), self._noted
        except KeyError:  # an attribute is gone
            return False
        alike = len(same) == len(were_same) and all(map(operator.is_, same, were_same))
        return alike and equal == was_equal

    def tells_all(self) -> bool:
        """Whether nothing else matters: no hook, no module or forward of somebody else's."""
        tensors = self._tensors
        hooked = any(self._hooks) or any(
            x._backward_hooks or x._post_accumulate_grad_hooks for x in tensors
        )
        foreign = any("forward" in a for a in self._attributes)
        foreign = foreign or not all(type(m).__module__.startswith(_OWN) for m in self._modules)
        return not hooked and not foreign and _is_plain()


def _is_plain() -> bool:
    """Whether torch's operations do what they always do and nobody watches."""
    modes = torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack()
    hooked = modules._has_any_global_hook()
    return torch.is_grad_enabled() and not (modes or hooked or torch.is_autocast_enabled("cpu"))
