"""How much of a time budget is left, and what fits into it by what was measured so far."""

import re
import time

from aiec_graph.errors import InputError


class Budget:
    """A number of seconds that run from now on.

    Args:
        seconds: all that may be spent.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._started = seconds, time.perf_counter()
        self._spent: dict[str, list[tuple[float, float]]] = {}

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when it is spent."""
        return max(0.0, self.seconds - (time.perf_counter() - self._started))

    def note(self, kind: str, cost: float, seconds: float) -> None:
        """Remembers how long something of a known relative cost took."""
        self._spent.setdefault(kind, []).append((cost, seconds))

    def forecast(self, kind: str, cost: float) -> float:
        """Seconds that a cost will take, at the pace of its kind or, before that, of all kinds."""
        everything = [entry for entries in self._spent.values() for entry in entries]
        entries = self._spent.get(kind, everything)
        total = sum(done for done, _ in entries)
        return cost * sum(seconds for _, seconds in entries) / total if total else 0.0


def parse_seconds(text: str | float) -> float:
    """A time as people write it: 90 (seconds), "90s", "1.5m", "1h".

    Raises:
        InputError: it is none.
    """
    if isinstance(text, int | float) and text >= 0:
        return float(text)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).strip())
    if found is None:
        raise InputError(f"budget must be a time such as 90s, 3m or 1h, not {text!r}")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
