"""Epochs of two revisions of this project, in turn: what a change cost or gained, line by line.

Each revision is checked out into a temporary worktree and makes its own training loop
(`peers.OwnLoop`) on the same graphs, in a process for each pass; passes alternate. The revision
before a change of `benchmarks/` may be as old as 2dec40a.

    python benchmarks/revisions.py 2dec40a HEAD --data-root ../shared/data
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

GRAPHS: dict[str, Callable[[Any, Path], Any]] = {
    "reddit": lambda graphs, root: graphs.reddit(root),
    "random-1m": lambda graphs, root: graphs.random_graph(20_000, 1_000_000),
    "tfinance": lambda graphs, root: graphs.tfinance(0.1),
}
TURN = 0.03
"""Seconds that a network's turn takes at least; its first epoch does not count."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processor-time", action="store_true", help="where others compute too")
    parser.add_argument("--only", metavar="GRAPH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        clock = time.process_time if arguments.processor_time else time.perf_counter
        time_epochs(arguments.only, arguments.data_root, arguments.rounds, clock)
        return
    with tempfile.TemporaryDirectory() as folder:
        trees = {name: Path(folder) / name for name in ("before", "after")}
        rows = []
        try:
            for name, tree in trees.items():
                revision = getattr(arguments, name)
                git("worktree", "add", "--detach", str(tree), revision)
            for graph in arguments.graphs:
                for _ in range(arguments.passes):
                    for name, tree in trees.items():
                        rows += [row | {"tree": name} for row in one_pass(tree, graph, arguments)]
        finally:
            for tree in trees.values():
                git("worktree", "remove", "--force", str(tree))
    keys = ["graph", "model", "act"]
    table = pd.DataFrame(rows).pivot_table(
        index=keys, columns="tree", values="ms", sort=False,
        aggfunc=lambda passes: ", ".join(f"{ms:.1f}" for ms in passes),
    )  # fmt: skip
    print(table[["before", "after"]].reset_index().to_markdown(index=False, disable_numparse=True))
    print(f"load average {', '.join(f'{value:.1f}' for value in os.getloadavg())}")


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def one_pass(tree: Path, graph: str, arguments: argparse.Namespace) -> list[dict]:
    """The epochs of a checkout on one graph, each in ms."""
    script = Path(__file__).resolve()
    command = [sys.executable, str(script), "", "", "--only", graph]
    command += [
        "--rounds",
        str(arguments.rounds),
        "--data-root",
        str(arguments.data_root.resolve()),
    ]
    command += ["--processor-time"] * arguments.processor_time
    paths = os.pathsep.join([str(tree / "benchmarks"), str(tree)])
    more = {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(
        command, cwd=tree, env=os.environ | more, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def time_epochs(key: str, root: Path, rounds: int, clock: Callable[[], float]) -> None:
    """Prints the median epoch of each network; modules are those of the checkout in the path."""
    import inspect

    import graphs
    import peers

    case = GRAPHS[key](graphs, root)
    takes_device = "device" in inspect.signature(peers.OwnLoop.__init__).parameters
    for model in peers.MODELS:
        more = ["cpu"] if takes_device else []
        loops = {act: peers.OwnLoop(model, act, case, *more) for act in ("relu", "aiec")}
        seconds: dict[str, list[float]] = {act: [] for act in loops}
        for round_ in range(rounds + 2):
            for act, loop in loops.items():
                calls: list[float] = []
                while sum(calls) < TURN or len(calls) < 2:
                    started = clock()
                    loop.epoch()
                    calls.append(clock() - started)
                if round_ >= 2:
                    seconds[act].append(statistics.median(calls[1:]))
        for act, values in seconds.items():
            row = {"graph": case.name, "model": model, "act": act}
            print(json.dumps(row | {"ms": 1e3 * statistics.median(values)}), flush=True)


if __name__ == "__main__":
    main()
