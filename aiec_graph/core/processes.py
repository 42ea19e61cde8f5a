"""Sums over the processes that share a batch."""

import torch
import torch.distributed as dist
from torch import Tensor


def num_processes() -> int:
    """Returns over how many processes the batch is spread; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """Returns the number of this process, from 0; 0 without a process group."""
    return dist.get_rank() if num_processes() > 1 else 0


def send_from(rank: int, tensor: Tensor) -> Tensor:
    """Sends a tensor of one process to all.

    Args:
        rank: the process that it is sent from.
        tensor: what it has; in the others one of the same shape and dtype.

    Returns:
        The sender's, in each process.
    """
    if num_processes() == 1:
        return tensor
    sent = tensor.contiguous()
    dist.broadcast(sent, rank)
    return sent


def sum_over_processes(*parts: Tensor) -> list[Tensor]:
    """Sums each tensor over the processes, all in one message, without gradient.

    Returns:
        The sums, in the shapes and dtypes of `parts`; integers up to 2^53 are exact.
    """
    if num_processes() == 1:
        return list(parts)
    message = torch.cat([part.detach().double().flatten() for part in parts])
    dist.all_reduce(message)
    sums = message.split([part.numel() for part in parts])
    return [s.view_as(part).to(part.dtype) for s, part in zip(sums, parts, strict=True)]
