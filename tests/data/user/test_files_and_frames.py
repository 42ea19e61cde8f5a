"""Files and frames of a user's own as they come: misnamed, in another encoding, of another kind."""

import re
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch_geometric.data import Data

from aiec_graph.data.user import (
    Declaration,
    from_dgl,
    from_frames,
    from_networkx,
    from_pyg,
    from_scipy,
    load_own,
)
from aiec_graph.data.user.folder import profile_own
from aiec_graph.errors import InputError

NODES = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0], "label": [0, 1]})
EDGES = pd.DataFrame({"source": ["a"], "target": ["b"]})


@pytest.fixture
def folder(tmp_path) -> Path:
    NODES.to_csv(tmp_path / "nodes.csv", index=False)
    EDGES.to_csv(tmp_path / "edges.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("name", ["graph.yml", "Graph.YAML", "graph.yaml.txt"])
def test_a_declaration_of_nearly_that_name_is_not_passed_over(folder, name):
    (folder / name).write_text("label: size")
    with pytest.raises(InputError, match=f"{re.escape(name)}: .* read from graph.yaml"):
        load_own(folder)


def test_a_declaration_in_utf_16(folder):
    (folder / "graph.yaml").write_bytes("label: nosuch".encode("utf-16"))
    with pytest.raises(InputError, match="names the column 'nosuch'"):
        load_own(folder)


def test_a_file_is_named_once(folder):
    (folder / "graph.yaml").write_text("edges: [edges.csv, edges.csv]")
    with pytest.raises(InputError, match=r"edges: edges\.csv is there twice"):
        load_own(folder)


def test_as_of_is_a_day_and_no_hour_of_it():
    assert Declaration(as_of="2026-01-31 00:00:00").as_of == "2026-01-31"
    with pytest.raises(InputError, match="not a time of the day"):
        Declaration(as_of="2026-01-31 12:00")


class Arrowlike:
    """A table of another library."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def to_pandas(self) -> pd.DataFrame:
        return self.frame


def test_frames_of_other_libraries_and_what_is_none():
    nodes, edges = Arrowlike(NODES), Arrowlike(EDGES)
    assert from_frames(nodes, edges).x.tolist() == [[1.0], [2.0]]  # pyright: ignore
    with pytest.raises(InputError, match="nodes: must be a pandas DataFrame, not dict"):
        from_frames({"id": ["a"]}, EDGES)  # pyright: ignore


def test_ids_whose_accents_are_composed_in_two_ways_are_told():
    nodes = pd.DataFrame({"id": ["\u00e9"], "x": [1.0]})
    edges = pd.DataFrame({"source": ["e\u0301"], "target": ["e\u0301"]})
    with pytest.raises(InputError, match="accents are composed in two ways"):
        from_frames(nodes, edges)


@pytest.mark.parametrize("weight", [None, 2.0])
def test_merged_edges_say_what_becomes_of_their_weights(folder, weight):
    edges = pd.concat([EDGES, EDGES])
    if weight is not None:
        edges["weight"] = weight
    edges.to_csv(folder / "edges.csv", index=False)
    line = next(n for n in profile_own(folder).notes if "are merged" in n)
    assert line.endswith("weights added" if weight else "they are merged")


def test_a_declaration_is_one():
    with pytest.raises(InputError, match=r"such as Declaration\(label='y'\), not a dict"):
        from_frames(NODES, EDGES, {"label": "label"})  # pyright: ignore
    with pytest.raises(InputError, match="not a str"):
        from_networkx(nx.path_graph(3), "label")  # pyright: ignore


def test_entries_of_one_place_are_added_up_as_scipy_means_them():
    twice = sparse.coo_array((np.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    x, y = np.ones((2, 1)), np.array([0, 1])
    for matrix in (twice, twice.tocsr()):
        assert from_scipy(matrix, x, y).edges.to_scipy().toarray().tolist() == [[0, 1], [2, 0]]
    assert twice.nnz == 3
    for adjacency, features in ((twice.toarray(), x), (twice, sparse.csr_array(x))):
        with pytest.raises(InputError, match="a sparse adjacency and dense features"):
            from_scipy(adjacency, features, y)  # pyright: ignore
    with pytest.raises(InputError, match="two nodes have the id 'a'"):
        from_scipy(twice, x, y, np.array(["a", "a"]))


def test_edges_of_a_network_without_the_weight_that_others_have_are_told():
    network = nx.path_graph(4)
    nx.set_node_attributes(network, {i: {"size": float(i * i), "label": i % 2} for i in range(4)})
    network[0][1]["weight"] = 2.5
    graph = from_networkx(network)
    assert "edges: 2 of 3 edges have no weight, and weigh 1" in graph.notes
    assert graph.edges.weight is not None
    assert sorted(set(graph.edges.weight.tolist())) == [1.0, 2.5]


def parts_of_pyg(**parts):
    return {"x": torch.ones(4, 1), "edge_index": torch.tensor([[0], [1]]), **parts}


@pytest.mark.parametrize(
    "names", [("train_idx", "valid_idx", "test_idx"), ("train_mask", "val_idx", "test_mask")]
)
def test_parts_of_a_split_by_the_numbers_of_their_nodes(names):
    parts = dict(zip(names, map(torch.tensor, ([0, 3], [1], [2])), strict=True))
    graph = from_pyg(Data(**parts_of_pyg(y=torch.tensor([0, 1, 0, 1]), **parts)))
    assert graph.given["supervised"].tolist() == [[1, 2, 3, 1]]


def test_several_graphs_and_other_counts_of_nodes_are_refused(tmp_path):
    one = Data(**parts_of_pyg(y=torch.tensor([0, 1, 0, 1])))
    with pytest.raises(InputError, match="holds 2 graphs"):
        from_pyg([one, one])
    torch.save([one, one, one], tmp_path / "g.pt")
    with pytest.raises(InputError, match="holds 3 graphs"):
        load_own(tmp_path / "g.pt")
    one.num_nodes = 5
    with pytest.raises(InputError, match="num_nodes is 5, and x has 4 rows"):
        from_pyg(one)
    with pytest.raises(InputError, match="no y in it, but edge_index, labels, x"):
        from_pyg(parts_of_pyg(labels=torch.tensor([0, 1, 0, 1])))


def test_edges_of_arrays_go_both_ways_and_this_is_told(tmp_path):
    x, y = np.ones((3, 2)), np.array([0, 1, 0])
    np.savez(tmp_path / "g.npz", node_features=x, node_labels=y, edges=np.array([[0, 1], [1, 2]]))
    graph = load_own(tmp_path / "g.npz")
    assert graph.edges.num_edges == 4
    assert any("go both ways" in note for note in graph.notes)
    np.savez(tmp_path / "h.npz", x=x, y=y)
    with pytest.raises(InputError, match="found x, y"):
        load_own(tmp_path / "h.npz")
    with pytest.raises(InputError, match="one DGL graph is expected, not a list"):
        from_dgl([])
