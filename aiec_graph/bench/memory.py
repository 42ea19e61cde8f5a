"""Peak memory of this process."""

import re
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Starts a new peak, where the system can; elsewhere the peak is the process's so far."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_mb() -> float:
    """Peak resident memory since `reset_peak`, in MB (10⁶ bytes)."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024 / 1e6
    return resident_mb()


def resident_mb() -> float:
    """Resident memory now, in MB (10⁶ bytes)."""
    return psutil.Process().memory_info().rss / 1e6
