"""The operators, registered with torch: autograd, its compiler, vmap and profilers see them.

A matrix [M, N] comes as the three arrays of its CSR form, and as those of its transpose where a
gradient is to flow. Everything is checked here before it reaches a compiled loop. The sum is
torch's own: for float32 on a CPU its embedding bags, which are weighted sums of rows and take less
time than its CSR product (docs/research/decisions/8-ordinary-operators.md); else that product. The
maximum is a loop of ours on a CPU and torch's segments on a CUDA GPU; on other devices operands go
through the CPU.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_FLOATS = (torch.float32, torch.float64)
_INDICES = (torch.int32, torch.int64)


def weighted_sum(
    x: Tensor,
    matrix: tuple[Tensor, Tensor, Tensor],
    transpose: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Tensor:
    """The product of a sparse matrix [M, N] and x [N, C], differentiable in x as often as wanted.

    Args:
        x: float32 or float64.
        matrix: row pointers [M + 1], columns [E] (both int32 or int64) and values [E] of its CSR
            form.
        transpose: those of its transpose; for a symmetric matrix, `matrix` itself. None where x
            needs no gradient.

    Returns:
        [M, C].

    Raises:
        ValueError: shapes, dtypes or devices don't fit, or a column is out of range.
        RuntimeError: a gradient is asked for without the transpose.
        NotImplementedError: within `torch.func.grad` and its kin.
    """
    return _outside_functorch(_weighted_sum, x, *matrix, *(transpose or (None, None, None)))


def maximum(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """The channel-wise maximum of x [N, C] over the columns of each row of a sparse pattern.

    Differentiable in x as often as wanted; the gradient goes to the first of equal values.

    Args:
        x: float32 or float64.
        crow: row pointers [M + 1], int32 or int64.
        column: columns [E], likewise.

    Returns:
        [M, C], 0 for an empty row and NaN where one is among the values; and the column that each
        maximum is from [M, C], int32, −1 for an empty row.

    Raises:
        ValueError: as `weighted_sum`.
        NotImplementedError: likewise.
    """
    return _outside_functorch(_maximum, x, crow, column)


def winner_sum(grad: Tensor, winner: Tensor, num_sources: int) -> Tensor:
    """Adds grad [M, C] up in the rows of [num_sources, C] that `winner` names; the way back.

    Raises:
        ValueError: as `weighted_sum`.
    """
    return _winner_sum(grad, winner, num_sources)


def _outside_functorch(operator: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return operator(*arguments)
    except RuntimeError as error:
        if "functorch" not in str(error):
            raise
        raise NotImplementedError(
            "torch.func's grad, jacrev and hessian cannot see into operators of torch.library: use "
            "torch.autograd.functional (jacobian, hessian) or autograd.grad with create_graph=True"
        ) from None


def _operator(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Registers an operator for every device.

    By `define` and `impl`: what `torch.library.custom_op` makes loads torch's compiler at its first
    call, compiled or not, which takes 1.6 s of processor time in each process.
    """

    def register(function: Callable[..., Any]) -> Any:
        qualified = f"aiec_graph::{name}"
        schema = torch.library.infer_schema(function, mutates_args=())
        torch.library.define(qualified, schema, tags=(torch.Tag.pt2_compliant_tag,))
        torch.library.impl(qualified, "default", function)
        return getattr(torch.ops.aiec_graph, name).default

    return register


@_operator("weighted_sum")
def _weighted_sum(
    x: Tensor,
    crow: Tensor,
    column: Tensor,
    value: Tensor,
    t_crow: Tensor | None,
    t_column: Tensor | None,
    t_value: Tensor | None,
) -> Tensor:
    _check(x, crow, column)
    if value.shape != column.shape or value.dtype != x.dtype or value.device != x.device:
        raise ValueError(
            f"the matrix needs {column.numel()} values in {x.dtype} on {x.device}, not "
            f"{value.numel()} in {value.dtype} on {value.device}"
        )
    if x.device.type not in ("cpu", "cuda"):
        operands = (part.cpu() for part in (x, crow, column, value))
        return _weighted_sum(*operands, None, None, None).to(x.device)
    _check_indices(crow, column, x.shape[0])
    # Of float64 torch sums bags one after the other, on one thread.
    has_fast_bags = x.device.type == "cpu" and x.dtype == torch.float32
    with torch.autocast(x.device.type, enabled=False):
        return (_sum_of_bags if has_fast_bags else _csr_product)(x, crow, column, value)


