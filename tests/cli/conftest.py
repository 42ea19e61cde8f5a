"""A small benchmark, and what it says when it fails."""

import pytest

from aiec_graph.cli.main import main

TINY = ["--hidden", "4", "--epochs", "4"]


@pytest.fixture
def command(data_root, tmp_path):
    def make(*extra, out="run"):
        base = ["--dataset", "elliptic", "--simulate", "0.02", "--data-root", str(data_root)]
        return [*base, "--out", str(tmp_path / out), *TINY, *extra]

    return make


def fails(arguments, capsys):
    """Runs a command that must fail, and returns its one line."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert lines[-1].startswith("aiec: error: ")
    assert "Traceback" not in captured.err
    return lines[-1]
