"""The neighbour loader, against PyG's conventions and against what its batches claim."""

import numpy as np
import pytest
import torch
import torch_geometric.typing
from scipy.stats import chi2_contingency, chisquare
from torch_geometric.data import Data
from torch_geometric.nn import SAGEConv

from aiec_graph.data.loader import NeighborLoader, neighbor_loader


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(60, (2, 400), generator=generator)
    return Data(
        x=torch.randn(60, 4, generator=generator),
        y=torch.arange(60),
        edge_index=edge_index,
        edge_attr=torch.arange(400.0)[:, None],
        edge_time=torch.randint(50, (400,), generator=generator),
        name="graph",
    )


def test_batches_are_those_of_the_convention(data):
    mask = torch.arange(60) % 3 == 0
    loader = NeighborLoader(data, [3, 2], input_nodes=mask, batch_size=8)
    seen = []
    for batch in loader:
        assert torch.equal(batch.n_id[: batch.batch_size], mask.nonzero()[:, 0][batch.input_id])
        assert torch.equal(batch.x, data.x[batch.n_id]) and torch.equal(batch.y, batch.n_id)
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
        assert torch.equal(batch.edge_attr[:, 0], batch.e_id.float())
        assert batch.name == "graph" and batch.num_nodes == len(batch.n_id)
        assert sum(batch.num_sampled_nodes) == len(batch.n_id)
        assert sum(batch.num_sampled_edges) == batch.edge_index.shape[1]
        assert len(batch.e_id.unique()) == len(batch.e_id)
        assert batch.edge_index[1, : batch.num_sampled_edges[0]].max() < batch.batch_size
        seen += batch.input_id.tolist()
    assert seen == list(range(20)) and len(loader) == 3


def test_all_neighbours_give_the_outputs_of_the_whole_graph(data):
    convs = [SAGEConv(4, 5), SAGEConv(5, 3)]

    def outputs(x, edge_index):
        return convs[1](convs[0](x, edge_index).relu(), edge_index)

    expected = outputs(data.x, data.edge_index)
    for batch in NeighborLoader(data, [-1, -1], batch_size=7, shuffle=True):
        found = outputs(batch.x, batch.edge_index)[: batch.batch_size]
        torch.testing.assert_close(found, expected[batch.n_id[: batch.batch_size]])


def test_only_earlier_edges_and_a_subgraph_for_each_seed(data):
    time = torch.full((60,), 20)
    time[::2] = 40
    loader = NeighborLoader(data, [-1, 5], input_time=time, time_attr="edge_time", batch_size=16)
    for batch in loader:
        trees = batch.batch[batch.edge_index]
        assert torch.equal(trees[0], trees[1])
        assert (batch.edge_time < batch.seed_time[trees[0]]).all()
        assert torch.equal(batch.seed_time, time[batch.input_id])


def test_seeds_of_the_generator_and_duplicates(data):
    def ids(seed):
        torch.manual_seed(seed)
        loader = NeighborLoader(data, [2, 2], batch_size=10, shuffle=True)
        return torch.cat([batch.n_id for batch in loader]).tolist()

    assert ids(0) == ids(0) != ids(1)
    twice = torch.tensor([3, 3])
    with pytest.raises(ValueError, match="twice among input_nodes"):
        NeighborLoader(data, [2], input_nodes=twice)
    batch = next(iter(NeighborLoader(data, [2], input_nodes=twice, disjoint=True, batch_size=2)))
    assert batch.batch[:2].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"-1 or at least 1, not \[2, 0\]"):
        NeighborLoader(data, [2, 0])
    with pytest.raises(ValueError, match="come together"):
        NeighborLoader(data, [2], time_attr="edge_time")


HAS_PYG_LIB = torch_geometric.typing.WITH_PYG_LIB
needs_pygs_sampler = pytest.mark.skipif(
    not (HAS_PYG_LIB or torch_geometric.typing.WITH_TORCH_SPARSE),
    reason="PyG's own sampler needs pyg-lib or torch-sparse",
)
needs_pyg_lib = pytest.mark.skipif(
    not HAS_PYG_LIB, reason="torch-sparse's draw is uneven without pyg-lib"
)


@needs_pygs_sampler
@pytest.mark.filterwarnings("ignore:Using 'NeighborSampler' without a 'pyg-lib'")
@pytest.mark.parametrize("replace", [pytest.param(False, marks=needs_pyg_lib), True])
def test_edges_are_drawn_as_often_as_by_pygs_own(data, replace):
    """Over two hops from one seed, in many draws of each."""
    from torch_geometric.loader import NeighborLoader as PyGLoader

    options = {"input_nodes": torch.tensor([7]), "replace": replace}
    torch.manual_seed(0)
    counts = np.zeros((2, data.num_edges), int)
    for row, loader in enumerate((NeighborLoader, PyGLoader)):
        batches = loader(data, [3, 2], **options)
        for _ in range(1500):
            edges = next(iter(batches)).e_id.unique()
            counts[row][edges] += 1
    counts = counts[:, counts.sum(0) > 20]
    assert counts.shape[1] > 15
    assert chi2_contingency(counts).pvalue > 1e-3


def test_each_neighbour_is_drawn_as_often_as_any_other(data):
    """torch-sparse fails this: https://github.com/rusty1s/pytorch_sparse/issues/385."""
    torch.manual_seed(0)
    count = np.zeros(data.num_edges, int)
    batches = NeighborLoader(data, [3], input_nodes=torch.tensor([7]))
    for _ in range(2000):
        count[next(iter(batches)).e_id] += 1
    drawn = count[data.edge_index[1] == 7]
    assert count.sum() == drawn.sum() == 6000 and len(drawn) == 11
    assert chisquare(drawn).pvalue > 1e-3


def test_pygs_own_is_used_where_it_can_sample(data, monkeypatch):
    monkeypatch.setattr("torch_geometric.typing.WITH_PYG_LIB", False)
    monkeypatch.setattr("torch_geometric.typing.WITH_TORCH_SPARSE", True)
    assert isinstance(neighbor_loader(data, [2], batch_size=4), NeighborLoader)
    called = {}
    monkeypatch.setattr("torch_geometric.typing.WITH_PYG_LIB", True)
    monkeypatch.setattr(
        "torch_geometric.loader.NeighborLoader",
        lambda data, numbers, **options: called.update(options, numbers=numbers),
    )
    neighbor_loader(data, (2, 3), input_time=torch.tensor([5]), time_attr="edge_time")
    assert called["numbers"] == [2, 3] and called["input_time"].item() == 4
    assert np.all(called["time_attr"] == "edge_time")
