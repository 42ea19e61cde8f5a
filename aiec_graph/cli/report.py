"""The command `report`."""

from pathlib import Path

PAGE = Path("report.html")


def report(
    model: Path,
    data: str,
    out: Path = PAGE,
    suspects: int = 10,
    without_baselines: bool = False,
    backtest: Path | None = None,
    as_of: str | None = None,
) -> int:
    """Writes a report on a detector and some data: one HTML file that needs no network.

      run_bench.py report model/ accounts/ --out report.html
      run_bench.py report model/ next-month/ --suspects 30
      run_bench.py report model/ accounts/ --as-of 2026-01-31

    It holds a slider for the threshold with precision, recall, workload and cost; the suspects
    with reasons and a drawing of their neighbourhood; curves, calibration and intervals; plain
    models fitted beside the detector; AIEC's channels; data, configuration and versions. Where the
    data have labels that took no part in the training, all numbers are of these nodes.

    Args:
        model: A folder that fit wrote.
        data: A folder of tables, a file, or the name of a data set.
        out: The page; an older report is replaced.
        suspects: Nodes that are shown with reasons.
        without_baselines: Fit no plain models beside the detector, which takes their time; without
            the training nodes in the data none are fitted either.
        backtest: Folder of a backtest's results, for a section of its own: AP by cut, by the
            age of the model with the drift of the inputs, and the leakage gap.
        as_of: A day such as 2026-01-31, or a number: transactions, edges and nodes of a later time
            are left out, and the report shows the leakage gap: how much better the model seems
            with the whole table.

    Raises:
        InputError: the model or the data cannot be used, or OUT holds something else.
    """
    from rich.console import Console

    from aiec_graph.cli.detection import load_nodes, reporting
    from aiec_graph.detect import FraudDetector
    from aiec_graph.detect.report import check_report, write_report
    from aiec_graph.errors import look_up

    look_up(out.suffix.lower(), dict.fromkeys((".html", ".htm")), "suffix of --out")
    check_report(out, suspects)
    with reporting():
        detector = FraudDetector.load(model)
        nodes = load_nodes(data, detector, as_of)
        whole = None if as_of is None else load_nodes(data, detector)
        write_report(detector, nodes, out, suspects, not without_baselines, backtest, whole)
    Console(soft_wrap=True).print(
        f"{out}: written, {out.stat().st_size / 1e6:.1f} MB", markup=False
    )
    return 0
