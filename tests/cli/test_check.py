"""The command `check`."""

import json
import subprocess
import sys

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from aiec_graph.cli.main import main

ROLES = {"id", "label", "split", "time_step", "weight", "source", "target", "amount", "time"}
KINDS = {"number", "category", "date", "text", "boolean"}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    count = 60
    pd.DataFrame(
        {
            "id": [f"n{i}" for i in range(count)],
            "size": rng.normal(size=count),
            "city": rng.choice(["Oslo", "Rome"], count),
            "label": np.arange(count) % 6 == 0,
        }
    ).to_csv(tmp_path / "nodes.csv", index=False)
    ends = rng.integers(0, count, (200, 2))
    frame = pd.DataFrame(ends, columns=["source", "target"]).map(lambda i: f"n{i}")
    frame.to_csv(tmp_path / "edges.csv", index=False)
    return tmp_path


def run(capsys, *arguments):
    code = main(["check", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def roles_of(found):
    return {column["name"]: (column["role"], column["kind"]) for column in found["columns"]}


def test_each_column_has_a_role_and_a_kind(folder, capsys):
    code, found = run(capsys, folder)
    assert code == 0
    assert roles_of(found) == {
        "id": ("id", "text"),
        "size": ("feature", "number"),
        "city": ("feature", "category"),
        "label": ("label", "category"),
        "source": ("source", "text"),
        "target": ("target", "text"),
    }
    assert (found["nodes"], found["edges"]) == (60, 200)
    assert (found["labelled"], found["anomalous"]) == (60, 10)
    assert found["faults"] == []


def test_all_faults_are_told_at_once(folder, capsys):
    nodes = pd.read_csv(folder / "nodes.csv")
    nodes["is_train"], nodes["joined"] = np.arange(60) % 2 == 0, "2026-01-05"
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges = pd.read_csv(folder / "edges.csv").rename(columns={"source": "from"})
    edges.to_csv(folder / "edges.csv", index=False)
    code, found = run(capsys, folder)
    assert code == 2
    assert len(found["faults"]) == 3
    told = " ".join(found["faults"])
    assert all(name in told for name in ("is_train", "joined", "'from'"))
    assert found["nodes"] is None
    assert "drop: [is_train]" in found["lines"]
    assert main(["check", str(folder)]) == 2
    assert capsys.readouterr().out.count("fault: ") == 3


def test_a_load_refuses_what_check_tells(folder, capsys):
    from aiec_graph.data import load_dataset
    from aiec_graph.errors import InputError

    (folder / "graph.yaml").write_text("label: nosuch\nsource: nowhere\n")
    code, found = run(capsys, folder)
    assert code == 2
    with pytest.raises(InputError) as error:
        load_dataset(str(folder))
    assert error.value.faults == tuple(found["faults"])


@pytest.mark.parametrize("data", ["no/such/folder", "nosuchset"])
def test_what_is_not_there_is_a_fault(data, capsys):
    code, found = run(capsys, data)
    assert (code, found["columns"], len(found["faults"])) == (2, [], 1)


def test_graph_files_and_data_sets_have_the_same_form(tmp_path, capsys, monkeypatch):
    import torch
    from torch_geometric.data import Data

    graph = nx.DiGraph()
    graph.add_nodes_from((f"n{i}", {"size": float(i % 7), "label": i % 2}) for i in range(30))
    graph.add_edges_from((f"n{i}", f"n{(i + 1) % 30}") for i in range(30))
    nx.write_graphml(graph, tmp_path / "net.graphml")
    code, found = run(capsys, tmp_path / "net.graphml")
    assert (code, found["nodes"], found["edges"], found["anomalous"]) == (0, 30, 30, 15)
    assert roles_of(found)["size"] == ("feature", "number")
    ends = torch.tensor([[0, 1, 2], [1, 2, 0]])
    x = torch.tensor([[0.0, 1], [1, 1], [3, 1]])
    torch.save(Data(x=x, edge_index=ends, y=torch.tensor([0, 1, 0])), tmp_path / "net.pt")
    code, found = run(capsys, tmp_path / "net.pt")
    assert (code, found["nodes"], found["edges"], found["labelled"]) == (0, 3, 3, 3)
    assert {c["role"] for c in found["columns"]} <= {*ROLES, "feature"}
    assert {c["kind"] for c in found["columns"]} <= KINDS
    assert any("same value throughout: x[1]" in line for line in found["warnings"])


@pytest.mark.parametrize("kind", ["folder", "transactions", "graphml"])
def test_tables_are_checked_without_torch(folder, tmp_path, kind):
    place = folder
    if kind == "transactions":
        place = folder / "edges.csv"
        (folder / "nodes.csv").unlink()
    elif kind == "graphml":
        place = tmp_path / "net.graphml"
        graph = nx.path_graph(30)
        nx.set_node_attributes(graph, {i: i % 2 for i in graph}, "label")
        nx.set_node_attributes(graph, {i: i / 7 for i in graph}, "size")
        nx.write_graphml(graph, place)
    code = (
        "import sys; from aiec_graph.cli.main import main\n"
        f"code = main(['check', {str(place)!r}])\n"
        "loaded = {'torch', 'sklearn', 'numba'} & set(sys.modules)\n"
        "sys.exit(code or (f'imported {loaded}' if loaded else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
