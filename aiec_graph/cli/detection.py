"""What the commands of detection share: what they say while they run, and the tables they write."""

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.errors import InputError, look_up

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.text import Text

    from aiec_graph.detect import FraudDetector, Nodes

FIRST_COLUMNS = ["id", "score"]
"""By which a list of suspects is known."""

SHORT_S, QUIET_S = 2.0, 10.0
"""What takes no longer has no line of progress in a log; least seconds between two lines."""


@contextmanager
def reporting(told: list[str] | None = None) -> Iterator["Console"]:
    """Gives a console on standard error, and prints there what detection logs and warns of.

    Args:
        told: a list that the warnings are added to.

    Each line is there once, in a terminal and in a log file; a terminal shows that time goes by.
    """
    from rich.console import Console

    from aiec_graph.detect import DetectionWarning

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    started = time.perf_counter()

    standing = Standing()

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            done, total = getattr(record, "done", None), getattr(record, "total", None)
            if done is not None and total is not None:
                what, unit = record.getMessage(), getattr(record, "unit", "")
                line = standing.count(done, total, what, unit)
                if line is None or console.is_terminal:
                    return
            else:
                line = record.getMessage()
                standing.begin(line, getattr(record, "seconds", None))
                if record.levelno < logging.INFO:
                    return
            console.print(f"{time.perf_counter() - started:6.1f} s  {line}", markup=False)

    def show(message: Warning | str, *_: object) -> None:
        line = " ".join(str(message).split())
        console.print(f"warning: {line}", markup=False)
        if told is not None:
            told.append(line)

    handler = Lines()
    loggers = [logging.getLogger(f"aiec_graph.{room}") for room in ("data", "detect", "train")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(), console.status(standing):
            warnings.simplefilter("always", DetectionWarning)
            warnings.showwarning = show
            yield console
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class Standing:
    """What a command is doing, and the time that is left: the last line on a terminal."""

    def __init__(self) -> None:
        self.begin("")

    def begin(self, what: str, seconds: float | None = None) -> None:
        """Something begins, which takes about so many seconds where this is known."""
        self._what, self._seconds, self._unit = what, seconds, ""
        self._begun = time.monotonic()
        self._due = self._begun + SHORT_S
        self._first = self._done = self._total = 0

    def count(self, done: int, total: int, what: str = "", unit: str = "") -> str | None:
        """Counts what is done; returns a line for a log, where it is time for one.

        Args:
            done: steps, or bytes.
            total: of these.
            what: the work, where it is another than that which began last.
            unit: bytes, or nothing for steps.
        """
        what = what or self._what
        if what != self._what or done < self._done or total != self._total:
            self.begin(what)
            self._first = done  # the clock began with it
        self._done, self._total, self._unit = done, total, unit
        now = time.monotonic()
        if now < self._due or done >= total:
            return None
        self._due = now + QUIET_S
        return str(self)

    def __str__(self) -> str:
        """What is done, how much of it, and the time left."""
        passed, parts = time.monotonic() - self._begun, [self._what]
        left = None if self._seconds is None else self._seconds - passed
        if self._total:
            scale, unit = (1e6, " MB") if self._unit == "bytes" else (1, "")
            parts.append(f"{self._done / scale:,.0f} of {self._total / scale:,.0f}{unit}")
            steps = self._done - self._first
            left = passed / steps * (self._total - self._done) if steps else None
        if left is not None and left > 0:
            parts.append(f"about {timedelta(seconds=round(left))} left")
        return ", ".join(part for part in parts if part)

    def __rich__(self) -> "Text":
        """The same, cut to the width of the terminal; asked for anew some times a second."""
        from rich.text import Text

        return Text(str(self), no_wrap=True, overflow="ellipsis")


def load_nodes(data: str, detector: "FraudDetector", as_of: str | None = None) -> "Nodes":
    """Loads the graph of a command, and says how large it is and what its reading decided.

    Args:
        data: a path or the name of a data set.
        detector: a fitted one, in whose columns the data are to be read.
        as_of: what is known: what came later is left out; all by default.

    Raises:
        InputError: it cannot be used.
    """
    from aiec_graph.detect.describe import tell_of

    log = logging.getLogger("aiec_graph.detect")
    log.info("loading %s", data)
    if detector.as_of is not None and as_of is None:
        then = f"the model was fitted on what was known as of {detector.as_of}"
        log.info("%s; these data are read whole, --as-of leaves out what came later", then)
    nodes = detector.read(data, as_of=as_of)
    tell_of(nodes.graph)
    return nodes


def check_list(out: Path) -> None:
    """Refuses a path that no list can be written to, or that holds something else.

    Raises:
        InputError: the suffix is another, or what is there is no list of suspects.
    """
    look_up(out.suffix.lower(), dict.fromkeys((".csv", ".parquet")), "suffix of --out")
    if not out.exists():
        return
    try:
        if out.suffix.lower() == ".parquet":
            import pyarrow.parquet

            names = pyarrow.parquet.read_schema(out).names
        else:
            with out.open(encoding="utf-8", errors="replace") as stream:
                names = stream.readline().strip().split(",")
    except (OSError, ValueError):
        names = []
    if names[: len(FIRST_COLUMNS)] != FIRST_COLUMNS:
        raise InputError(f"{out} is there already and holds no list of ours; name another --out")


def write_list(frame: "pd.DataFrame", out: Path) -> None:
    """Writes a list of suspects, as CSV in which a spreadsheet runs nothing, or as Parquet.

    Raises:
        InputError: it cannot be written.
    """
    from aiec_graph.files import write_whole
    from aiec_graph.tables import write_csv

    if out.suffix.lower() == ".parquet":
        write_whole(out, lambda draft: frame.to_parquet(draft, index=False))
    else:
        write_csv(frame, out)
