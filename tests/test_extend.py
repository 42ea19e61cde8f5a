"""What docs/guides/extend.md says, done: a network, a loss and a command of somebody's own."""

import sys
import types
from pathlib import Path

import pandas as pd
import pytest
import torch

from aiec_graph.cli.main import main
from aiec_graph.cli.table import COMMANDS, Command
from aiec_graph.core import AIECPenalty
from aiec_graph.nn.gcn_conv import GCNConv
from aiec_graph.nn.networks import GNN


class MyNetwork(GNN):
    conv = GCNConv


def test_a_network_and_a_loss_of_your_own():
    torch.manual_seed(0)
    x, edge_index = torch.randn(20, 4), torch.randint(0, 20, (2, 60))
    y, train_mask = torch.randint(0, 2, (20,)), torch.rand(20) < 0.7
    model = MyNetwork(4, 8, 2, act="aiec")
    penalty = AIECPenalty(model, lambda_gate=0.1)
    penalty.start_epoch()
    error = (model(x, edge_index)[train_mask].softmax(1)[:, 1] - y[train_mask]).square().mean()
    (error + penalty(y[train_mask], train_mask).total).backward()
    assert all(p.grad is not None for p in model.parameters())


def count(data: str, /, out: Path = Path("count.txt")) -> int:
    """Counts the nodes of a graph.

    Args:
        data: A folder or file.
        out: Where to write the number.
    """
    from aiec_graph.data import load_dataset

    out.write_text(str(len(load_dataset(data).y)))
    return 0


@pytest.fixture
def with_command(monkeypatch):
    module = types.ModuleType("aiec_graph.cli.count")
    module.count = count
    monkeypatch.setitem(sys.modules, "aiec_graph.cli.count", module)
    monkeypatch.setitem(COMMANDS, "count", Command("data", "count the nodes", "count:count"))


def test_a_command_of_your_own(with_command, tmp_path, capsys):
    nodes = pd.DataFrame({"id": ["a", "b", "c"], "age": [1, 2, 3], "label": [0, 1, 0]})
    nodes.to_csv(tmp_path / "nodes.csv", index=False)
    edges = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"]})
    edges.to_csv(tmp_path / "edges.csv", index=False)
    assert main(["count", str(tmp_path), "--out", str(tmp_path / "n.txt")]) == 0
    assert (tmp_path / "n.txt").read_text() == "3"
    with pytest.raises(SystemExit, match="0"):
        main(["count", "--help"])
    assert "Where to write the number." in capsys.readouterr().out
    assert main(["count", str(tmp_path), "--uot", "x"]) == 2
    assert "'--out'" in capsys.readouterr().err
