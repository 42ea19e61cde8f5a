"""The grid of Table 5 over Ray on two nodes of one machine, beside the same runs one after another.

Prints the wall times, how many runs each node made, and whether the rows are equal.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from ray.cluster_utils import Cluster

from aiec_graph.bench.ray_executor import SETTINGS

ROOT = Path(__file__).parents[1]
TIMES = ["seconds_per_epoch", "peak_memory_mb", "threads"]


def run(options: list[str], out: Path) -> tuple[pd.DataFrame, float]:
    """Runs the benchmark; returns its rows but for times, and the seconds that it took."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "run_bench.py"), *options, "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    rows = pd.read_csv(out / "runs.csv").drop(columns=TIMES)
    return rows.sort_values(["config_hash", "seed"], ignore_index=True), seconds


def main() -> None:
    """Runs both ways and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--dataset", nargs="+", default=["reddit", "weibo21"])
    parser.add_argument("--seeds", default="2")
    parser.add_argument("--epochs", default="40")
    given = parser.parse_args()
    options = ["--dataset", *given.dataset, "--model", "gcn", "sage", "--act", "relu", "gelu"]
    options += ["aiec", "--seeds", given.seeds, "--epochs", given.epochs]
    options += ["--patience", given.epochs, "--data-root", str(given.data_root)]
    with TemporaryDirectory() as folder:
        alone, sequential = run([*options, "--jobs", "1"], Path(folder) / "alone")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            cluster.add_node(num_cpus=1)
            shared = [*options, "--ray-address", cluster.address]
            beside, over_ray = run(shared, Path(folder) / "ray")
            nodes = pd.read_csv(Path(folder) / "ray" / "journal.csv")["node"].value_counts()
        finally:
            cluster.shutdown()
    print(f"{len(alone)} runs; one after another {sequential:.1f} s, over Ray {over_ray:.1f} s: ")
    print(f"ratio {over_ray / sequential:.2f}; runs by node {nodes.to_dict()}")
    print(f"rows equal: {alone.equals(beside)}")


if __name__ == "__main__":
    os.environ |= SETTINGS
    main()
