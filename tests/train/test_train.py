"""The training loop."""

import numpy as np
import pytest
import torch

from aiec_graph.core import ACTIVATIONS, AIECLoss
from aiec_graph.errors import InputError
from aiec_graph.metrics import evaluate
from aiec_graph.nn import Adjacency
from aiec_graph.train import (
    TrainSettings,
    build_model,
    check_settings,
    count_parameters,
    train,
)

SHORT = TrainSettings(hidden=8, epochs=12)


@pytest.mark.parametrize("model", ["gcn", "sage"])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_every_activation_trains(prepared, split, model, act):
    result = train(prepared, split, model, act, SHORT, 0)
    assert 1 <= result.best_epoch <= result.epochs <= 12
    assert result.score.shape == prepared.graph.y.shape
    assert ((result.score >= 0) & (result.score <= 1)).all()
    graph = prepared.graph
    assert result.test == evaluate(graph.y[split.test_mask], result.score[split.test_mask])
    assert not result.model.training


@pytest.mark.parametrize(
    "settings", [SHORT, TrainSettings(hidden=8, epochs=12, dropout=0.4, norm="batch")]
)
def test_a_seed_gives_the_same_numbers_twice(prepared, split, settings):
    for model in ("gcn", "sage"):
        one, same = (train(prepared, split, model, "aiec", settings, 7) for _ in range(2))
        assert np.array_equal(one.score, same.score)
        assert (one.val, one.test, one.best_epoch) == (same.val, same.test, same.best_epoch)
        other = train(prepared, split, model, "aiec", settings, 8)
        assert not np.array_equal(one.score, other.score)


def without_idle_biases(model, act, in_channels, settings):
    """A network that does not train the biases which batch normalisation takes away again."""
    network = build_model(model, act, in_channels, settings)
    if settings.norm == "batch":
        for conv in network.convs:
            conv.lin.bias.requires_grad_(False)
            conv.lin_l.bias.requires_grad_(False)
    return network


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_equals_a_plain_loop(prepared, split, norm, monkeypatch):
    """Step on the whole graph, then validate in eval mode with a pass of its own; keep the best.

    Few steps: sums in another order differ in their last digit, which Adam soon makes visible. Most
    of all in a bias before batch normalisation: its gradient is 0 (1e-17 in double precision) and
    5e-9 in float32, of either sign, from which Adam makes whole steps. They part the plain loop in
    float32 from itself in double precision by 1.5 % of a score; without them, 5e-6 is left.
    """
    settings = TrainSettings(hidden=8, epochs=2, norm=norm)
    graph, adjacency = prepared
    monkeypatch.setattr("aiec_graph.train.run.build_model", without_idle_biases)
    result = train(prepared, split, "sage", "aiec", settings, 3)
    torch.manual_seed(3)
    network = without_idle_biases("sage", "aiec", graph.x.shape[1], settings)
    index = torch.from_numpy(np.flatnonzero(split.train_mask))
    y = torch.from_numpy(graph.y)[index]
    weight = torch.tensor([1.0, (y == 0).sum() / (y == 1).sum()])
    objective = AIECLoss(network, 1.0, 0.1, weight)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    best = (-1.0, 0, None)
    for epoch in range(1, 3):
        network.train()
        objective.start_epoch()
        loss = objective(network(graph.x, adjacency)[index], y, index).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        network.eval()
        with torch.no_grad():
            score = network(graph.x, adjacency).softmax(1)[:, 1].numpy()
        ap = evaluate(graph.y[split.val_mask], score[split.val_mask]).ap
        if ap > best[0]:
            best = (ap, epoch, score)
    assert result.best_epoch == best[1]
    assert result.val.ap == pytest.approx(best[0], abs=0.05)
    np.testing.assert_allclose(result.score, best[2], rtol=1e-4)


def test_labels_outside_the_training_mask_never_reach_the_weights(prepared, split):
    """Flipping every validation and test label leaves the losses and counters as they are."""
    graph, adjacency = prepared
    index = torch.from_numpy(np.flatnonzero(split.train_mask))
    states = []
    for y in (graph.y, np.where(split.train_mask, graph.y, 1 - graph.y.clip(0))):
        torch.manual_seed(0)
        network = build_model("gcn", "aiec", graph.x.shape[1], SHORT)
        objective = AIECLoss(network)
        labels = torch.from_numpy(y)[index]
        objective(network(graph.x, adjacency)[index], labels, index).total.backward()
        states.append(
            [p.grad for p in network.parameters()] + [a.counter.theta for a in network.acts]
        )
    assert all(map(torch.equal, *states))


def test_patience_stops_early(prepared, split):
    settings = TrainSettings(hidden=8, epochs=200, patience=3)
    result = train(prepared, split, "gcn", "relu", settings, 0)
    assert result.epochs == result.best_epoch + 3 < 200


def test_a_loss_that_is_no_number_is_an_error(prepared, split):
    with pytest.raises(InputError, match=r"(loss is (nan|inf)|no numbers).*--lr"):
        train(prepared, split, "gcn", "relu", TrainSettings(lr=1e30), 0)


def test_the_protocol_merges_edges_and_adds_loops(prepared):
    graph, adjacency = prepared
    assert isinstance(adjacency, Adjacency)
    loops = int((graph.edge_index[0] == graph.edge_index[1]).sum())
    assert adjacency.num_edges == graph.edge_index.shape[1] - loops + len(graph.y)
    assert set(adjacency.csr.data.tolist()) == {1.0}


def test_parameters_at_inference_are_those_of_relu():
    sizes = {
        act: count_parameters(build_model("sage", act, 20, TrainSettings()))
        for act in ("relu", "aiec")
    }
    assert sizes["relu"] == sizes["aiec"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"lr": 0.0}, "lr"),
        ({"lambda_gate": -1.0}, "lambda_gate"),
        ({"lambda_aux": float("nan")}, "lambda_aux"),
        ({"aggr": "maen"}, "Did you mean 'mean'"),
        ({"norm": "layr"}, "Did you mean 'layer'"),
        ({"act_options": {"gates": "union"}}, "Did you mean 'gate'"),
        ({"act_options": {"gate": "unoin"}}, "Did you mean 'union'"),
        ({"act_options": {"tau": "high"}}, "act_options"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        check_settings(TrainSettings(**changes))
