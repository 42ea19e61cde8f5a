"""The command `evaluate`."""

from pathlib import Path


def evaluate(model: Path, data: str, out: Path | None = None, as_of: str | None = None) -> int:
    """Measures a detector on data whose labels came in.

      run_bench.py evaluate model/ last-month/
      run_bench.py evaluate model/ last-month/ --as-of 2026-01-31

    Nodes that took part in the training are left out, by their ids. With --as-of, the model sees
    what was known then, and the leakage gap says how much better it seems with the whole table.

    Args:
        model: A folder that fit wrote.
        data: A folder of tables, a file, or the name of a data set, with labels.
        out: A JSON file for the metrics.
        as_of: A day such as 2026-01-31, or a number: transactions, edges and nodes of a later time
            are left out.

    Raises:
        InputError: the model or the data cannot be used.
    """
    import json
    from dataclasses import asdict

    from rich.console import Console

    from aiec_graph.cli.detection import load_nodes, reporting
    from aiec_graph.detect import FraudDetector
    from aiec_graph.detect.card import describe_evaluation
    from aiec_graph.detect.leakage import compare_knowledge
    from aiec_graph.errors import InputError
    from aiec_graph.files import write_whole

    if out is not None and out.exists():
        raise InputError(f"{out} is there already; name another --out")
    with reporting() as console:
        detector = FraudDetector.load(model)
        nodes = load_nodes(data, detector, as_of)
        for line in detector.drift(nodes).warnings:
            console.print(f"warning: {line}", markup=False)
        found = detector.evaluate(nodes)
        lines = describe_evaluation(found)
        if as_of is not None:
            whole = load_nodes(data, detector)
            lines.append(compare_knowledge(detector, whole, nodes).describe())
    if out is not None:
        text = json.dumps(asdict(found), indent=2) + "\n"
        write_whole(out, lambda draft: draft.write_text(text, "utf-8"))
    for line in lines:
        Console(soft_wrap=True, highlight=False).print(line, markup=False)
    return 0
