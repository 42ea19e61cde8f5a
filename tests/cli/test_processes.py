"""Signals: a command that is stopped ends with its code and one line, and no process stays.

What SIGKILL leaves is tested with what it writes, in `tests/bench/test_kill_drill.py`.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def command(tmp_path):
    """A benchmark with two workers that would take hours."""
    (tmp_path / "g").mkdir()
    nodes = {"id": range(60), "x": np.arange(60) % 7, "label": np.arange(60) % 3 == 0}
    pd.DataFrame(nodes).to_csv(tmp_path / "g" / "nodes.csv", index=False)
    edges = {"source": range(60), "target": np.roll(range(60), 1)}
    pd.DataFrame(edges).to_csv(tmp_path / "g" / "edges.csv", index=False)
    options = ["--model", "gcn", "--act", "relu", "--seeds", "200", "--jobs", "2", "--out", "out"]
    long = ["--epochs", "100000", "--patience", "100000"]
    return [sys.executable, str(ROOT / "run_bench.py"), "--dataset", "g", *options, *long]


def start(command, folder):
    """Starts a command in a group of its own and waits until its workers work."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIEC_CACHE_DIR": str(folder / "cache")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A process in the background of a shell ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        children = parent.children(recursive=True)
        # PyTorch is loaded and a run has been at work.
        if sum(child.cpu_times().user > 2.5 for child in children) >= 2:
            return process, children
        time.sleep(0.1)
    raise AssertionError(process.stderr.read())


def living(processes):
    _, alive = psutil.wait_procs(processes, timeout=30)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGTERM, 143, "stopped; the same command continues"),
        (signal.SIGINT, 130, "interrupted; the same command continues"),
    ],
)
def test_a_signal_ends_all_processes(command, tmp_path, number, code, line):
    process, children = start(command, tmp_path)
    try:
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        _, error = process.communicate(timeout=120)
        assert process.returncode == code, error
        assert "Traceback" not in error
        assert error.strip().splitlines()[-1].startswith(line)
        assert living(children) == []
    finally:
        for child in living(children):
            child.kill()
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.name != ".lock"]
