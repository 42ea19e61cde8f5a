"""The compiled kernels on tensors: float32, on the CPU, dense, without gradient.

Whoever calls asks `usable` first. Nothing here depends on the number of threads: sums over rows
are made in parts of fixed size.
"""

import ctypes
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from aiec_graph.ops import replay
from aiec_graph.ops.build import library

# Arguments of the kernels in kernels/: pointers, 64-bit integers, floats.
_SIGNATURES = {
    "linear": "ppipppipiiip",
    "linear_backward": "pppiipppipppppiipp",
    "sums": "pppiipip",
    "maxima": "ppiipipp",
    "pool": "ppiipippipp",
    "pool_backward": "ppiiipipppp",
    "to_winners": "ppiiip",
    "cross_entropy": "pppiipp",
    "judge": "ppppiiiiiipppppp",
    "objective": "ppiddpppp",
    "scaled": "pifp",
    "range": "pip",
    "adam": "pppppidddddp",
}
_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "f": ctypes.c_float, "d": ctypes.c_double}
_PLAIN = (Tensor, nn.Parameter)


@functools.cache
def _kernels() -> dict[str, Callable[..., None]] | None:
    compiled = library()
    if compiled is None:
        return None
    kernels: dict[str, Callable[..., None]] = {}
    for name, signature in _SIGNATURES.items():
        kernel = getattr(compiled, f"aiec_{name}")
        kernel.argtypes, kernel.restype = [_TYPES[letter] for letter in signature], None
        kernels[name] = kernel
    return kernels


def _kernel(name: str) -> Callable[..., None]:
    kernels = _kernels()
    assert kernels is not None
    return kernels[name]


def _run(kernel: str, *arguments: Any) -> None:
    replay.call(_kernel(kernel), *arguments)


def usable(*tensors: Tensor | None) -> bool:
    """Whether the kernels are there, and made for such tensors."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    for x in tensors:
        if x is None:
            continue
        if x.dtype != torch.float32 or x.device.type != "cpu" or type(x) not in _PLAIN:
            return False
        if not x.is_contiguous():
            return False
    return _kernels() is not None


def _agree(shapes: bool) -> None:
    # The kernels would read beyond an array without a word.
    if not shapes:
        raise ValueError("the shapes of the operands do not agree")


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    x2: Tensor | None = None,
    rows2: Tensor | None = None,
    weight2: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """X · weightᵀ + bias [N, O], plus x2 · weight2ᵀ where given, through ReLU where asked for.

    Args:
        x: [N, I].
        weight: [O, I].
        bias: [O].
        x2: [M, J], of which N rows enter.
        rows2: their numbers [N], 64-bit, which are not checked; the first where None.
        weight2: [O, J].
        relu: give 0 for what is negative.
    """
    _agree(x.shape[1] == weight.shape[1] and (bias is None or len(bias) == len(weight)))
    out = x.new_empty(x.shape[0], weight.shape[0])
    second: tuple[Tensor | None, Tensor | None, Tensor | None, int] = (None, None, None, 0)
    if x2 is not None and weight2 is not None:
        _agree((len(weight), x2.shape[1]) == weight2.shape)
        _agree(len(x2 if rows2 is None else rows2) >= len(x))
        second = (x2, rows2, weight2, x2.shape[1])
    _run("linear", x, weight, x.shape[1], *second, bias, *out.shape, relu, out)
    return out


class _Addend(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("by_logits", "weight", "cost", "y")),
        *((name, ctypes.c_int64) for name in ("start", "end", "classes")),
        *((name, ctypes.c_float) for name in ("of_aux", "of_gate")),
    ]


class Addend:
    """What the losses of an AIEC layer add to the gradient of its output.

    Args:
        y: labels of some samples [N].
        start: the row of the first of them; the others follow.
        by_logits: gradient by the decision unit's logits [N, K].
        weight: the decision weights, which that goes through [K, C].
        of_aux: a factor of these.
        cost: what is added for each class [K, C].
        of_gate: a factor of these.
    """

    def __init__(
        self,
        y: Tensor,
        start: int,
        by_logits: Tensor,
        weight: Tensor,
        of_aux: float,
        cost: Tensor,
        of_gate: float,
    ) -> None:
        samples, (classes, self.channels) = y.shape[0], weight.shape
        _agree(by_logits.shape == (samples, classes) and cost.shape == weight.shape)
        self.start, self.end = start, start + samples
        self._operands = (y, by_logits, weight, of_aux, cost, of_gate)
        pointers = (by_logits.data_ptr(), weight.data_ptr(), cost.data_ptr(), y.data_ptr())
        self.struct = _Addend(*pointers, start, self.end, classes, of_aux, of_gate)

    def matrix(self) -> Tensor:
        """The samples' rows [N, C]."""
        y, by_logits, weight, of_aux, cost, of_gate = self._operands
        return torch.addmm((cost * of_gate)[y], by_logits, weight.detach() * of_aux)


