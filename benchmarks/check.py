"""Seconds that `run_bench.py check` takes on a table of transactions, or on nodes and edges.

    python benchmarks/check.py --rows 200000

The data are simulated: ten columns of text, numbers, dates with offsets and categories. The
processor time is that of the whole command, in a process of its own, imports included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent


def write_transactions(folder: Path, rows: int) -> None:
    """Writes transactions.csv with ten columns, and accounts.csv with a tenth of the rows."""
    rng = np.random.default_rng(0)
    ids = np.array([f"AC-{i:06d}" for i in range(rows // 10)])
    fraud = rng.random(len(ids)) < 0.02
    source, target = rng.integers(0, len(ids), (2, rows))
    when = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90 * 86_400, rows), "s")
    offset = rng.choice(["+00:00", "+01:00", "+02:00"], rows)
    pd.DataFrame(
        {
            "id": [f"tx{i:08d}" for i in range(rows)],
            "source": ids[source],
            "target": ids[target],
            "amount": np.round(rng.lognormal(4 + fraud[source], 1), 2),
            "time": when.strftime("%Y-%m-%dT%H:%M:%S") + offset,
            "currency": rng.choice(["EUR", "NOK", "PLN"], rows, p=[0.9, 0.05, 0.05]),
            "channel": rng.choice(["card", "wire", "app"], rows),
            "device": [f"d{i}" for i in rng.integers(0, rows // 5, rows)],
            "fee": np.round(rng.gamma(2, 1, rows), 2),
            "city": rng.choice([f"city {i}" for i in range(300)], rows),
        }
    ).to_csv(folder / "transactions.csv", index=False)
    label = np.where(rng.random(len(ids)) < 0.4, fraud.astype(int).astype(str), "")
    pd.DataFrame({"id": ids, "age": rng.integers(18, 90, len(ids)), "label": label}).to_csv(
        folder / "accounts.csv", index=False
    )


def write_nodes(folder: Path, rows: int) -> None:
    """Writes nodes.csv with ten columns, and edges.csv with three times as many rows."""
    rng = np.random.default_rng(0)
    ids = np.array([f"AC-{i:06d}" for i in range(rows)])
    fraud = rng.random(rows) < 0.02
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, rows), "D")
    pd.DataFrame(
        {
            "id": ids,
            "age": rng.integers(18, 90, rows),
            "balance": np.round(rng.lognormal(8 + fraud, 1), 2),
            "opened": days.strftime("%Y-%m-%d"),
            "country": rng.choice(["IT", "NO", "PT"], rows),
            "city": rng.choice([f"city {i}" for i in range(300)], rows),
            "is_company": rng.choice(["true", "false"], rows),
            "limit": [f"{v:.2f} EUR" for v in rng.gamma(2, 500, rows)],
            "score": rng.normal(size=rows),
            "label": np.where(rng.random(rows) < 0.4, fraud.astype(int).astype(str), ""),
        }
    ).to_csv(folder / "nodes.csv", index=False)
    source, target = rng.integers(0, rows, (2, 3 * rows))
    pd.DataFrame({"source": ids[source], "target": ids[target]}).to_csv(
        folder / "edges.csv", index=False
    )
    (folder / "graph.yaml").write_text("as_of: 2026-01-31\n")


def run_check(folder: Path) -> None:
    """Runs the command on a folder, and prints its seconds."""
    begun, before = time.perf_counter(), os.times()
    command = [sys.executable, str(ROOT / "run_bench.py"), "check", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    used = after.children_user - before.children_user
    system = after.children_system - before.children_system
    print(
        f"{folder.name:14} {time.perf_counter() - begun:6.2f} s  {used:6.2f} s of processor time "
        f"({system:.2f} s more of the system's)  {found.stdout.splitlines()[-1]}",
        flush=True,
    )


def main() -> None:
    """Times both kinds of data at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--keep", type=Path, help="folder that keeps the data")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for kind, write in (("transactions", write_transactions), ("nodes", write_nodes)):
            folder = (given.keep or Path(name)) / kind
            folder.mkdir(parents=True, exist_ok=True)
            write(folder, given.rows)
            for _ in range(2):
                run_check(folder)


if __name__ == "__main__":
    main()
