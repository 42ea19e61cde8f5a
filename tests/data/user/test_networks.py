"""Graphs from NetworkX, SciPy and PyG, and GraphML, GEXF, PyG and DGL files."""

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import sparse

from aiec_graph.data import load_dataset
from aiec_graph.data.user import Declaration, from_networkx, from_pyg, from_scipy, load_own
from aiec_graph.errors import InputError
from aiec_graph.graph.formats.dgl_binary import write_graph


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


def network(directed=True):
    graph = nx.DiGraph() if directed else nx.Graph()
    for i, name in enumerate(["007", "ä & b", "c"]):
        graph.add_node(name, amount=i + 0.5, city=["Rome", "Oslo", "Rome"][i], fraud=i % 2)
    graph.add_edge("007", "ä & b", weight=2.0)
    graph.add_edge("c", "c", weight=1.0)
    return graph


def dense(graph):
    return graph.edges.to_scipy().toarray()


@pytest.mark.parametrize("directed", [True, False])
def test_networkx(directed):
    made = network(directed)
    with pytest.raises(InputError, match="column fraud: is it the label"):
        from_networkx(made)
    graph = from_networkx(made, Declaration(features=["amount", "city", "fraud"]))
    assert list(graph.node_ids) == ["007", "ä & b", "c"]
    expected = np.array([[0, 0 if directed else 2, 0], [2, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(dense(graph), expected)
    assert graph.columns is not None
    assert [c.name for c in graph.columns] == ["amount", "city", "fraud"]


@pytest.mark.parametrize("suffix", ["graphml", "gexf"])
@pytest.mark.parametrize("directed", [True, False])
def test_xml_files_come_back_as_they_went(tmp_path, suffix, directed):
    made = network(directed)
    for _, data in made.nodes(data=True):
        data["label" if suffix == "graphml" else "kind"] = data.pop("fraud")
    path = tmp_path / f"net.{suffix}"
    (nx.write_graphml if suffix == "graphml" else nx.write_gexf)(made, path)
    expected, graph = from_networkx(made, name="net"), load_dataset(str(path))
    np.testing.assert_array_equal(dense(graph), dense(expected))
    assert list(graph.node_ids) == list(expected.node_ids)
    assert graph.columns == expected.columns
    np.testing.assert_array_equal(graph.x.numpy(), expected.x.numpy())
    if suffix == "graphml":
        assert graph.y.tolist() == [0, 1, 0]


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BILLION_LAUGHS, "declares entities"),
        (BILLION_LAUGHS.encode("utf-16"), "entities|not a readable"),
        ("<graphml>", "not a readable graphml"),
        ("", "not a readable graphml"),
        ("id,a\n1,2", "not a readable graphml"),
        ('<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"/>'
         "</graphml>", "no nodes"),
    ],
)  # fmt: skip
def test_damaged_xml(tmp_path, content, message):
    path = tmp_path / "net.graphml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        load_dataset(str(path))
    assert "net.graphml" in str(error.value)


