"""Loading a data set at true scale: first load, second load, memory; Elliptic against pandas.

Everything runs on simulated files in the real form and size. Each measurement is a fresh process;
rounds alternate between the contestants.

    python benchmarks/loading.py --dataset elliptic
    python benchmarks/loading.py --dataset tfinance --rounds 1
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from aiec_graph.bench import memory
from aiec_graph.data import default_data_root, find_source, read_card
from aiec_graph.data.simulate import simulate_dataset
from aiec_graph.graph.storage import cache


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", default="elliptic")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--only", choices=["pandas", "first", "second"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    root = arguments.data_root or default_data_root()
    if arguments.only:
        measure = pandas_load if arguments.only == "pandas" else own_load
        print(json.dumps(measure(arguments.dataset, root, arguments.scale)))
        return
    started = time.perf_counter()
    folder = simulate_dataset(
        read_card(arguments.dataset), root / arguments.dataset, arguments.scale
    )
    size = sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) / 1e6
    print(f"{arguments.dataset} (simulated, scale {arguments.scale:g}): {size:,.0f} MB of files,")
    print(f"written in, or found after, {time.perf_counter() - started:.1f} s")
    found: dict[str, list[dict[str, float]]] = {}
    contestants = ["first", "second"]
    if arguments.dataset == "elliptic":
        contestants.insert(0, "pandas")
    for _ in range(arguments.rounds):
        for name in contestants:
            if name == "first":
                for path in cache.cache_folder(folder).rglob("*"):
                    if path.is_file():
                        path.unlink()
            command = [sys.executable, __file__, "--only", name, "--dataset", arguments.dataset]
            command += ["--scale", str(arguments.scale), "--data-root", str(root)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{'':22} {'seconds':>8} {'lowest':>8} {'+ resident MB':>14} {'+ peak MB':>10}")
    titles = {"pandas": "pandas.read_csv", "first": "first load", "second": "second load"}
    for name, rows in found.items():
        median = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        lowest = min(row["seconds"] for row in rows)
        numbers = f"{median['seconds']:8.2f} {lowest:8.2f} {median['resident']:14.0f}"
        print(f"{titles[name]:22} {numbers} {median['peak']:10.0f}")
    if "pandas" in found:
        medians = [statistics.median(r["seconds"] for r in found[n]) for n in ("pandas", "first")]
        print(f"first load against pandas: {medians[0] / medians[1]:.1f} times as fast")
    values = found["second"][0]["matrix"]
    print(f"the float32 matrix itself: {values:.0f} MB")


def own_load(name: str, root: Path, scale: float) -> dict[str, float]:
    """Loads through the cache: all files, checksums, checks, and the cache written."""
    before = memory.resident_mb()
    memory.reset_peak()
    started = time.perf_counter()
    graph = find_source(name, root, scale).load().graph
    seconds = time.perf_counter() - started
    return _row(seconds, before, graph.x.numel() * 4 / 1e6)


def pandas_load(name: str, root: Path, scale: float) -> dict[str, float]:
    """`pandas.read_csv` of the features file alone, and the conversion to a float32 matrix."""
    import numpy as np
    import pandas as pd

    folder = simulate_dataset(read_card(name), root / name, scale)
    before = memory.resident_mb()
    memory.reset_peak()
    started = time.perf_counter()
    frame = pd.read_csv(folder / "elliptic_txs_features.csv", header=None)
    x = np.ascontiguousarray(frame.iloc[:, 1:].to_numpy(np.float32))
    return _row(time.perf_counter() - started, before, x.nbytes / 1e6)


def _row(seconds: float, before: float, matrix: float) -> dict[str, float]:
    return {
        "seconds": seconds,
        "resident": memory.resident_mb() - before,
        "peak": memory.peak_mb() - before,
        "matrix": matrix,
    }


if __name__ == "__main__":
    main()
