"""What reading says of itself while it runs, by way of Python's logging.

A record of the logger `aiec_graph.graph` with `done` and `total` counts bytes of a file, or columns
of a table; see `aiec_graph.detect.progress` for who listens.
"""

import io
import logging

LOG = logging.getLogger("aiec_graph.graph")


class CountedBytes(io.BytesIO):
    """Bytes of a file, which tell after each read how many are done.

    Args:
        content: the bytes.
        what: the work, as a line says it.
    """

    def __init__(self, content: bytes, what: str) -> None:
        super().__init__(content)
        self._what, self._total = what, len(content)

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads as `io.BytesIO` does."""
        found = super().read(size)
        count(self._what, self.tell(), self._total, "bytes")
        return found


def count(what: str, done: int, total: int, unit: str = "") -> None:
    """Says how much of some work is done, in bytes or in steps that need no unit."""
    LOG.debug(what, extra={"done": done, "total": total, "unit": unit})
