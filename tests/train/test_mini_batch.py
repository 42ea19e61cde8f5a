"""Mini-batches against full batch: what they compute, count and draw."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from aiec_graph.core import AIEC
from aiec_graph.data import load_dataset, make_split
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Graph
from aiec_graph.nn import Adjacency
from aiec_graph.nn.layerwise import layerwise_logits
from aiec_graph.train import (
    Prepared,
    RunContext,
    TrainSettings,
    build_mini_batch,
    build_trainer,
    check_settings,
    prepare_graph,
    train,
)
from aiec_graph.train.adam import Adam
from aiec_graph.train.inputs import NodeInputs
from aiec_graph.train.resume import StateFile
from aiec_graph.train.trainer import predict

ALL = TrainSettings(
    hidden=8, epochs=4, device="cpu", features="standard", batch_size="100000", fanout=[-1, -1]
)
FULL = replace(ALL, batch_size="full", fanout=[])
CLOSE = {"rtol": 1e-5, "atol": 1e-9}


def random_graph(weighted=False, nodes=300, seed=0):
    rng = np.random.default_rng(seed)
    source, target = rng.integers(0, nodes, (2, 5 * nodes))
    weight = rng.uniform(0.1, 2, 5 * nodes) if weighted else None
    y = (rng.random(nodes) < 0.3).astype(np.int64)
    x = torch.from_numpy(rng.normal(size=(nodes, 6)).astype(np.float32))
    edges = Edges.from_pairs(source, target, nodes, weight)
    return Graph("random", x, edges, y, np.arange(nodes))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "weighted"])
def prepared(request):
    return prepare_graph(random_graph(request.param))


@pytest.fixture(scope="module")
def split(prepared):
    return make_split(prepared.graph, "supervised", 0, (0.4, 0.2))


def in_double(trainer):
    """The same trainer before its first step, with everything but its inputs in float64."""
    trainer.network.double()
    trainer.objective.double()
    trainer.optimizer = Adam(trainer.network.parameters(), 0.01, 0.0)
    return trainer


def aiec_layers(network):
    return [m for m in network.modules() if isinstance(m, AIEC)]


NETWORKS = [
    ("gcn", {"normalise": "in"}),
    ("gcn", {"normalise": "out_in"}),
    *[("sage", {"aggr": aggr}) for aggr in ("mean", "max", "pool", "gcn")],
    ("gin", {"residual": True}),
    ("gat", {"norm": "layer"}),
    ("mlp", {}),
]


@pytest.mark.parametrize(("model", "options"), NETWORKS)
def test_one_batch_with_all_neighbours_is_full_batch(prepared, split, model, options):
    """Outputs, losses' gradients, counters, gates and weights, epoch by epoch.

    In double precision: the two add up neighbours and nodes in different orders, and Adam divides a
    gradient by its own size, so that what float32 rounds away from a small one moves its weight.
    """
    mini = build_mini_batch(prepared, split, model, "aiec", replace(ALL, **options), 0)[0]
    full = build_trainer(prepared, split, model, "aiec", replace(FULL, **options), 0)[0]
    in_double(mini)._inputs.whole = mini._inputs.whole.double()
    in_double(full).x = full.x.double()
    for epoch in (1, 2, 3):
        mini.train_epoch(epoch)
        full.train_epoch(epoch)
        for one, other in zip(mini.network.parameters(), full.network.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, **CLOSE)
            torch.testing.assert_close(one, other, **CLOSE)
        layers = zip(aiec_layers(mini.network), aiec_layers(full.network), strict=True)
        for one, other in layers:
            assert torch.equal(one.counter.theta, other.counter.theta)
            assert torch.equal(one.counter.phi, other.counter.phi)
            assert torch.equal(one.gates(), other.gates())
        np.testing.assert_allclose(mini.validate(), full.validate(), **CLOSE)


@pytest.mark.parametrize(("model", "options"), [*NETWORKS, ("sage", {"norm": "batch"})])
def test_layer_by_layer_is_exact(prepared, model, options, monkeypatch):
    """In pieces of a few rows, for all nodes and for some, against the whole graph at once."""
    monkeypatch.setattr("aiec_graph.nn.sampled.ENTRIES_AT_ONCE", 50)
    settings = replace(ALL, layers=3, fanout=[-1] * 3, **options)
    split = make_split(prepared.graph, "supervised", 0, (0.4, 0.2))
    run, preprocessor = build_mini_batch(prepared, split, model, "aiec", settings, 0)
    run.train_epoch(1)
    run.network.double()
    x = preprocessor.network_inputs(prepared.graph).double()
    expected = predict(run.network, x, prepared.adjacency)
    found = layerwise_logits(run.network, prepared.rows, lambda nodes: x[nodes])
    torch.testing.assert_close(found, expected, **CLOSE)
    some = np.arange(prepared.graph.edges.num_nodes) % 97 == 3
    found = layerwise_logits(run.network, prepared.rows, lambda nodes: x[nodes], some)
    torch.testing.assert_close(found, expected[some], **CLOSE)


def test_an_adjacency_that_is_given_is_that_of_the_rows_too(prepared, split):
    """Not the graph's own edges, such as where some were removed."""
    fewer = Prepared(prepared.graph, Adjacency(sparse.eye_array(300, format="csr")))
    run, preprocessor = build_mini_batch(prepared, split, "sage", "aiec", ALL, 0)
    x = preprocessor.network_inputs(prepared.graph)
    expected = predict(run.network, x, fewer.adjacency)
    found = layerwise_logits(run.network, fewer.rows, lambda nodes: x[nodes])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_an_epoch_counts_each_seed_once_over_its_batches(prepared, split):
    settings = replace(ALL, batch_size="17", fanout=[2, 3], act_options={"count": "all"})
    run = build_mini_batch(prepared, split, "sage", "aiec", settings, 0)[0]
    y = prepared.graph.y[split.train_mask]
    for epoch in (1, 2):
        run.train_epoch(epoch)
        for layer in aiec_layers(run.network):
            assert layer.counter.phi.tolist() == [(y == 0).sum(), (y == 1).sum()]
    seeds = [len(batch.y) for batch in run.batches(1)]
    assert sum(seeds) == len(y) and max(seeds) <= 17 and max(seeds) - min(seeds) <= 1


