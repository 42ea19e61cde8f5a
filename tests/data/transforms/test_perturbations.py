"""Harder perturbations: what they add and take, and that the defaults change nothing."""

import numpy as np
import pytest
import torch

from aiec_graph.data import Edges, Graph, Perturbations, Split
from aiec_graph.errors import InputError

NODES = 400


@pytest.fixture
def graph():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(3 * rng.standard_normal((NODES, 5)).astype(np.float32))
    y = (np.arange(NODES) % 4 == 0).astype(np.int64)
    edges = Edges.from_pairs(np.arange(NODES), np.roll(np.arange(NODES), 1), NODES)
    return Graph("toy", x, edges, y, np.arange(NODES))


@pytest.fixture
def split():
    part = np.arange(NODES) % 2
    return Split(part == 0, part == 1, np.zeros(NODES, bool))


def test_the_defaults_change_nothing(graph, split):
    plain = Perturbations()
    assert plain.add_noise(graph, 1) is graph
    assert plain.subsample(split, graph.y, 1) is split
    assert plain.corrupt(graph.x, 1) is graph.x


def test_noise_is_beside_the_features_and_as_wide(graph):
    noisy = Perturbations(noise=2).add_noise(graph, 1)
    assert noisy.x.shape == (NODES, 15)
    assert torch.equal(noisy.x[:, :5], graph.x)
    assert noisy.x[:, 5:].std().item() == pytest.approx(graph.x.std(0).mean().item(), rel=0.05)
    assert torch.equal(noisy.x, Perturbations(noise=2).add_noise(graph, 1).x)
    assert not torch.equal(noisy.x, Perturbations(noise=2).add_noise(graph, 2).x)


def test_fewer_labels_and_fewer_anomalies(graph, split):
    def counts(found):
        return [int((found.train_mask & (graph.y == k)).sum()) for k in (0, 1)]

    assert counts(split) == [100, 100]
    assert counts(Perturbations(labels=0.3).subsample(split, graph.y, 1)) == [30, 30]
    assert counts(Perturbations(anomalies=0.1).subsample(split, graph.y, 1)) == [100, 10]
    assert counts(Perturbations(labels=0.01).subsample(split, graph.y, 1)) == [5, 5]
    thin = Perturbations(labels=0.3).subsample(split, graph.y, 1)
    assert (thin.train_mask <= split.train_mask).all()
    assert (thin.val_mask == split.val_mask).all()


def test_corruption_is_in_standard_deviations(graph):
    shift = Perturbations(corruption=0.5).corrupt(graph.x, 1) - graph.x
    assert shift.std(0) == pytest.approx((0.5 * graph.x.std(0)).numpy(), rel=0.15)


@pytest.mark.parametrize("wrong", [{"noise": -1}, {"labels": 0}, {"anomalies": 2}])
def test_ranges(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Perturbations(**wrong).check()