def _by_reference(more: Addend | None, grad: Tensor) -> Any:
    if more is None:
        return None
    _agree(more.end <= grad.shape[0] and more.channels == grad.shape[1])
    return ctypes.byref(more.struct)


def _gradients(like: Tensor, needed: Sequence[bool], *of: Tensor | None) -> list[Tensor | None]:
    """Memory for the gradients of some operands; None where not asked for."""
    return [
        like.new_empty(operand.shape) if need and operand is not None else None
        for need, operand in zip(needed, of, strict=True)
    ]


def linear_backward(
    grad: Tensor,
    shown: Tensor | None,
    needed: Sequence[bool],
    x: Tensor,
    weight: Tensor,
    x2: Tensor | None = None,
    rows2: Tensor | None = None,
    weight2: Tensor | None = None,
    more: Addend | None = None,
) -> list[Tensor | None]:
    """The gradients of `linear`.

    Args:
        grad: the gradient of what `linear` gave [N, O].
        shown: what that was, where it went through ReLU: where it is 0, so is the gradient.
        needed: which of the five are asked for.
        x: [N, I].
        weight: [O, I].
        x2: [M, J]; rows that did not enter get 0.
        rows2: as for `linear`; with them, `x2` can have no gradient.
        weight2: [O, J].
        more: is added to `grad`; with `shown` only.

    Returns:
        The gradients by `x`, `weight`, the bias, `x2` and `weight2`; None where not asked for.
    """
    _agree(len(grad) == len(x) and (grad.shape[1], x.shape[1]) == weight.shape)
    _agree(shown is None or shown.shape == grad.shape)
    if x2 is not None and weight2 is not None:
        _agree((len(weight), x2.shape[1]) == weight2.shape)
        _agree(len(x2) >= len(x) if rows2 is None else len(rows2) >= len(x) and not needed[3])
    found = _gradients(grad, needed, x, weight, weight[:, 0], x2, weight2)
    by_x, by_weight, by_bias, by_x2, by_weight2 = found
    second: tuple[Any, ...] = (None, None, None, 0, 0, None, None)
    if x2 is not None:
        second = (x2, rows2, weight2, x2.shape[1], len(x2), by_x2, by_weight2)
    _run(
        *("linear_backward", grad, shown, _by_reference(more, grad), *grad.shape, by_bias),
        *(x, weight, x.shape[1], by_x, by_weight, *second),
    )
    return found


def sums(matrix: Tensor, x: Tensor) -> Tensor:
    """Matrix @ x for a CSR matrix [M, N] with 32-bit indices; x [N, C]."""
    crow, column, value = matrix.crow_indices(), matrix.col_indices(), matrix.values()
    _agree(matrix.shape[1] == len(x))
    out = x.new_empty(matrix.shape[0], x.shape[1])
    _run("sums", crow, column, value, *matrix.shape, x, x.shape[1], out)
    return out


