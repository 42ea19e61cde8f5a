"""The command plan."""

import pytest

from aiec_graph.cli.main import main


def test_sizes_alone_and_a_published_set(capsys):
    arguments = ["plan", "--nodes", "100e6", "--edges", "10e9", "--features", "50"]
    assert main([*arguments, "--memory", "256", "--cores", "32"]) == 0
    shown = capsys.readouterr().out
    assert "100,000,000 nodes, 10,000,000,000 directed edges, 50 features" in shown
    assert "torchrun --nnodes 1 --nproc-per-node" in shown
    assert main(["plan", "tsocial"]) == 0
    assert "5,781,065 nodes, 146,211,016 directed edges" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the data, or give --nodes, --edges, --features as well"),
        (["--nodes", "5"], "give --edges, --features as well"),
        (["tsocial", "--nodes", "5"], "give tsocial, or the sizes of a graph, not both"),
        (["tsocal"], "Did you mean 'tsocial'"),
        (["tsocial", "--fanout", "3"], "a number for each of the 2 layers"),
        (["tsocial", "--fanout", "3", "0"], "at least 1, or -1"),
        (["tsocial", "--batch-size", "0"], "batch_size must be a number of at least 1"),
        (["tsocial", "--model", "sagee"], "Did you mean 'sage'"),
        (["tsocial", "--layers", "0"], "layers must be at least 1"),
        (["tsocial", "--memory", "-2"], "memory must be above 0"),
        (["--nodes", "0", "--edges", "1", "--features", "1"], "nodes must be at least 1"),
    ],
)
def test_slips_end_in_one_line(capsys, arguments, message):
    assert main(["plan", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