def test_sampled_aggregates_are_right_on_average(prepared):
    """The mean of many samples against the whole neighbourhood, in each normalisation."""
    graph, x = prepared.rows, torch.ones(300, 1)
    node = int(np.diff(graph.indptr).argmax())
    for name in ("mean", "mean_with_self", "gcn", "gcn_out_in", "sum"):
        whole = prepared.adjacency.blocks(np.array([node]), 1)
        expected = whole.layers[0].aggregate(x[: whole.layers[0].num_sources], name)
        for replacing in (False, True):
            found = []
            for key in range(600):
                nodes, (block,) = graph.sample(np.array([node]), [3], key, replacing)
                found.append(block.aggregate(x[: len(nodes)], name).item())
            error = np.std(found) / np.sqrt(len(found))
            assert abs(np.mean(found) - expected.item()) < 4 * error + 1e-5, name


@pytest.mark.parametrize(("model", "options"), NETWORKS)
def test_inputs_that_are_not_at_hand_give_the_same_run(
    prepared, split, model, options, monkeypatch
):
    """Read node by node, with the first layer's neighbours listed, or aggregated as they lie."""
    settings = replace(ALL, batch_size="20", fanout=[2, 3], epochs=2, **options)
    at_hand = train(prepared, split, model, "aiec", settings, 0)
    monkeypatch.setattr("aiec_graph.train.inputs.AT_HAND", 0)
    read = train(prepared, split, model, "aiec", settings, 0)
    np.testing.assert_allclose(read.margin, at_hand.margin, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mean", "mean_with_self", "gcn", "gcn_out_in", "sum", "max"])
def test_a_sample_that_reaches_all_nodes_keeps_their_order(prepared, name):
    """As many sources as the graph has nodes, but in the order in which they were reached."""
    x = torch.randn(300, 4, dtype=torch.float64)
    seeds = np.random.default_rng(0).permutation(300)
    expected = prepared.adjacency.aggregate(x, name)[seeds]
    nodes, (block,) = prepared.rows.sample(seeds, [-1], 0)
    torch.testing.assert_close(block.aggregate(x[nodes], name), expected)
    _, (block,) = prepared.rows.sample_aggregated(seeds, [-1], 0)
    torch.testing.assert_close(block.aggregate(x, name), expected)


def test_aggregates_over_the_whole_graphs_features_are_those_of_the_listed_sample(prepared):
    """For each normalisation, the maximum too, and a fan-out that differs by hop."""
    x = torch.randn(300, 4, dtype=torch.float64)
    seeds, fanout = np.array([7, 100, 3]), [4, 2, 3]
    nodes, layers = prepared.rows.sample(seeds, fanout, 5)
    targets, alike = prepared.rows.sample_aggregated(seeds, fanout, 5)
    assert np.array_equal(targets, nodes[: layers[0].num_targets])
    assert [block.num_targets for block in alike] == [block.num_targets for block in layers]
    for name in ("mean", "mean_with_self", "gcn", "gcn_out_in", "sum", "max"):
        expected = layers[0].aggregate(x[nodes], name)
        torch.testing.assert_close(alike[0].aggregate(x, name), expected, rtol=1e-12, atol=1e-12)


def test_a_run_is_reproducible_and_depends_on_its_seed(prepared, split):
    settings = replace(ALL, batch_size="20", fanout=[2, 2], dropout=0.3, epochs=2)
    one, again, other = (
        train(prepared, split, "sage", "aiec", settings, seed).margin for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize("settings", [replace(ALL, batch_size="20", fanout=[2, 2]), FULL])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path, prepared, split, settings):
    settings = replace(settings, dropout=0.2, epochs=4)
    build = build_trainer if settings.batch_size == "full" else build_mini_batch
    state = StateFile(tmp_path / "run.pt", "a run")
    first, second, whole = (
        build(prepared, split, "sage", "aiec", settings, 0)[0] for _ in range(3)
    )
    torch.manual_seed(0)
    expected = whole.fit("run", settings)
    torch.manual_seed(0)
    first.fit("run", replace(settings, epochs=2), state=state)
    found = second.fit("run", settings, state=state)
    assert (found.best_epoch, found.epochs) == (expected.best_epoch, 4)
    for name, value in expected.weights.items():
        assert torch.equal(found.weights[name], value)
    another = build(prepared, split, "sage", "aiec", settings, 0)[0]
    assert replace(state, identity="another").load(another.network, another.optimizer) is None
    state.path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"run\.pt: damaged .*remove it"):
        another.fit("run", settings, state=state)


