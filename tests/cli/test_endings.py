"""What cannot be foreseen, memory, disk and depth, ends in one line too."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aiec_graph.cli.endings import ended
from aiec_graph.cli.main import main
from aiec_graph.errors import InputError
from tests.detect.conftest import make_frames

ROOT = Path(__file__).parents[2]


def deep(n):
    return deep(n + 1)


def too_much():
    torch.empty(2**60)


def too_much_of_numpy():
    import numpy as np

    np.empty(2**58)


def raises(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        (raises(InputError("the words")), 2, "aiec: error: the words"),
        (raises(InputError("two\nlines")), 2, "aiec: error: two lines"),
        (raises(InputError("x" * 9_000)), 2, "aiec: error: xxx"),
        (raises(MemoryError()), 2, "aiec: error: out of memory"),
        (too_much, 2, "aiec: error: out of memory"),
        (too_much_of_numpy, 2, "aiec: error: out of memory"),
        (raises(torch.OutOfMemoryError("CUDA out of memory")), 2, "aiec: error: out of memory"),
        (lambda: deep(0), 2, "aiec: error: nested too deeply"),
        (raises(OSError(errno.ENOSPC, "No space left on device")), 2, "aiec: error: the disk is"),
        (raises(OSError(errno.EDQUOT, "Disk quota exceeded")), 2, "aiec: error: the disk is full"),
        (raises(RuntimeError("basic_ios::clear: unexpected pos 64 vs 0")), 2, "aiec: error: the"),
        (raises(PermissionError(13, "Permission denied", "a.csv")), 2, "aiec: error: a.csv: Perm"),
        (raises(RuntimeError("Symlink loop from '/a/b'")), 2, "aiec: error: symbolic links that"),
        (raises(KeyboardInterrupt()), 130, "interrupted"),
        (raises(KeyError("k")), 1, "aiec: error: a fault of this program"),
        (raises(ValueError("")), 1, "aiec: error: a fault of this program"),
    ],
)
def test_each_ending(command, code, line, capsys):
    assert ended(command) == code
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == 1
    assert len(error) < 2_200


def test_a_fault_of_ours_shows_where_on_request(monkeypatch, capsys):
    monkeypatch.setenv("AIEC_TRACEBACK", "1")
    assert ended(raises(KeyError("k"))) == 1
    assert "Traceback" in capsys.readouterr().err


INTERRUPTED_IMPORT = """
import os, runpy, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
# A shell starts what runs in the background without this signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path(sys.argv[2], run_name="__main__")
"""


@pytest.mark.parametrize("module", ["aiec_graph.cli.main", "jsonargparse"])
def test_ctrl_c_while_python_imports(module, tmp_path):
    program = [sys.executable, "-c", INTERRUPTED_IMPORT, module, str(ROOT / "run_bench.py")]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "interrupted; the same command continues\n")


def test_a_reader_that_goes_away(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), "data", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    process.stdout.close()
    with process:
        error = process.stderr.read().decode()
    assert process.returncode == 2
    assert error == "aiec: error: the output was closed before its end\n"


@pytest.mark.parametrize(
    ("command", "written"),
    [
        (["--model", "gcn", "--act", "relu", "--seeds", "1", "--epochs", "1", "--checkpoint"], "o"),
        (["fit", "--model", "logistic"], "o"),
    ],
)
def test_a_full_disk(command, written, tmp_path, monkeypatch, capsys):
    """Every file that is written may be the one for which there is no room."""
    (tmp_path / "g").mkdir()
    nodes, edges = make_frames(120, 0)
    nodes.to_csv(tmp_path / "g" / "nodes.csv", index=False)
    edges.to_csv(tmp_path / "g" / "edges.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    command = [*command, "g"] if command[0] == "fit" else [*command, "--dataset", "g"]
    assert main([*command, "--out", "first"]) == 0  # the cache is there now
    replace, room = Path.replace, 0

    def limited(self, target):
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    rename = Path.rename
    monkeypatch.setattr(Path, "replace", limited)
    monkeypatch.setattr(
        Path, "rename", lambda self, target: limited(self, target) and rename and Path(target)
    )
    for files in range(20):
        room = files
        code = main([*command, "--out", f"o{files}"])
        error = capsys.readouterr().err
        assert "Traceback" not in error
        assert not list(tmp_path.rglob(".aiec-draft-*"))
        if code == 0:
            break
        assert code == 2
        assert "No space left on device" in error.strip().splitlines()[-1]
    assert 0 < files < 19
