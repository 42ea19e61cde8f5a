"""PyG's files of every version and shape, and what their labels and masks may mean."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData

from aiec_graph.data import find_source
from aiec_graph.data.user import from_pyg, load_own
from aiec_graph.errors import InputError

N = 60
PAIRS = torch.randint(N, (2, 150), generator=torch.Generator().manual_seed(0))
X = torch.randn(N, 4, generator=torch.Generator().manual_seed(1))
Y = (torch.arange(N) % 4 == 0).long()


def parts(**changes):
    return {"x": X, "edge_index": PAIRS, "y": Y} | changes


def save(folder, content, **options):
    path = folder / "net.pt"
    torch.save(content, path, **options)
    return path


def of_pyg_1():
    """PyG 1.x kept its tensors in the object itself."""
    data = Data.__new__(Data)
    data.__dict__.update(**parts(), edge_attr=None, pos=None, norm=None, face=None)
    return data


def hetero(relations=1):
    data = HeteroData()
    data["user"].x, data["user"].y = X, Y
    data["item"].x = torch.ones(3, 2)
    data["user", "buys", "item"].edge_index = torch.tensor([[0], [2]])
    for i in range(relations):
        data["user", f"knows{i}", "user"].edge_index = PAIRS[:, i::relations]
    return data


SAME = {
    "Data": lambda: Data(**parts()),
    "PyG 1": of_pyg_1,
    "dict": parts,
    "InMemoryDataset": lambda: (Data(**parts()).to_dict(), None, Data),
    "InMemoryDataset of PyG 1": lambda: (of_pyg_1(), {"x": torch.tensor([0, N])}),
    "sparse x": lambda: Data(**parts(x=X.to_sparse())),
    "compressed x": lambda: Data(**parts(x=X.to_sparse_csr())),
    "bool y": lambda: Data(**parts(y=Y.bool())),
    "column of y": lambda: Data(**parts(y=Y[:, None].double())),
    "one-hot y": lambda: Data(**parts(y=torch.nn.functional.one_hot(Y).double())),
    "parameter": lambda: Data(**parts(x=torch.nn.Parameter(X))),
    "views": lambda: Data(**parts(x=torch.cat([X, X], 1).t().contiguous().t()[:, :4])),
    "dense adj": lambda: Data(x=X, y=Y, adj=dense()),
    "sparse adj_t": lambda: Data(x=X, y=Y, adj_t=dense().t().to_sparse()),
    "compressed adj_t": lambda: Data(x=X, y=Y, adj_t=dense().t().to_sparse_csr()),
    "HeteroData": hetero,
}


def dense():
    adjacency = torch.zeros(N, N)
    adjacency[PAIRS[0], PAIRS[1]] = 1
    return adjacency


def same(graph):
    expected = from_pyg(Data(**parts()))
    np.testing.assert_array_equal(graph.x.numpy(), X.numpy())
    np.testing.assert_array_equal(graph.edge_index, expected.edge_index)
    np.testing.assert_array_equal(graph.y, Y.numpy())
    assert graph.edges.weight is None


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", SAME)
def test_one_graph_however_it_was_saved(tmp_path, kind, zipped):
    content = SAME[kind]()
    same(load_own(save(tmp_path, content, _use_new_zipfile_serialization=zipped)))
    if isinstance(content, Data | HeteroData) and kind != "PyG 1":
        same(from_pyg(content))


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16", "int8", "uint8", "bool"])
def test_types_of_features(tmp_path, kind):
    x = (X * 3).to(getattr(torch, kind))
    graph = load_own(save(tmp_path, Data(**parts(x=x))))
    np.testing.assert_array_equal(graph.x.numpy(), x.float().numpy())


def test_edge_types_are_asked_for(tmp_path):
    path = save(tmp_path, hetero(2))
    with pytest.raises(InputError, match=r"2 edge types: knows0, knows1.* in net\.graph\.yaml"):
        load_own(path)
    (tmp_path / "net.graph.yaml").write_text("edge_types: all")
    same(load_own(path))
    (tmp_path / "net.graph.yaml").write_text("edge_types: [knows1]")
    expected = from_pyg(Data(**parts(edge_index=PAIRS[:, 1::2])))
    np.testing.assert_array_equal(load_own(path).edge_index, expected.edge_index)


def test_parts_that_are_not_used_are_noted(tmp_path):
    data = Data(**parts(edge_attr=torch.rand(PAIRS.shape[1], 1), n_id=torch.arange(N)))
    notes = load_own(save(tmp_path, data)).notes
    assert any(note.startswith("not used: edge_attr, n_id; ") for note in notes)


def test_labels_of_nodes_in_no_mask_are_counted(tmp_path):
    masks = {
        f"{part}_mask": torch.arange(N) % 6 == i for i, part in enumerate(("train", "val", "test"))
    }
    graph = load_own(save(tmp_path, Data(**parts(**masks))))
    left = int((torch.arange(N) % 6 > 2).sum())
    assert f"labelled nodes that stand in no mask count as unknown: {left}" in graph.notes
    assert (graph.y == -1).sum() == left


def test_codes_are_refused_until_their_meaning_is_declared(tmp_path):
    codes = torch.where(Y == 1, torch.arange(N) % 3 + 1, 0)
    path = save(tmp_path, Data(**parts(y=codes)))
    with pytest.raises(InputError, match=r"has the label 2;.*net\.graph\.yaml.*\[1, 2, 3\]"):
        load_own(path)
    (tmp_path / "net.graph.yaml").write_text("anomalous: [1, 2, 3]")
    np.testing.assert_array_equal(load_own(path).y, Y.numpy())
    (tmp_path / "net.graph.yaml").write_text("anomalous: [0]\nnormal: [1, 2, 3]")
    np.testing.assert_array_equal(load_own(path).y, 1 - Y.numpy())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.where(torch.arange(N) == 17, 0.7, Y.double()), "node 17 has the label 0.7"),
        (torch.where(torch.arange(N) == 17, -2, Y), "node 17 has the label -2"),
        (torch.full((N,), torch.inf), "node 0 has the label inf"),
    ],
)
def test_odd_labels_are_named(tmp_path, labels, message):
    with pytest.raises(InputError, match=message):
        load_own(save(tmp_path, Data(**parts(y=labels))))


def test_rows_of_both_classes_are_named_by_node(tmp_path):
    hot = torch.nn.functional.one_hot(Y).double()
    hot[17] = 1
    with pytest.raises(InputError, match=r"node 17 has the label \[1, 1\]"):
        load_own(save(tmp_path, Data(**parts(y=hot))))
    hot[17] = torch.nan
    assert load_own(save(tmp_path, Data(**parts(y=hot)))).y[17] == -1


def test_nan_is_unknown(tmp_path):
    y = Y.double()
    y[:5] = torch.nan
    assert load_own(save(tmp_path, Data(**parts(y=y)))).y[:6].tolist() == [-1] * 5 + [0]


def masks(kind=torch.bool):
    rows = torch.arange(N)
    return {
        "train_mask": (rows < 36).to(kind),
        "val_mask": ((rows >= 36) & (rows < 48)).to(kind),
        "test_mask": (rows >= 48).to(kind),
    }


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float32])
@pytest.mark.parametrize("name", ["val_mask", "valid_mask"])
def test_three_masks(tmp_path, kind, name):
    given = masks(kind)
    given[name] = given.pop("val_mask")
    graph = load_own(save(tmp_path, Data(**parts(**given))))
    assert graph.given["supervised"].tolist() == [[1] * 36 + [2] * 12 + [3] * 12]
    assert not any("drawn" in note for note in graph.notes)


def test_masks_as_numbers_of_nodes(tmp_path):
    given = {key: mask.nonzero()[:, 0] for key, mask in masks().items()}
    graph = load_own(save(tmp_path, Data(**parts(**given))))
    assert graph.given["supervised"].tolist() == [[1] * 36 + [2] * 12 + [3] * 12]


def test_of_two_masks_validation_is_drawn_and_said(tmp_path):
    """As in PyG's Elliptic: labels 0, 1 and 2 for unknown, and masks to train and to test."""
    y = Y.clone()
    y[torch.arange(N) % 3 == 1] = 2
    known, train = y != 2, torch.arange(N) < 40
    path = save(tmp_path, Data(**parts(y=y, train_mask=train & known, test_mask=~train & known)))
    loaded = find_source(str(path)).load()
    graph = loaded.graph
    assert any("validation" in line and "third" in line for line in loaded.warnings)
    np.testing.assert_array_equal(graph.y, torch.where(known, y, -1))
    split = graph.given["supervised"][0]
    assert (split[~known.numpy()] == 0).all()
    assert (split[(~train & known).numpy()] == 3).all()
    for value in (0, 1):
        chosen = split[(train & (y == value)).numpy()]
        assert (chosen == 2).sum() == round(len(chosen) / 3)
        assert set(chosen) == {1, 2}
    np.testing.assert_array_equal(find_source(str(path)).load().graph.given["supervised"][0], split)


