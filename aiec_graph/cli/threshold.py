"""The command `threshold`."""

from pathlib import Path


def threshold(model: Path, rule: str | None = None, /) -> int:
    """Shows where a detector ends its list, or ends it elsewhere, without fitting anew.

      run_bench.py threshold model/
      run_bench.py threshold model/ precision=0.95
      run_bench.py threshold model/ top=200

    Args:
        model: A folder that fit wrote; with a rule, it is written anew.
        rule: f1, precision=0.9, recall=0.8, top=200, cost=1:50 (false alarm : miss) or score=1.5.

    Raises:
        InputError: the model or the rule cannot be used, or no cut fulfils it.
    """
    from rich.console import Console

    from aiec_graph.cli.detection import reporting
    from aiec_graph.detect import FraudDetector
    from aiec_graph.detect.card import describe_threshold

    with reporting():
        detector = FraudDetector.load(model)
        if rule is not None:
            detector.set_threshold(rule)
            detector.save(model, overwrite=True)
    console = Console(soft_wrap=True, highlight=False)
    for line in describe_threshold(detector.threshold_):
        console.print(line, markup=False)
    for line in detector.threshold_.warnings:
        console.print(f"warning: {line}", markup=False)
    return 0
