"""Loops that Numba compiles at their first use, and keeps where there is a place for it."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's `njit`, whose machine code is kept for the next process.

    Where neither the installation nor the user's cache folder can be written, each process
    compiles anew.

    Args:
        **options: of `njit`, such as nogil.
    """

    def compile_later(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # no folder can be written
            return njit(**options)(function)

    return compile_later
