"""Timing of contestants in turn, so that a change of the machine's speed meets them all alike."""

import gc
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.progress import track

Timings = dict[str, list[float]]


TURN = 0.03
"""Seconds of a turn at least."""


def clock_of(device: str, processor_time: bool) -> Callable[[], float]:
    """What tells seconds; on a GPU it waits first for all that was asked of it."""
    if device == "cpu":
        return time.process_time if processor_time else time.perf_counter

    def wait_and_tell() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return wait_and_tell


def interleaved(
    actions: dict[str, Callable[[], object]],
    rounds: int,
    warmup: int = 1,
    budget: float = 60.0,
    title: str = "",
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Seconds of each action in each round, in which every action has a turn.

    A turn is calls one after the other, as training makes them, and counts as their median. Its
    first call finds the caches full of the others' data; it does not count where there is a second.

    Args:
        actions: by name.
        rounds: most rounds; fewer where `budget` is used up, but never fewer than 5.
        warmup: rounds that are not counted.
        budget: seconds.
        title: shown beside the progress bar.
        clock: tells seconds; `time.process_time` where others use the machine too.
    """
    seconds: Timings = {name: [] for name in actions}
    began = time.perf_counter()
    gc.disable()
    try:
        for round_ in track(range(rounds + warmup), title, transient=True):
            if round_ >= warmup + 5 and time.perf_counter() - began > budget:
                break
            for name, action in actions.items():
                calls = turn(action, clock)
                if round_ >= warmup:
                    seconds[name].append(statistics.median(calls[1:] or calls))
    finally:
        gc.enable()
    return seconds


def turn(
    action: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Seconds of each call in one turn."""
    calls: list[float] = []
    while sum(calls) < TURN:
        started = clock()
        action()
        calls.append(clock() - started)
    return calls


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles, in milliseconds."""
    low, high = np.quantile(values, [0.25, 0.75])
    return {
        "median_ms": 1e3 * statistics.median(values),
        "low_ms": 1e3 * float(low),
        "high_ms": 1e3 * float(high),
        "rounds": len(values),
    }
