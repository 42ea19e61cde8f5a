import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch_geometric.data import Data, HeteroData

from aiec_graph.data.user import Declaration, from_frames
from aiec_graph.detect import as_nodes
from aiec_graph.detect.inputs import align, known_as_of
from aiec_graph.errors import InputError
from tests.detect.conftest import make_frames

NODES = pd.DataFrame({"id": ["a", "b", "c"], "v": [1.0, 2.0, 3.0], "label": [1, 0, None]})
EDGES = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"]})
PAIRS = [[0, 1], [1, 2]]
X = np.array([[1.0], [2.0], [3.0]], np.float32)


def pyg(**parts):
    return Data(x=torch.from_numpy(X), edge_index=torch.tensor(PAIRS), **parts)


def hetero():
    data = HeteroData()
    data["account"].x, data["account"].y = torch.from_numpy(X), torch.tensor([1, 0, -1])
    data["device"].x = torch.zeros(2, 4)
    data["account", "pays", "account"].edge_index = torch.tensor([[0], [1]])
    data["account", "calls", "account"].edge_index = torch.tensor([[1], [2]])
    data["account", "uses", "device"].edge_index = torch.tensor([[0], [1]])
    return data


def networkx_graph():
    graph = nx.DiGraph()
    for name, value, label in NODES.itertuples(index=False):
        graph.add_node(name, v=value, label=label)
    graph.add_edges_from(EDGES.itertuples(index=False))
    return graph


def folder(path):
    NODES.to_csv(path / "nodes.csv", index=False)
    EDGES.to_csv(path / "edges.csv", index=False)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda _: (NODES, EDGES),
        lambda _: [NODES, EDGES],
        lambda _: {"nodes": NODES, "edges": EDGES},
        lambda _: pyg(y=torch.tensor([1, 0, -1])),
        lambda _: (hetero(), "account"),
        lambda _: networkx_graph(),
        folder,
        lambda path: str(folder(path)),
        lambda _: from_frames(NODES, EDGES),
    ],
)
def test_one_graph_in_many_forms(make, tmp_path):
    nodes = as_nodes(make(tmp_path))
    np.testing.assert_array_equal(nodes.graph.x.numpy(), X)
    np.testing.assert_array_equal(nodes.y, [1, 0, -1])
    np.testing.assert_array_equal(nodes.graph.edge_index.numpy(), PAIRS)


def test_a_matrix_with_features_and_labels():
    matrix = sparse.coo_array((np.ones(2), (PAIRS[0], PAIRS[1])), shape=(3, 3))
    nodes = as_nodes((matrix, X), [1, 0, np.nan])
    np.testing.assert_array_equal(nodes.y, [1, 0, -1])
    np.testing.assert_array_equal(nodes.graph.edge_index.numpy(), PAIRS)


def test_transactions_are_told_from_accounts_by_their_columns():
    payments = EDGES.assign(amount=[5.0, 7.0])
    accounts = NODES.drop(columns="v")
    for data in ((payments, accounts), {"transactions": payments, "accounts": accounts}):
        nodes = as_nodes(data)
        assert "out_amount_sum" in [column.name for column in nodes.graph.columns]
        np.testing.assert_array_equal(nodes.y, [1, 0, -1])
    assert (as_nodes(payments).y == -1).all()


def test_labels_may_be_missing_in_pyg_and_come_by_id():
    data = pyg()
    assert (as_nodes(data).y == -1).all()
    assert data.y is None
    np.testing.assert_array_equal(as_nodes((NODES, EDGES), {"c": 1, "a": 0}).y, [0, -1, 1])


def test_other_columns_are_declared():
    edges = EDGES.rename(columns={"source": "from", "target": "to"})
    declared = Declaration(source="from", target="to")
    assert as_nodes((NODES, edges), declaration=declared).graph.edges.num_edges == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (NODES.to_numpy(), "cannot make a graph of ndarray"),
        ((NODES, NODES), "neither"),
        ((EDGES, EDGES), "both"),
        ({"nodes": NODES}, "a dict of frames"),
        (hetero(), "which nodes are of interest"),
        ((hetero(), "acount"), "Did you mean 'account'"),
        ((hetero(), "device"), "no edges among"),
        ((X, X), "cannot make a graph of"),
        ("./nowhere/", "no such file or folder"),
    ],
)
def test_what_is_no_graph_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        as_nodes(data)


@pytest.mark.parametrize(
    ("y", "message"),
    [([1, 0], "a label for each"), ([1, 0, 0.7], r"y\[2\] is 0.7"), (["a", 0, 0], "y must hold")],
)
def test_labels_that_are_none_are_refused(y, message):
    with pytest.raises(InputError, match=message):
        as_nodes((NODES, EDGES), y)