def _sum_of_bags(x: Tensor, crow: Tensor, column: Tensor, value: Tensor) -> Tensor:
    weights = {"per_sample_weights": value, "include_last_offset": True}
    return F.embedding_bag(column, x.contiguous(), crow, mode="sum", **weights)


def _csr_product(x: Tensor, crow: Tensor, column: Tensor, value: Tensor) -> Tensor:
    shape = (crow.shape[0] - 1, x.shape[0])
    with warnings.catch_warnings():
        # torch calls the layout a beta at its first use in a process.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        matrix = torch.sparse_csr_tensor(crow, column, value, shape, check_invariants=False)
    return matrix @ x.contiguous()


@torch.library.register_fake(_weighted_sum)
def _(x: Tensor, crow: Tensor, *_: Any) -> Tensor:
    return x.new_empty(crow.shape[0] - 1, x.shape[1])


def _keep_matrices(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    if inputs[3].requires_grad:
        raise RuntimeError("the values of the matrix get no gradient here: detach them")
    ctx.save_for_backward(*inputs[1:])


def _weighted_sum_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    crow, column, value, *transpose = ctx.saved_tensors
    if transpose[0] is None:
        raise RuntimeError("a gradient needs the transpose of the matrix: hand it in")
    return _weighted_sum(grad, *transpose, crow, column, value), *[None] * 6


torch.library.register_autograd(_weighted_sum, _weighted_sum_backward, setup_context=_keep_matrices)


@_operator("maximum")
def _maximum(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    _check(x, crow, column)
    if x.device.type == "cuda":
        return segment_maximum(x, crow, column)
    if x.device.type != "cpu":
        out, winner = _maximum(x.cpu(), crow.cpu(), column.cpu())
        return out.to(x.device), winner.to(x.device)
    from aiec_graph.ops import kernels  # Numba takes half a second, and few networks a maximum

    out = x.new_empty(crow.shape[0] - 1, x.shape[1])
    winner = torch.empty(out.shape, dtype=torch.int32)
    _refuse_unless(kernels.maximum(*_arrays(crow, column, x, out, winner)))
    return out, winner


@torch.library.register_fake(_maximum)
def _(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    out = x.new_empty(crow.shape[0] - 1, x.shape[1])
    return out, torch.empty_like(out, dtype=torch.int32)


def _keep_winner(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1])
    ctx.num_sources = inputs[0].shape[0]
    ctx.mark_non_differentiable(output[1])


def _maximum_backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None, None]:
    (winner,) = ctx.saved_tensors
    return _winner_sum(grad, winner, ctx.num_sources), None, None


torch.library.register_autograd(_maximum, _maximum_backward, setup_context=_keep_winner)


@_operator("winner_sum")
def _winner_sum(grad: Tensor, winner: Tensor, num_sources: int) -> Tensor:
    if grad.dim() != 2 or grad.shape != winner.shape or winner.dtype != torch.int32:
        raise ValueError("grad and winner (int32) must have one shape [M, C]")
    if grad.dtype not in _FLOATS or winner.device != grad.device or num_sources < 0:
        raise ValueError("grad must be float32 or float64, on winner's device")
    if grad.device.type == "cuda":
        padded = grad.new_zeros(num_sources + 1, grad.shape[1])
        where = winner.long().where(winner >= 0, num_sources)
        channel = torch.arange(grad.shape[1], device=grad.device).expand_as(where)
        # This adds in a fixed order; scatter_add_ on a GPU gives other bits at each call.
        return padded.index_put_((where, channel), grad, accumulate=True)[:-1].clone()
    if grad.device.type != "cpu":
        return _winner_sum(grad.cpu(), winner.cpu(), num_sources).to(grad.device)
    from aiec_graph.ops import kernels

    out = grad.new_empty(num_sources, grad.shape[1])
    _refuse_unless(kernels.winner_sum(*_arrays(grad, winner, out)))
    return out


@torch.library.register_fake(_winner_sum)
def _(grad: Tensor, winner: Tensor, num_sources: int) -> Tensor:
    return grad.new_empty(num_sources, grad.shape[1])


def _keep_named(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _winner_sum_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    (winner,) = ctx.saved_tensors
    if grad.shape[0] == 0:
        return grad.new_zeros(winner.shape), None, None
    taken = grad.gather(0, winner.long().clamp(min=0))
    return taken.masked_fill(winner < 0, 0), None, None


torch.library.register_autograd(_winner_sum, _winner_sum_backward, setup_context=_keep_named)


def _as_channels(x: Tensor, dim: int | None, batch: int) -> Tensor:
    """[N, C] for each of a batch, side by side: [N, C · B]."""
    x = x.unsqueeze(-1).expand(*x.shape, batch) if dim is None else x.movedim(dim, -1)
    return x.flatten(1)


def _batched(operator: Callable[..., Any], channels: int) -> Callable[..., Any]:
    """The vmap rule of an operator whose first `channels` arguments are [N, C]."""

    def rule(info: Any, dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        if any(dim is not None for dim in dims[channels:]):
            raise NotImplementedError("vmap over graphs: make one graph of disjoint parts instead")
        wide = (
            _as_channels(x, dim, info.batch_size)
            for x, dim in zip(arguments[:channels], dims, strict=False)
        )
        out = operator(*wide, *arguments[channels:])
        outs = [
            part.unflatten(1, (part.shape[1] // info.batch_size, info.batch_size))
            for part in (out if isinstance(out, tuple) else (out,))
        ]
        return (tuple(outs), (2,) * len(outs)) if isinstance(out, tuple) else (outs[0], 2)

    return rule


torch.library.register_vmap(_weighted_sum, _batched(_weighted_sum, 1))
torch.library.register_vmap(_maximum, _batched(_maximum, 1))
torch.library.register_vmap(_winner_sum, _batched(_winner_sum, 2))


def segment_maximum(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """`maximum` in torch's own operations, which gather the neighbours' rows; for a GPU."""
    crow, column = crow.long(), column.long()
    empty = (crow.diff() == 0)[:, None]
    if len(column) == 0:
        out = x.new_zeros(empty.shape[0], x.shape[1])
        return out, torch.full_like(out, -1, dtype=torch.int32)
    gathered = x.index_select(0, column)
    out = torch.segment_reduce(gathered, "max", offsets=crow).masked_fill(empty, 0)
    row = torch.repeat_interleave(crow.diff())
    highest = out.index_select(0, row)
    wins = (gathered == highest) | (gathered.isnan() & highest.isnan())
    # The first winning entry of each row; double precision holds every position.
    position = torch.arange(len(column), dtype=torch.float64, device=x.device)[:, None]
    position = position.where(wins, float("inf"))
    entry = torch.segment_reduce(position, "min", offsets=crow).masked_fill(empty, 0).long()
    return out, column[entry].masked_fill(empty, -1).int()


def _check(x: Tensor, crow: Tensor, column: Tensor) -> None:
    if x.dim() != 2 or x.dtype not in _FLOATS:
        raise ValueError(f"x must be float32 or float64 [N, C], not {x.dtype} {list(x.shape)}")
    if crow.dim() != 1 or column.dim() != 1 or len(crow) == 0:
        raise ValueError("a matrix in CSR form has row pointers [M + 1] and columns [E]")
    if crow.dtype not in _INDICES or column.dtype != crow.dtype:
        raise ValueError(
            "row pointers and columns must both be int32 or int64, not "
            f"{crow.dtype} and {column.dtype}"
        )
    if not crow.device == column.device == x.device:
        raise ValueError(
            f"x is on {x.device}, the matrix on {crow.device}: move one to the other's device"
        )
    if x.shape[0] >= 2**31:
        raise ValueError("more than 2³¹ − 1 rows")


def _check_indices(crow: Tensor, column: Tensor, num_columns: int) -> None:
    """What torch's sums take on trust."""
    ends = crow[0] == 0, crow[-1] == len(column), (crow.diff() >= 0).all()
    in_range = bool(torch.stack(ends).all())
    if in_range and len(column):
        low, high = column.aminmax()
        in_range = bool((low >= 0) & (high < num_columns))
    _refuse_unless(in_range)


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _refuse_unless(in_range: bool) -> None:
    if not in_range:
        raise ValueError("an index of the sparse matrix is out of range")