def test_unknown_labels_without_masks_are_declared(tmp_path):
    y = torch.where(torch.arange(N) % 3 == 1, 2, Y)
    path = save(tmp_path, Data(**parts(y=y)))
    with pytest.raises(InputError, match="has the label 2"):
        load_own(path)
    (tmp_path / "net.graph.yaml").write_text("unknown: [2]")
    np.testing.assert_array_equal(load_own(path).y, torch.where(y == 2, -1, y))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: (Data(**parts()), {"x": torch.tensor([0, 20, N])}), "collection of 2 graphs"),
        (lambda: Data(**parts(edge_index=PAIRS.t())), "turned round"),
        (lambda: Data(**parts(train_mask=masks()["train_mask"])), "not all of train_mask"),
        (lambda: Data(x=X, y=Y, adj=torch.ones(N, 3)), r"adj must be a matrix.*\[N, N\]"),
        (lambda: Data(x=X, y=Y, adj=-dense()), "from 0 up"),
        (lambda: Data(**parts(x=sparse_of_size(10**7))), "too large to be made dense"),
        (lambda: [1, 2], "no x in it"),
        (lambda: "text", "no x in it"),
        (lambda: torch.ones(3), "no x in it"),
        (lambda: Data(**parts(y=None)), "no y in it"),
        (lambda: Data(**parts(x=X.expand(50, N, 4))), "a tensor of|shape"),
        (lambda: Data(**parts(x=torch.zeros(1).expand(N, 10**9))), "a tensor of .* in a storage"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    path = save(tmp_path, content())
    with pytest.raises(InputError, match=message) as error:
        load_own(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def sparse_of_size(columns):
    place = torch.tensor([[0], [0]])
    return torch.sparse_coo_tensor(place, torch.ones(1), (N, columns), check_invariants=True)
