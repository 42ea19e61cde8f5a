"""The command `explain`."""

from pathlib import Path


def explain(
    model: Path,
    data: str,
    node: list[str] = [],  # noqa: B006 (never changed)
    most: int = 5,
) -> int:
    """Says why nodes score as they do.

      run_bench.py explain model/ next-month/ --node A17
      run_bench.py explain model/ next-month/ --node A17 A204 --most 8

    Columns come with what they contribute to the score, the node's value and what is typical: the
    median over the nodes that are not flagged. Neighbours come with what the score loses once the
    edges with them are gone, which is computed anew for each.

    Args:
        model: A folder that fit wrote.
        data: A folder of tables, a file, or the name of a data set.
        node: Ids of nodes.
        most: Columns, and neighbours, to name of each node.

    Raises:
        InputError: the model or the data cannot be used, or a node is not there.
    """
    from rich.console import Console

    from aiec_graph.cli.detection import load_nodes, reporting
    from aiec_graph.detect import FraudDetector
    from aiec_graph.errors import InputError

    if most < 1:
        raise InputError(f"--most must be at least 1, not {most}")
    if not node:
        raise InputError("name the nodes: --node ID [ID ...]")
    with reporting():
        detector = FraudDetector.load(model)
        found = detector.explain(load_nodes(data, detector), node, most)
    console = Console(soft_wrap=True, highlight=False)
    for reasons in found:
        for line in reasons.lines():
            console.print(" ".join(line.splitlines()), markup=False)
    return 0
