"""A benchmark that is stopped again and again ends with the rows of one that never was.

The suite makes two stops. `python -m tests.bench.test_kill_drill --kills 20 --terms 10` makes as
many as it is told, at other moments each time (`--seed`), and prints what it did.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil
import pytest

from aiec_graph.files import DRAFT

ROOT = Path(__file__).parents[2]
OPTIONS = (
    *("--dataset", "elliptic", "--simulate", "0.02", "--data-root", "data"),
    *("--model", "gcn", "--act", "relu", "aiec", "--seeds", "8", "--epochs", "10"),
    *("--jobs", "2", "--save-scores", "--checkpoint"),
)
TIMES = ["seconds_per_epoch", "peak_memory_mb"]
STOPS_A_RUN = 5
"""After so many stops a benchmark is let finish, and another begins."""


def start(folder: Path, out: str) -> subprocess.Popen[str]:
    """Starts the benchmark in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIEC_CACHE_DIR": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), *OPTIONS, "--out", out],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(folder: Path, out: str) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Runs the benchmark to its end.

    Returns:
        Its rows but for times, in the order of their runs, and the bytes of all scores and
        checkpoints.
    """
    process = start(folder, out)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert not list((folder / out).rglob(f"{DRAFT}*"))
    rows = pd.read_csv(folder / out / "runs.csv").drop(columns=TIMES)
    rows = rows.sort_values(["config_hash", "seed"], ignore_index=True)
    files = [*(folder / out / "scores").iterdir(), *(folder / out / "checkpoints").iterdir()]
    return rows, {file.name: file.read_bytes() for file in files}


def stop(folder: Path, out: str, number: signal.Signals, delay: float) -> int:
    """Starts the benchmark, and stops it after a delay.

    Returns:
        Its exit code: 0 where it ended before.
    """
    process = start(folder, out)
    parent, children, deadline = psutil.Process(process.pid), {}, time.monotonic() + delay
    while time.monotonic() < deadline and process.poll() is None:
        try:
            children |= {child.pid: child for child in parent.children(recursive=True)}
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    if process.poll() is None:
        children |= {child.pid: child for child in parent.children(recursive=True)}
    process.send_signal(number)
    _, error = process.communicate()
    assert "Traceback" not in error, error
    _, alive = psutil.wait_procs(list(children.values()), timeout=60)
    left = [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    for child in left:
        child.kill()
    assert not left, f"processes outlived {number.name}"
    if number == signal.SIGTERM:
        assert not list((folder / out).rglob(f"{DRAFT}*"))
    return process.returncode


def drill(folder: Path, numbers: Sequence[signal.Signals], seed: int) -> list[str]:
    """Stops benchmarks by signals at random moments, and compares what they end with.

    Returns:
        What happened, a line each.
    """
    began = time.monotonic()
    rows, files = finish(folder, "whole")
    longest = time.monotonic() - began
    chance, lines = random.Random(seed), [f"undisturbed: {len(rows)} rows in {longest:.1f} s"]
    for i, number in enumerate(numbers, 1):
        delay = chance.uniform(0, longest)
        out = f"stopped-{(i - 1) // STOPS_A_RUN}"
        code = stop(folder, out, number, delay)
        runs = folder / out / "runs.csv"
        count = max(runs.read_bytes().count(b"\n") - 1, 0) if runs.exists() else 0
        lines.append(f"{number.name} after {delay:.1f} s: exit {code}, {count} rows")
        if i % STOPS_A_RUN == 0 or i == len(numbers):
            again, same = finish(folder, out)
            pd.testing.assert_frame_equal(again, rows)
            assert same == files
            lines.append(f"continued: rows, scores and checkpoints equal those of {rows.shape}")
    return lines


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_benchmarks_end_with_the_same_rows(tmp_path):
    drill(tmp_path, [signal.SIGKILL, signal.SIGTERM], seed=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--terms", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stops = [signal.SIGKILL] * options.kills + [signal.SIGTERM] * options.terms
    random.Random(options.seed).shuffle(stops)
    with TemporaryDirectory() as place:
        sys.stdout.write("\n".join(drill(Path(place), stops, options.seed)) + "\n")
