"""What long work says of itself while it runs, by way of Python's logging.

A record with `done` and `total` counts steps, and one with `seconds` begins something that will
take about as long; the commands show both, and whoever uses the library can listen to the loggers
`aiec_graph.detect` and `aiec_graph.train`.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TypeVar

from aiec_graph.train.ensemble import Step, Trial

LOG = logging.getLogger("aiec_graph.detect")
T = TypeVar("T")


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """Yields the items, and says after each how many are done."""
    LOG.debug(what)
    for done, item in enumerate(items, 1):
        yield item
        LOG.debug(what, extra={"done": done, "total": len(items)})


class Candidates:
    """A line for each candidate of `auto`, once it has been tried."""

    def __init__(self) -> None:
        self._last: Step | None = None

    def begin(self, step: Step) -> None:
        """Notes where the fit has got to."""
        self._last = step
        LOG.debug("fitting %s (%d of %d)", step.name, step.done + 1, step.total)

    def end(self, trial: Trial) -> None:
        """Says what became of the candidate that began last."""
        step = self._last
        if step is None:
            return
        if trial.val_ap is not None:
            what = f"validation AP {trial.val_ap:.1f} %"
        else:
            what = trial.note or "given up, it would not end within the budget"
        left = max(step.seconds_left - trial.seconds, 0.0)
        LOG.info(
            "%2d of %d  %s: %s, %.1f s (%.0f s of the budget left)",
            *(step.done + 1, step.total, trial.name, what, trial.seconds, left),
        )