def test_a_label_of_an_unknown_node_is_refused():
    with pytest.raises(InputError, match="'z', which is not in the data"):
        as_nodes((NODES, EDGES), {"z": 1})


def test_columns_are_matched_by_name():
    nodes, edges = make_frames(200)
    fitted = from_frames(nodes, edges)
    later = nodes[["label", "kind", "b", "a", "id"]].assign(extra=1)
    later.loc[:49, "kind"] = "new"
    found = align(from_frames(later, edges), fitted.columns, fitted.x.shape[1])
    assert found.ignored == ["extra"]
    assert found.unseen == {"kind": 0.25}
    assert found.graph.columns == fitted.columns
    np.testing.assert_array_equal(found.graph.x[:, :2].numpy(), fitted.x[:, :2].numpy())
    np.testing.assert_array_equal(found.graph.x[50:, 2].numpy(), fitted.x[50:, 2].numpy())
    assert (found.graph.x[:50, 2] == -1).all()


def test_missing_columns_and_other_kinds_are_named_all_at_once():
    nodes, edges = make_frames(60)
    fitted = from_frames(nodes, edges)
    later = from_frames(nodes.drop(columns="b").assign(kind=1.0, a="word"), edges)
    with pytest.raises(InputError) as error:
        align(later, fitted.columns, 3)
    for part in ("'a' holds categories", "no column 'b'", "'kind' holds numbers"):
        assert part in str(error.value)


def test_a_column_that_is_empty_this_month_is_missing_and_no_other_kind():
    nodes, edges = make_frames(60)
    fitted = from_frames(nodes, edges)
    found = align(from_frames(nodes.assign(kind=np.nan, a=None), edges), fitted.columns, 3)
    assert found.graph.x[:, [0, 2]].isnan().all()


def test_named_and_nameless_columns_are_not_mixed():
    fitted = from_frames(NODES, EDGES)
    with pytest.raises(InputError, match="1 named columns, and these are 1 columns without"):
        align(as_nodes(pyg()).graph, fitted.columns, 1)
    with pytest.raises(InputError, match="fitted on 2"):
        align(as_nodes(pyg()).graph, None, 2)


def test_what_came_later_is_not_known():
    nodes = NODES.assign(time_step=[1, 2, 3], split=["train", "val", ""])
    graph = from_frames(nodes, EDGES.assign(weight=[3, 4]))
    early = known_as_of(graph, 2)
    assert list(early.node_ids) == ["a", "b"]
    np.testing.assert_array_equal(early.edge_index.numpy(), [[0], [1]])
    np.testing.assert_array_equal(early.edges.weight, [3])
    assert early.given["supervised"].tolist() == [[1, 2]]
    assert known_as_of(graph, None) is graph and known_as_of(graph, 9) is graph
    with pytest.raises(InputError, match="come after"):
        known_as_of(graph, 0)
    with pytest.raises(InputError, match="time step"):
        known_as_of(from_frames(NODES, EDGES), 2)


def test_labels_by_the_index_of_a_series_are_those_of_its_ids():
    frame = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]})
    edges = pd.DataFrame({"source": ["a"], "target": ["b"]})
    labels = pd.Series([1, 0], index=["c", "a"])
    nodes = as_nodes((frame, edges), labels)
    assert nodes.y.tolist() == [0, -1, 1]
    assert not any("no node has a label" in line for line in nodes.graph.notes)
    assert as_nodes((frame, edges), pd.Series([1, 0, 0])).y.tolist() == [1, 0, 0]
    with pytest.raises(InputError, match="labels the node 7, .* give the values"):
        as_nodes((frame, edges), pd.Series([1, 0, 0], index=[7, 3, 5]))
    with pytest.raises(InputError, match="holds an id twice"):
        as_nodes((frame, edges), pd.Series([1, 0], index=["a", "a"]))


def test_as_of_counts_where_dates_alone_say_when():
    frame = pd.DataFrame({"id": ["a", "b"], "opened": ["2026-01-01", "2026-01-03"]})
    edges = pd.DataFrame({"source": ["a"], "target": ["b"]})
    nodes = as_nodes((frame, edges), as_of="2026-01-31")
    assert nodes.graph.x.tolist() == [[30.0], [28.0]]
    assert any("rows of any time are used" in line for line in nodes.graph.notes)
    with pytest.raises(InputError, match="nothing says when"):
        as_nodes((frame.assign(opened=[1.5, 2.5]), edges), as_of="2026-01-31")
