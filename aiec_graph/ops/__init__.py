"""Kernels of graph training in C++: an accelerator for whoever has a compiler, never needed."""

from aiec_graph.ops.ops import (
    Adam,
    Addend,
    Judged,
    cross_entropy,
    in_range,
    judge,
    linear,
    linear_backward,
    maxima,
    objective,
    pool,
    pool_backward,
    scaled,
    sums,
    to_winners,
    usable,
)
from aiec_graph.ops.replay import Repeated, Tape, return_freed_memory
from aiec_graph.ops.surroundings import Surroundings

__all__ = [
    "Adam",
    "Addend",
    "Judged",
    "Repeated",
    "Surroundings",
    "Tape",
    "cross_entropy",
    "in_range",
    "judge",
    "linear",
    "linear_backward",
    "maxima",
    "objective",
    "pool",
    "pool_backward",
    "return_freed_memory",
    "scaled",
    "sums",
    "to_winners",
    "usable",
]
