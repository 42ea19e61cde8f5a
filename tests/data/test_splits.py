"""Splits, feature scaling, cards and the registry."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from aiec_graph.data import DATASETS, Graph, load_dataset, make_split, scale_features
from aiec_graph.data.cards import read_card
from aiec_graph.data.graph import Split
from aiec_graph.errors import InputError


def graph(anomalous=60, normal=400, unknown=40, **changes):
    y = np.repeat([1, 0, -1], [anomalous, normal, unknown])
    parts = {
        "name": "toy",
        "x": torch.randn(len(y), 3),
        "edge_index": torch.zeros(2, 0, dtype=torch.long),
        "y": y,
        "node_ids": np.arange(len(y)),
    }
    return Graph(**(parts | changes))


def test_stratified_shares_without_unknown_nodes():
    toy = graph()
    split = make_split(toy, "supervised", 3407, (0.4, 0.2))
    masks = list(split.masks().values())
    assert (sum(m.astype(int) for m in masks)[toy.y >= 0] == 1).all()
    assert not any(m[toy.y < 0].any() for m in masks)
    assert [int(m.sum()) for m in masks] == [184, 92, 184]
    assert [int(toy.y[m].sum()) for m in masks] == [24, 12, 24]


def test_a_seed_is_a_split():
    toy = graph()
    one, same, other = (make_split(toy, "supervised", s, (0.4, 0.2)) for s in (1, 1, 2))
    assert np.array_equal(one.train_mask, same.train_mask)
    assert not np.array_equal(one.train_mask, other.train_mask)


def test_semi_supervised_draws_20_and_80():
    toy = graph()
    split = make_split(toy, "semi", 0, (0.4, 0.2))
    for mask in (split.train_mask, split.val_mask):
        assert [(toy.y[mask] == value).sum() for value in (1, 0, -1)] == [20, 80, 0]
    assert split.test_mask.sum() == 460 - 200
    assert not (split.train_mask & split.val_mask).any()
    with pytest.raises(InputError, match="needs 20 anomalous"):
        make_split(graph(anomalous=30), "semi", 0, (0.4, 0.2))


def test_a_given_split_is_taken_and_drawn_within():
    y = graph().y
    part = np.arange(500) % 3
    given = Split(*((part == i) & (y >= 0) for i in range(3)))
    toy = graph(given_split=given)
    assert make_split(toy, "supervised", 1, (0.4, 0.2)) is given
    toy = graph(
        anomalous=90,
        given_split=Split(*((np.arange(530) % 3 == i) & (graph(90).y >= 0) for i in range(3))),
    )
    split = make_split(toy, "semi", 1, (0.4, 0.2))
    assert (split.train_mask <= toy.given_split.train_mask).all()
    assert (split.val_mask <= toy.given_split.val_mask).all()


def test_a_part_without_fraud_is_refused():
    y = graph().y
    masks = [np.zeros(500, dtype=bool) for _ in range(3)]
    masks[0][[0, 70]] = masks[1][[71, 72]] = masks[2][[1, 73]] = True
    with pytest.raises(InputError, match="no anomalous node among the 2 of the val split"):
        make_split(graph(given_split=Split(*masks)), "supervised", 0, (0.4, 0.2))
    with pytest.raises(InputError, match="1 anomalous nodes are labelled"):
        make_split(graph(anomalous=1), "supervised", 0, (0.4, 0.2))
    assert len(y) == 500


def test_scaling_is_fitted_on_training_nodes_only():
    x = torch.randn(50, 3) * torch.tensor([1.0, 10.0, 0.0]) + 5
    train = np.arange(50) < 20
    scaled = scale_features(x, train, "standard")
    expected = StandardScaler().fit(x[:20].numpy()).transform(x.numpy())
    np.testing.assert_allclose(scaled.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert scaled.dtype == torch.float32
    rows = scale_features(x, train, "row")
    torch.testing.assert_close(rows.abs().sum(1), torch.ones(50))
    assert scale_features(x, train, "raw") is x
    with pytest.raises(InputError, match="Did you mean 'standard'"):
        scale_features(x, train, "standrad")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(500, 3, dtype=torch.float64)}, "float32"),
        ({"x": torch.zeros(499, 3)}, "do not belong together"),
        ({"y": np.full(500, 2)}, "labels must be"),
        ({"edge_index": torch.zeros(3, 1, dtype=torch.long)}, "shape"),
        ({"edge_index": torch.tensor([[0], [-1]])}, "names node -1"),
        ({"x": torch.full((500, 3), torch.inf)}, "feature 0 of node 0"),
    ],
)
def test_graphs_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        graph(**changes)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_a_card_and_says_what_is_missing(name, tmp_path):
    card = read_card(name)
    with pytest.raises(InputError, match="--simulate") as error:
        load_dataset(name, tmp_path)
    assert card.source in str(error.value)
    assert str(tmp_path / name) in str(error.value)


def test_unknown_names(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'elliptic'"):
        load_dataset("eliptic", tmp_path)
    with pytest.raises(InputError, match="reddit cannot be simulated"):
        load_dataset("reddit", tmp_path, 0.1)
    with pytest.raises(InputError, match="no card"):
        read_card("nothing")
