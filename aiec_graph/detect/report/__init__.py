"""The report on a detector and some data: one HTML file that needs no network."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from aiec_graph.detect.nodes import Nodes
from aiec_graph.detect.report.backtest import read_backtest
from aiec_graph.detect.report.content import make_content
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole

if TYPE_CHECKING:
    from aiec_graph.detect.estimator import FraudDetector

__all__ = ["check_report", "render_report", "write_report"]

LOG = logging.getLogger("aiec_graph.detect")
MARK = "<!-- report of aiec_graph -->"
SUSPECTS = 10


def render_report(
    detector: "FraudDetector",
    data: Any,
    suspects: int = SUSPECTS,
    baselines: bool = True,
    backtest: Path | None = None,
    whole: Nodes | None = None,
) -> str:
    """The report as HTML.

    Args:
        detector: fitted.
        data: what it is asked about; labels are used where there are any.
        suspects: number of nodes that are shown with reasons.
        baselines: fit the plain models beside it, where the data hold the training nodes.
        backtest: the folder of a backtest, for a section of its own.
        whole: the same data with all that came later, where `data` are what was known at a time:
            the report then shows the leakage gap.

    Raises:
        InputError: the data or the backtest cannot be used.
    """
    section = None if backtest is None else read_backtest(backtest)
    loader = PackageLoader("aiec_graph.detect.report", "page")
    # Names and ids are whatever stands in somebody's files: every value is escaped.
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = make_content(detector, detector.read(data), suspects, baselines, whole)
    LOG.info("writing the report")
    return environment.get_template("report.html.j2").render(mark=MARK, backtest=section, **content)


def write_report(
    detector: "FraudDetector",
    data: Any,
    path: Path,
    suspects: int = SUSPECTS,
    baselines: bool = True,
    backtest: Path | None = None,
    whole: Nodes | None = None,
) -> Path:
    """Writes the report; see `render_report`.

    Raises:
        InputError: the data cannot be used, or the file holds something else or cannot be written.
    """
    check_report(path, suspects)
    page = render_report(detector, data, suspects, baselines, backtest, whole)
    write_whole(path, lambda draft: draft.write_text(page, "utf-8"))
    return path


def check_report(path: Path, suspects: int = SUSPECTS) -> None:
    """Refuses a path that holds anything but an older report, and a number of suspects below 0.

    Raises:
        InputError: it is one of these.
    """
    if suspects < 0:
        raise InputError(f"suspects must be at least 0, not {suspects}")
    if not path.exists():
        return
    start = ""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as stream:
            start = stream.read(200)
    if MARK not in start:
        raise InputError(f"{path} is there already and is no report of ours; name another")