def maxima(crow: Tensor, column: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum over each row's columns, and the winning column; as `nn.kernels.maximum`."""
    out = x.new_empty(len(crow) - 1, x.shape[1])
    winner = torch.empty(out.shape, dtype=torch.int32)
    _run("maxima", crow, column, len(out), len(x), x, x.shape[1], out, winner)
    return out, winner


def pool(
    crow: Tensor, column: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """`maxima` of ReLU(x · weightᵀ + bias) for x [N, I], weight [C, I]; no winner where it is 0."""
    _agree(x.shape[1] == weight.shape[1] and len(bias) == len(weight))
    out = x.new_empty(len(crow) - 1, len(weight))
    winner = torch.empty(out.shape, dtype=torch.int32)
    operands = (crow, column, len(out), len(x), x, x.shape[1], weight, bias, len(weight))
    _run("pool", *operands, out, winner)
    return out, winner


def pool_backward(
    grad: Tensor, winner: Tensor, needed: Sequence[bool], x: Tensor, weight: Tensor
) -> list[Tensor | None]:
    """The gradients of `pool`.

    Args:
        grad: that of its maxima [M, C].
        winner: as it gave them.
        needed: which of the three are asked for.
        x: as for `pool`.
        weight: as for `pool`.

    Returns:
        The gradients by `x`, `weight` and the bias; None where not asked for.
    """
    _agree(grad.shape == winner.shape and (grad.shape[1], x.shape[1]) == weight.shape)
    found = _gradients(grad, needed, x, weight, weight[:, 0])
    operands = (grad.contiguous(), winner, len(grad), len(x), grad.shape[1])
    _run("pool_backward", *operands, x, x.shape[1], weight, *found)
    return found


def to_winners(grad: Tensor, winner: Tensor, num_sources: int) -> Tensor:
    """Adds each gradient [M, C] to the row of [num_sources, C] that its maximum came from.

    Args:
        grad: of what `maxima` or `pool` gave.
        winner: as they gave it.
        num_sources: rows that the maximum was taken over.
    """
    _agree(grad.shape == winner.shape)
    grad = grad.contiguous()
    rows, channels = grad.shape
    out = grad.new_empty(num_sources, channels)
    _run("to_winners", grad, winner, rows, num_sources, channels, out)
    return out


def in_range(y: Tensor, classes: int) -> bool:
    """Whether labels [N], int64, N ≥ 1, lie in [0, classes).

    Whoever records a tape sees to it that they stay there: it is not noted.
    """
    both = (ctypes.c_int64 * 2)()
    _kernel("range")(y.data_ptr(), len(y), both)
    return 0 <= both[0] <= both[1] < classes


def cross_entropy(logits: Tensor, y: Tensor, class_weight: Tensor | None) -> tuple[Tensor, "Sums"]:
    """The weighted cross-entropy of some samples, summed.

    Args:
        logits: [N, K], contiguous.
        y: labels [N], int64 in [0, K).
        class_weight: [K].

    Returns:
        The gradient of the summed loss by the logits; that loss and the samples' summed weight.
    """
    _agree(len(y) == len(logits))
    _agree(class_weight is None or len(class_weight) == logits.shape[1])
    gradient, sums = torch.empty_like(logits), _Three()
    _run("cross_entropy", logits, y, class_weight, *logits.shape, gradient, sums)
    return gradient, sums


Sums = ctypes.Array[ctypes.c_double]
"""What a kernel adds up over a batch: a loss, the samples' weight and, of a layer, the gate loss.

A replay writes to it. The weight depends on the labels alone and stays what it is.
"""
_Three = ctypes.c_double * 3


class Judged(NamedTuple):
    """What one AIEC layer makes of a batch."""

    by_logits: Tensor
    """Gradient of the summed auxiliary loss by the decision unit's logits [N, K]."""
    by_weight: Tensor
    """That by the decision weights [K, C]."""
    cost: Tensor
    """What a unit of response adds to the gate loss [K, C]."""
    sums: Sums


def judge(
    a: Tensor,
    y: Tensor,
    weight: Tensor,
    class_weight: Tensor | None,
    count_all: bool,
    gate_table: tuple[int, bool],
    theta: Tensor,
    phi: Tensor,
) -> Judged:
    """Decides on the labelled samples of one AIEC layer, counts them and derives the gates.

    Args:
        a: their features [N, C], contiguous.
        y: their labels [N], int64 in [0, K).
        weight: decision weights [K, C].
        class_weight: [K].
        count_all: count the samples that are not decided rightly as well.
        gate_table: of the gate's mode, as `core.functional.gate_table` makes it.
        theta: activation counts [K, C], int64, contiguous, which those of the samples are added to.
        phi: sample counts [K], likewise.
    """
    classes, channels = weight.shape
    rows = y.shape[0]
    _agree(a.shape == (rows, channels) and theta.shape == weight.shape)
    _agree(phi.shape[0] == classes and (class_weight is None or class_weight.shape[0] == classes))
    by_logits = a.new_empty(rows, classes)
    by_weight, cost = torch.empty_like(weight), torch.empty_like(weight)
    sums = _Three()
    _run(
        *("judge", a, y, weight, class_weight, rows, channels, classes, count_all, *gate_table),
        *(theta, phi, by_logits, by_weight, cost, sums),
    )
    return Judged(by_logits, by_weight, cost, sums)


def objective(
    task: Sums, layers: Sequence[Sums], of_aux: float, of_gate: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The total loss, that of the task, and the layers' mean auxiliary and gate losses; scalars.

    Args:
        task: of `cross_entropy`.
        layers: of `judge`.
        of_aux: the factor of the auxiliary loss in the total.
        of_gate: that of the gate loss.
    """
    total, own, aux, gate = (torch.empty((), dtype=torch.float32) for _ in range(4))
    table = (ctypes.c_void_p * len(layers))(*map(ctypes.addressof, layers))
    _run("objective", task, table, len(layers), of_aux, of_gate, total, own, aux, gate)
    return total, own, aux, gate


def scaled(x: Tensor, factor: float) -> Tensor:
    """X · factor; in a replay without torch, whose first call in an epoch is a slow one."""
    out = torch.empty_like(x)
    _run("scaled", x, x.numel(), factor, out)
    return out


class Adam:
    """Adam (Kingma and Ba, 2015) with torch's defaults, all parameters in one call.

    They share one count of steps: torch's own counts those of each parameter, which differs for
    one whose gradient comes later or pauses.

    Args:
        parameters: for all of which `usable` holds.
        lr: learning rate.
        weight_decay: the L2 penalty: this times a parameter is added to its gradient.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        self._parameters = list(parameters)
        self._lr, self._weight_decay = lr, weight_decay
        self._steps = ctypes.c_int64(0)  # counted by the kernel, so that a replay counts too
        # Tuples: a replay knows their addresses.
        self._moments = tuple(
            tuple(torch.zeros_like(p) for p in self._parameters) for _ in range(2)
        )
        self._sizes = (ctypes.c_int64 * len(self._parameters))(
            *(p.numel() for p in self._parameters)
        )

    def zero_grad(self) -> None:
        """Drops the gradients."""
        for p in self._parameters:
            p.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Takes one step on those parameters that have a gradient."""
        grads = [p.grad if p.grad is None else p.grad.contiguous() for p in self._parameters]
        tables = (self._parameters, grads, *self._moments)
        _run(
            *("adam", *map(_pointers, tables), self._sizes, len(grads)),
            *(self._lr, 0.9, 0.999, 1e-8, self._weight_decay, ctypes.byref(self._steps)),
        )
        replay.call(torch.autograd.graph.increment_version, self._parameters)


def _pointers(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    addresses = (None if t is None else t.data_ptr() for t in tensors)
    return (ctypes.c_void_p * len(tensors))(*addresses)
