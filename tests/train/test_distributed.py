"""Two processes by torchrun's variables against one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from aiec_graph.errors import InputError
from aiec_graph.train.distributed import process_group

ROOT = Path(__file__).parents[2]


def launch(arguments, processes, folder):
    """Starts run_bench.py as torchrun does; returns their exit codes and outputs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    started = []
    for rank in range(processes):
        world = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment |= world if processes > 1 else {}
        command = [sys.executable, "run_bench.py", *map(str, arguments), "--out", str(folder)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, cwd=ROOT, text=True, **pipes))
    outputs = [process.communicate(timeout=120) for process in started]
    return [process.returncode for process in started], outputs


def test_processes_that_torchrun_did_not_start(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    message = r"WORLD_SIZE asks for 2 .*start them by torchrun"
    with pytest.raises(InputError, match=message), process_group():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="gloo over local sockets")
def test_two_processes_make_the_rows_of_one_once(tmp_path, data_root):
    """Sampled neighbours too: a node draws the same in whichever process."""
    data = ["--dataset", "elliptic", "--simulate", "0.02", "--data-root", data_root]
    options = ["--model", "sage", "--act", "aiec", "--seeds", 2, "--epochs", 3, "--hidden", 8]
    batches = ["--batch-size", 50, "--fanout", 3, 3, "--features", "standard"]
    arguments = [*data, *options, *batches, "--save-scores"]
    found = {}
    for processes in (1, 2):
        folder = tmp_path / f"by-{processes}"
        codes, outputs = launch(arguments, processes, folder)
        assert codes == [0] * processes, outputs
        if processes == 2:
            assert outputs[1] == ("", ""), "the second process is silent"
        rows = pd.read_csv(folder / "runs.csv")
        scores = [pd.read_csv(path)["score"] for path in sorted((folder / "scores").glob("*"))]
        assert not [*(folder / "state").glob("*.pt")]
        found[processes] = rows, scores
    rows, scores = found[1]
    other_rows, other_scores = found[2]
    assert len(rows) == 2 and rows["seed"].tolist() == other_rows["seed"].tolist()
    assert rows["config_hash"].tolist() == other_rows["config_hash"].tolist()
    for one, other in zip(scores, other_scores, strict=True):
        assert abs(one - other).max() < 1e-5
    for metric in ("val_ap", "test_ap", "test_auc"):
        assert abs(rows[metric] - other_rows[metric]).max() < 0.05
