"""A benchmark that is stopped again and again ends with the rows of one that never was.

The suite makes one stop. `python -m tests.bench.test_kill_drill --kills 20 --terms 10` makes as many
as it is told, at other moments each time (`--seed`), and prints what it did; with `--backtest`, of a
backtest.
"""

import argparse
import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
import psutil
import pytest

from aiec_graph.cli.main import main
from aiec_graph.files import DRAFT

ROOT = Path(__file__).parents[2]
OF_THE_PROCESS = r"seconds.*|peak_memory_mb|threads"
STOPS_A_RUN = 5
"""After so many stops a benchmark is let finish, and another begins."""


class Command(NamedTuple):
    """What is stopped, and the files beside its rows that must be the same in the end."""

    options: tuple[str, ...]
    files: tuple[str, ...]


BENCHMARK = Command(
    (
        *("--dataset", "elliptic", "--simulate", "0.02", "--data-root", "data", "--model", "gcn"),
        *("--act", "relu", "aiec", "--seeds", "4", "--epochs", "100", "--patience", "100"),
        *("--save-scores", "--checkpoint"),
    ),
    ("scores/*", "checkpoints/*"),
)
BACKTEST = Command(
    (
        *("backtest", "elliptic_graph", "--simulate", "0.02", "--features", "structural"),
        *("--model", "gcn", "hgb", "--cuts", "4", "--seeds", "2", "--epochs", "50"),
    ),
    ("ages/*", "cuts.csv", "pairs.csv", "ages.csv", "decay.csv", "drift.csv"),
)


def finish(
    folder: Path, out: str, command: Command = BENCHMARK
) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Runs the benchmark to its end, in this process.

    Returns:
        Its rows but for what the process decides, in the order of their runs, and the bytes of the
        files that the command names.
    """
    shown = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(shown):
        assert main([*command.options, "--jobs", "1", "--out", out]) == 0
    assert not list((folder / out).rglob(f"{DRAFT}*"))
    rows = pd.read_csv(folder / out / "runs.csv")
    rows = rows.loc[:, ~rows.columns.str.fullmatch(OF_THE_PROCESS)]
    rows = rows.sort_values(["config_hash", "seed"], ignore_index=True)
    files = [file for pattern in command.files for file in (folder / out).glob(pattern)]
    assert len(files) >= len(command.files)
    return rows, {file.name: file.read_bytes() for file in files}


def start(folder: Path, out: str, command: Command) -> subprocess.Popen[str]:
    """Starts the benchmark in a folder, with two workers."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), *command.options, "--jobs", "2", "--out", out],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(
    folder: Path, out: str, number: signal.Signals, rows: int, command: Command = BENCHMARK
) -> int:
    """Starts the benchmark, and stops it once it has written some rows more.

    Returns:
        Its exit code: 0 where it ended before.
    """
    before = count_rows(folder / out)
    process = start(folder, out, command)
    parent, children = psutil.Process(process.pid), {}
    while process.poll() is None and count_rows(folder / out) < before + rows:
        with contextlib.suppress(psutil.NoSuchProcess):
            children |= {child.pid: child for child in parent.children(recursive=True)}
        time.sleep(0.02)
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


def count_rows(folder: Path) -> int:
    """How many runs are written in a folder of results."""
    runs = folder / "runs.csv"
    return max(runs.read_bytes().count(b"\n") - 1, 0) if runs.exists() else 0


def drill(
    folder: Path, numbers: Sequence[signal.Signals], seed: int, command: Command
) -> list[str]:
    """Stops benchmarks or backtests by signals at random moments, and compares what they end with.

    Returns:
        What happened, a line each.
    """
    rows, files = finish(folder, "whole", command)
    chance, lines = random.Random(seed), [f"undisturbed: {len(rows)} rows"]
    for i, number in enumerate(numbers, 1):
        out = f"stopped-{(i - 1) // STOPS_A_RUN}"
        more = chance.randint(0, len(rows) // STOPS_A_RUN)
        code = stop(folder, out, number, more, command)
        lines.append(f"{number.name}: exit {code}, {count_rows(folder / out)} rows")
        if i % STOPS_A_RUN == 0 or i == len(numbers):
            again, same = finish(folder, out, command)
            pd.testing.assert_frame_equal(again, rows)
            assert same == files
            lines.append(f"continued: {rows.shape} rows and columns and {len(files)} files equal")
    return lines


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_benchmark_ends_with_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    rows, files = finish(tmp_path, "whole")
    assert stop(tmp_path, "killed", signal.SIGKILL, 2) == -signal.SIGKILL
    assert 2 <= count_rows(tmp_path / "killed") < len(rows)
    again, same = finish(tmp_path, "killed")
    pd.testing.assert_frame_equal(again, rows)
    assert same == files


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--terms", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backtest", action="store_true", help="stop backtests, not benchmarks")
    options = parser.parse_args()
    stops = [signal.SIGKILL] * options.kills + [signal.SIGTERM] * options.terms
    random.Random(options.seed).shuffle(stops)
    with TemporaryDirectory() as place:
        os.environ["AIEC_CACHE_DIR"] = f"{place}/cache"
        task = BACKTEST if options.backtest else BENCHMARK
        lines = drill(Path(place), stops, options.seed, task)
        sys.stdout.write("\n".join(lines) + "\n")