def test_scipy():
    matrix = sparse.csr_array(np.array([[0, 2.0, 0], [0, 0, 0], [1, 0, 3]]))
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    before = matrix.copy(), x.copy()
    graph = from_scipy(matrix, x, np.array([0, 1, -1]), np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(dense(graph), matrix.toarray().T)
    graph.x[0] = 9
    np.testing.assert_array_equal(x, before[1])
    assert (matrix != before[0]).nnz == 0
    assert (from_scipy(matrix, x).y == -1).all()
    with pytest.raises(InputError, match=r"\(3, 3\) for 2 rows"):
        from_scipy(matrix, x[:2])
    with pytest.raises(InputError, match="from 0 up"):
        from_scipy(-matrix, x)
    with pytest.raises(InputError, match="not a finite number"):
        from_scipy(matrix, np.full((3, 2), np.nan))
    with pytest.raises(InputError, match="node 2 has the label 5"):
        from_scipy(matrix, x, np.array([0, 1, 5]))
    with pytest.raises(InputError, match=r"node 1 has the label 0\.7"):
        from_scipy(matrix, x, np.array([0, 0.7, 1]))
    assert from_scipy(matrix, x, np.array([True, False, True])).y.tolist() == [1, 0, 1]
    assert from_scipy(matrix, x, np.array([1, 0, np.nan])).y.tolist() == [1, 0, -1]
    assert from_scipy(matrix, x.astype(int)).x.tolist() == x.tolist()


def pyg_data():
    from torch_geometric.data import Data

    return Data(
        x=torch.randn(4, 3),
        edge_index=torch.tensor([[0, 1, 3], [1, 2, 3]]),
        y=torch.tensor([0, 1, 0, 1]),
        edge_weight=torch.tensor([1.0, 2.0, 0.5]),
    )


def test_pyg_in_memory_and_as_a_file(tmp_path):
    data = pyg_data()
    graph = from_pyg(data)
    np.testing.assert_array_equal(graph.x.numpy(), data.x.numpy())
    kept = data.x.clone()
    graph.x.zero_()
    assert torch.equal(data.x, kept)
    assert dense(graph)[2, 1] == 2
    torch.save(data, tmp_path / "mine.pt")
    read = load_dataset(str(tmp_path / "mine.pt"))
    assert torch.equal(read.x, data.x)
    np.testing.assert_array_equal(dense(read), dense(graph))
    with pytest.raises(InputError, match="no edge_index in it"):
        from_pyg(type(data)(x=data.x, y=data.y))


def test_a_dgl_file(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    source, target = np.array([0, 1, 3]), np.array([1, 2, 3])
    path = tmp_path / "mine.bin"
    write_graph(path, source, target, {"feature": x, "label": np.array([0, 1, 0, 1])})
    graph = load_dataset(str(path))
    np.testing.assert_array_equal(graph.x.numpy(), x)
    assert graph.edge_index.tolist() == [[0, 1, 3], [1, 2, 3]]
    assert graph.y.tolist() == [0, 1, 0, 1]


def test_ids_and_gaps_of_networkx_stay_what_they_are():
    graph = nx.Graph()
    for node in (4, 2, 6):
        graph.add_node(node, x=float(node), label=int(node == 6))
    del graph.nodes[2]["x"]
    graph.add_edge(4, 6, amount=2.0)
    graph.add_edge(2, 6, amount=3.0)
    made = from_networkx(graph)
    assert made.node_ids.tolist() == [4, 2, 6]
    np.testing.assert_array_equal(made.x.numpy().ravel(), [4, np.nan, 6])
    assert made.y.tolist() == [0, 0, 1]
    assert sorted(made.edge_index.T.tolist()) == [[0, 2], [1, 2], [2, 0], [2, 1]]
    assert "edges: not used: amount; weight: names the attribute that weighs them" in made.notes
    weighed = from_networkx(graph, Declaration(weight="amount"))
    assert sorted(weighed.edges.weight.tolist()) == [2, 2, 3, 3]


def test_an_npz_file_and_a_stranger(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 2)).astype(np.float32)
    edges = np.array([[0, 1], [1, 2]])
    np.savez(
        tmp_path / "mine.npz", node_features=x, node_labels=np.array([0, 1, 0, 1]), edges=edges
    )
    assert np.array_equal(load_dataset(str(tmp_path / "mine.npz")).x.numpy(), x)
    np.savez(
        tmp_path / "more.npz",
        node_features=x,
        node_labels=np.array([0, 1, 0, 1]),
        edges=edges,
        edge_weights=np.ones(2),
    )
    notes = load_own(tmp_path / "more.npz").notes
    assert "not used: edge_weights; the edges have no weights" in notes
    (tmp_path / "mine.docx").write_text("no graph")
    with pytest.raises(InputError, match=r"mine\.docx"):
        load_dataset(str(tmp_path / "mine.docx"))
