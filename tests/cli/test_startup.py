"""Help, and a run, import nothing that takes seconds and that they don't need."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = ("torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "networkx", "numba", "dgl")

HELP_OF_ALL = f"""
import contextlib, io, sys
from aiec_graph.cli.main import main
from aiec_graph.cli.table import COMMANDS
for command in ["", *COMMANDS, "data"]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        assert main([*command.split(), "--help"]) == 0
    assert len(shown.getvalue()) > 200, command
    found = [name for name in {SLOW!r} if name in sys.modules]
    assert not found, (command, found)
"""
NAMES_ALONE = """
import sys
import aiec_graph, aiec_graph.data, aiec_graph.data.user.tables
found = [name for name in ("torch", "sklearn", "scipy", "matplotlib", "networkx") if name in sys.modules]
assert not found, found
"""
COMPILER = """
import sys
from aiec_graph.cli.main import main
import aiec_graph.artifacts.predict
run = "bench --dataset elliptic --simulate 0.02 --model gcn --act aiec --seeds 1 --epochs 2 --out"
assert main([*run.split(), sys.argv[1]]) == 0
found = [name for name in ("torch._dynamo", "numba") if name in sys.modules]
assert not found, found
"""


@pytest.mark.parametrize(
    "script", [HELP_OF_ALL, NAMES_ALONE, COMPILER], ids=["help", "tables", "networks"]
)
def test_nothing_slow_is_imported(script, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