def test_a_finished_run_leaves_no_state(tmp_path, prepared, split):
    path = tmp_path / "deep" / "run.pt"
    train(prepared, split, "sage", "relu", replace(ALL, epochs=1), 0, RunContext(state=path))
    assert path.parent.is_dir() and not path.exists()


def test_features_are_read_by_rows_from_their_file(data_root, monkeypatch):
    """Nothing asks for the inputs of all nodes at once, and the edges are not copied."""
    graph = load_dataset("elliptic", data_root, 0.02)
    prepared = prepare_graph(graph)
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    monkeypatch.setattr(
        "aiec_graph.train.prepared.Adjacency", lambda *_: pytest.fail("the whole graph is prepared")
    )
    monkeypatch.setattr("aiec_graph.nn.sampled.ENTRIES_AT_ONCE", 200)
    settings = replace(ALL, batch_size="32", fanout=[2, 2], epochs=1, features="raw")
    run, preprocessor = build_mini_batch(prepared, split, "sage", "aiec", settings, 0)
    sizes = []
    read = NodeInputs.__call__
    monkeypatch.setattr(
        NodeInputs, "__call__", lambda self, nodes: sizes.append(len(nodes)) or read(self, nodes)
    )
    run.fit("run", settings)
    assert 0 < max(sizes) < len(graph.y) / 2
    assert np.shares_memory(prepared.rows.indices, graph.edges.indices)
    assert np.shares_memory(run._inputs.whole.numpy(), graph.x.numpy())
    assert torch.equal(
        preprocessor.network_inputs(graph, np.array([5, 2])), graph.x[torch.tensor([5, 2])]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": "0"}, "batch_size must be a number of at least 1"),
        ({"batch_size": "-5"}, "batch_size must be a number"),
        ({"batch_size": "1e3"}, "batch_size must be a number"),
        ({"batch_size": "fulll"}, "Did you mean 'full'"),
        ({"fanout": [10]}, "a number for each of the 2 layers, not 1: 10"),
        ({"fanout": [10, 0]}, "at least 1, or -1 for all neighbours, not 0"),
        ({"fanout": [10, -2]}, "not -2"),
        ({"batch_size": "full", "fanout": [5, 5]}, "a fanout is for batches"),
    ],
)
def test_slips_are_told(changes, message):
    with pytest.raises(InputError, match=message):
        check_settings(replace(TrainSettings(), **changes))


def test_a_network_of_the_whole_graph_is_refused(prepared, split):
    with pytest.raises(InputError, match="bwgnn computes with the whole graph"):
        train(prepared, split, "bwgnn", "relu", ALL, 0)


def test_what_is_watched_in_full_batch_takes_no_batch_size(prepared, split):
    with pytest.raises(InputError, match="leave out batch_size"):
        build_trainer(prepared, split, "sage", "relu", ALL, 0)


@pytest.mark.parametrize(("model", "aggr"), [("gcn", "mean"), ("sage", "pool"), ("gat", "mean")])
def test_a_share_without_a_seed_has_a_loss_of_nothing(prepared, split, model, aggr):
    """As a process has it where a batch has fewer seeds than there are processes."""
    settings = replace(ALL, aggr=aggr)
    run = build_mini_batch(prepared, split, model, "aiec", settings, 0)[0]
    run.network.train()
    batch = run._make(1, 0, np.empty(0, np.int64))
    logits = run.network(batch.x, batch.layers, batch.aggregated)
    loss = run.objective(logits, batch.y, slice(0, 0)).total
    loss.backward()
    assert loss.item() == 0 and logits.shape == (0, 2)
    assert all(p.grad is None or not p.grad.any() for p in run.network.parameters())
