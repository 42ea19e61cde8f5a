"""Compares two activations on one split and seed each, from Python, and reads the rows.

    python examples/benchmark.py [FOLDER]

The data are simulated in reddit's raw form, so the numbers say nothing about reddit.
"""

import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from aiec_graph.bench.benchmark import run
from aiec_graph.bench.config import BenchConfig
from aiec_graph.train import TrainSettings


def main(folder: Path) -> None:
    """Runs the benchmark into a folder and prints its table."""
    config = BenchConfig(
        dataset=["reddit"],
        simulate=0.1,
        model=["gcn"],
        act=["relu", "aiec"],
        seeds=2,
        train=TrainSettings(epochs=30),
        data_root=folder / "data",
        out=folder / "results",
    )
    run(config, Console(stderr=True))
    rows = pd.read_csv(folder / "results" / "runs.csv")
    columns = ["model", "act", "seed", "test_auc", "test_ap", "best_epoch"]
    print(rows[columns].to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "benchmark-example"))
