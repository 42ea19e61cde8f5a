"""Our stores beside PyG's reference stores, which keep everything in memory."""

import numpy as np
import pytest
import torch
from torch_geometric.data import EdgeAttr, HeteroData, TensorAttr
from torch_geometric.data.remote_backend_utils import num_nodes, size
from torch_geometric.testing.feature_store import MyFeatureStore
from torch_geometric.testing.graph_store import MyGraphStore

from aiec_graph.data import Graph, load_dataset
from aiec_graph.data.stores import EDGE, NODE, open_stores, put_graph
from aiec_graph.graph.edges import Edges


@pytest.fixture
def graph():
    """Seven nodes, the last without an edge; weights and times."""
    chance = np.random.default_rng(0)
    source, target = chance.integers(0, 6, (2, 15))
    edges = Edges.from_pairs(source, target, 7, chance.random(15))
    return Graph(
        name="g",
        x=torch.from_numpy(chance.random((7, 3), dtype=np.float32)),
        edges=edges,
        y=np.array([0, 1, 0, -1, 1, 0, 0]),
        node_ids=np.arange(7),
        time_step=np.array([0, 0, 1, 1, 2, 2, 2]),
    )


@pytest.fixture
def reference(graph):
    """PyG's stores with the same content, put in by hand."""
    features, edges = MyFeatureStore(), MyGraphStore()
    features[NODE, "x", None] = graph.x
    features[NODE, "y", None] = torch.from_numpy(graph.y)
    features[NODE, "time", None] = torch.from_numpy(graph.time_step)
    features[EDGE, "edge_weight", None] = torch.from_numpy(graph.edges.weight)
    row = torch.tensor(graph.edges.indices.tolist())
    pair = (row, torch.tensor(graph.edges.indptr.tolist()))
    edges.put_edge_index(pair, edge_type=EDGE, layout="csc", size=(7, 7))
    return features, edges


def of_sorted_edges(pair):
    return sorted(zip(*(part.tolist() for part in pair), strict=True))


@pytest.mark.parametrize(
    "index", [None, slice(None), torch.tensor([5, 0, 3]), torch.tensor([], dtype=torch.long)]
)
def test_features_are_those_of_the_reference(graph, reference, index):
    ours, theirs = open_stores(graph)[0], reference[0]
    for group, name in ((NODE, "x"), (NODE, "y"), (NODE, "time"), (EDGE, "edge_weight")):
        attr = TensorAttr(group, name, index)
        assert torch.equal(ours.get_tensor(attr), theirs.get_tensor(attr))
        assert ours.get_tensor_size(group, name) == tuple(theirs.get_tensor_size(group, name))
        found = ours.multi_get_tensor([attr, attr])
        assert torch.equal(found[1], theirs.multi_get_tensor([attr, attr])[1])
    assert ours.get_all_tensor_attrs() == theirs.get_all_tensor_attrs()


def test_rows_by_masks_numbers_and_views(graph):
    features, _ = open_stores(graph)
    mask = torch.tensor([True, False, True, False, False, False, True])
    assert torch.equal(features[NODE, "x", mask], graph.x[mask])
    assert torch.equal(features[NODE, "x", torch.tensor([4, 4])], graph.x[[4, 4]])
    assert torch.equal(features[NODE, "x", slice(2, 5)], graph.x[2:5])
    assert torch.equal(features[NODE].x[torch.tensor([1])], graph.x[1:2])
    assert torch.equal(features.view(NODE, "y")(), torch.from_numpy(graph.y))


def test_what_is_put_updated_and_removed(graph, reference):
    for features in (open_stores(graph)[0], reference[0]):
        more = torch.arange(14.0).view(7, 2)
        assert features.put_tensor(more, NODE, "z", None)
        assert torch.equal(features[NODE, "z", torch.tensor([6])], more[6:])
        assert features.update_tensor(more + 1, NODE, "z", None)
        assert torch.equal(features[NODE, "z", None], more + 1)
        assert features.remove_tensor(NODE, "z", None)
        assert not features.remove_tensor(NODE, "z", None)
        with pytest.raises(KeyError):
            features.get_tensor(NODE, "z", None)
        with pytest.raises(ValueError, match="fully"):
            features.get_tensor(NODE, "x")
    with pytest.raises(ValueError, match="as a whole"):
        open_stores(graph)[0].put_tensor(graph.x[:1], NODE, "x", torch.tensor([0]))


def test_edges_are_those_of_the_reference_in_every_layout(graph, reference):
    ours, theirs = open_stores(graph)[1], reference[1]
    assert ours.get_all_edge_attrs() == theirs.get_all_edge_attrs()
    for layout in ("coo", "csr", "csc"):
        for found, wanted in zip(getattr(ours, layout)(), getattr(theirs, layout)(), strict=True):
            assert found.keys() == wanted.keys() == {EDGE}
            assert found[EDGE] is wanted[EDGE] or torch.equal(found[EDGE], wanted[EDGE])
    row, col, _ = ours.coo()
    assert torch.equal(torch.stack([row[EDGE], col[EDGE]]), graph.edge_index)
    with pytest.raises(KeyError):
        ours.get_edge_index(EDGE, "csr")
    pair = (torch.tensor([0]), torch.tensor([1]))
    attr = EdgeAttr((NODE, "knows", NODE), "coo", size=(7, 7))
    for store in (ours, theirs):
        assert store.put_edge_index(pair, attr)
        assert store.get_edge_index(attr) == pair
        assert store.remove_edge_index(attr)
        assert not store.remove_edge_index(attr)


def test_sizes_that_loaders_ask_for(graph):
    features, edges = open_stores(graph)
    assert num_nodes(features, edges, NODE) == 7
    assert size(features, edges, EDGE) == (7, 7)


@pytest.mark.parametrize("world_size", [1, 3, 9])
def test_shares_of_processes_make_the_whole(graph, world_size):
    stores = []
    for rank in range(world_size):
        features, edges = MyFeatureStore(), MyGraphStore()
        put_graph(graph, features, edges, rank, world_size)
        stores.append((features, edges))
    for group, name in ((NODE, "x"), (NODE, "y"), (NODE, "time"), (EDGE, "edge_weight")):
        whole = open_stores(graph)[0][group, name, None]
        assert torch.equal(torch.cat([f[group, name, None] for f, _ in stores]), whole)
    attr = EdgeAttr(EDGE, "coo", size=(7, 7))
    pairs = [edges.get_edge_index(attr) for _, edges in stores]
    assert torch.equal(torch.cat([torch.stack(pair) for pair in pairs], 1), graph.edge_index)
    with pytest.raises(ValueError, match="rank 3 is not one of 3"):
        put_graph(graph, MyFeatureStore(), MyGraphStore(), 3, 3)


def test_pygs_own_data_is_filled(graph):
    data = HeteroData()
    put_graph(graph, data, data)
    assert torch.equal(data[NODE].x, graph.x)
    assert torch.equal(data[EDGE].edge_weight, torch.from_numpy(graph.edges.weight))
    assert of_sorted_edges(data[EDGE].edge_index) == of_sorted_edges(graph.edge_index)


def test_features_are_read_where_they_lie(tmp_path):
    load_dataset("reddit", tmp_path, 0.05)  # writes its cache
    graph = load_dataset("reddit", tmp_path, 0.05)
    features, _ = open_stores(graph)
    assert features[NODE, "x", None].data_ptr() == graph.x.data_ptr()
    assert isinstance(graph.edges.indices.base, np.memmap)
