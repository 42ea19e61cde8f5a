"""Seconds and memory from two tables of transactions and accounts to suspects and a report.

    python benchmarks/transactions.py --accounts 100000 --transactions 1000000

The data are simulated: 1 % of the accounts pass on what they get, in larger amounts and to more
partners than the others. Beside the stages it times the same statistics by pandas' groupby.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aiec_graph.cli.detection import write_list
from aiec_graph.data.user import load_own
from aiec_graph.data.user.aggregate import Groups
from aiec_graph.detect import FraudDetector

LAST_DAY = "2026-03-31"
"""Of the simulated days: all is known by then, so that the past is as large as the whole."""
KINDS = ["sum", "mean", "std", "min", "max"]


def simulate(accounts: int, transactions: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Writes transactions.parquet and accounts.parquet; returns senders and amounts."""
    rng = np.random.default_rng(0)
    fraud = rng.random(accounts) < 0.01
    ids = np.array([f"A{i:07d}" for i in range(accounts)])
    active = rng.pareto(1.5, accounts) + 0.2 + 4 * fraud
    source, target = (rng.choice(accounts, transactions, p=active / active.sum()) for _ in "ab")
    amount = np.round(rng.lognormal(4 + 0.7 * fraud[source], 1.0), 2)
    table = pd.DataFrame(
        {
            "source": ids[source],
            "target": ids[target],
            "amount": amount,
            "time": pd.Timestamp("2026-01-01")
            + pd.to_timedelta(rng.integers(0, 90 * 86_400, transactions), "s"),
        }
    )
    table.to_parquet(folder / "transactions.parquet")
    owners = {"id": ids, "age": rng.integers(18, 90, accounts), "label": fraud.astype(int)}
    pd.DataFrame(owners).to_parquet(folder / "accounts.parquet")
    return source, amount


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Runs one stage, and prints its seconds and the most memory so far."""
    begun, used = time.perf_counter(), time.process_time()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    print(f"{name:28} {seconds:8.1f} s  {cpu:8.1f} s of CPU  {peak:6.1f} GiB", flush=True)
    return result


def main() -> None:
    """Times the stages at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--model", default="xgb_graph")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, amount = timed(
            "simulate and write", lambda: simulate(given.accounts, given.transactions, folder)
        )
        groups = Groups(source.astype(np.int64), given.accounts)
        timed("aggregate", lambda: [groups.aggregate(amount, kind) for kind in KINDS])
        timed("aggregate, pandas' groupby", lambda: pd.Series(amount).groupby(source).agg(KINDS))
        graph = timed("read tables to a graph", lambda: load_own(folder))
        detector = timed(
            f"fit {given.model}", lambda: FraudDetector(given.model, n_jobs=2).fit(graph)
        )
        past = FraudDetector(given.model, n_jobs=2, as_of=LAST_DAY)
        timed("read, fit, leakage gap", lambda: past.fit(folder))
        model = timed("save and load", lambda: FraudDetector.load(detector.save(folder / "model")))
        frame = timed("score and rank", lambda: model.rank(graph))
        timed("write the list", lambda: write_list(frame, folder / "suspects.csv"))
        page = folder / "report.html"
        timed("report without baselines", lambda: model.report(graph, page, baselines=False))
        timed("report", lambda: model.report(graph, page))
        print(f"test AP {detector.metrics_['test'].ap}")


if __name__ == "__main__":
    main()
