"""Timing of contestants in turn, so that a change of the machine's speed meets them all alike."""

import gc
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.progress import track

Timings = dict[str, list[float]]


def interleaved(
    actions: dict[str, Callable[[], object]],
    rounds: int,
    warmup: int = 3,
    budget: float = 60.0,
    title: str = "",
) -> Timings:
    """Seconds of each action in each round; a round runs them all once.

    Args:
        actions: by name.
        rounds: most rounds; fewer where `budget` is used up, but never fewer than 5.
        warmup: rounds that are not counted.
        budget: seconds.
        title: shown beside the progress bar.
    """
    seconds: Timings = {name: [] for name in actions}
    began = time.perf_counter()
    gc.disable()
    try:
        for round_ in track(range(rounds + warmup), title, transient=True):
            if round_ >= warmup + 5 and time.perf_counter() - began > budget:
                break
            for name, action in actions.items():
                started = time.perf_counter()
                action()
                if round_ >= warmup:
                    seconds[name].append(time.perf_counter() - started)
    finally:
        gc.enable()
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles, in milliseconds."""
    low, high = np.quantile(values, [0.25, 0.75])
    return {
        "median_ms": 1e3 * statistics.median(values),
        "low_ms": 1e3 * float(low),
        "high_ms": 1e3 * float(high),
        "rounds": len(values),
    }
