"""Splits, cards and the registry."""

import numpy as np
import pytest
import torch

from aiec_graph.data import DATASETS, Edges, Graph, load_dataset, make_split
from aiec_graph.data.datasets.cards import read_card
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import to_parts


def no_edges(nodes):
    none = np.zeros(0, np.int64)
    return Edges.from_pairs(none, none, nodes)


def graph(anomalous=60, normal=400, unknown=40, **changes):
    y = np.repeat([1, 0, -1], [anomalous, normal, unknown])
    parts = {
        "name": "toy",
        "x": torch.randn(len(y), 3),
        "edges": no_edges(len(y)),
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


def thirds(y, first=0):
    part = (np.arange(len(y)) + first) % 3
    return to_parts(*((part == i) & (y >= 0) for i in range(3)))


def test_a_given_split_is_taken_and_drawn_within():
    toy = graph(anomalous=90)
    toy = graph(anomalous=90, given={"supervised": thirds(toy.y)})
    given = make_split(toy, "supervised", 1, (0.4, 0.2))
    assert np.array_equal(given.val_mask, thirds(toy.y)[0] == 2)
    split = make_split(toy, "semi", 1, (0.4, 0.2))
    assert (split.train_mask <= given.train_mask).all()
    assert (split.val_mask <= given.val_mask).all()
    assert np.array_equal(split.test_mask, given.test_mask)


def test_each_trial_takes_its_own_given_split():
    y = graph().y
    parts = np.concatenate([thirds(y), thirds(y, 1)])
    toy = graph(given={"supervised": parts, "semi": parts[::-1]})
    for trial, kind, row in (
        (0, "supervised", 0),
        (1, "supervised", 1),
        (2, "supervised", 0),
        (0, "semi", 1),
    ):
        split = make_split(toy, kind, 7, (0.4, 0.2), trial)
        assert np.array_equal(split.test_mask, parts[row] == 3)


def test_masks_that_overlap_or_hold_an_unknown_node_are_refused():
    one = np.ones(500, dtype=bool)
    with pytest.raises(InputError, match="two of train, val and test"):
        to_parts(one, ~one, one)
    with pytest.raises(InputError, match="different shapes"):
        to_parts(one, one[1:], one)
    with pytest.raises(InputError, match="supervised mask holds a node of unknown class"):
        graph(given={"supervised": to_parts(one, ~one, ~one)})


def test_a_part_without_fraud_is_refused():
    masks = [np.zeros(500, dtype=bool) for _ in range(3)]
    masks[0][[0, 70]] = masks[1][[71, 72]] = masks[2][[1, 73]] = True
    with pytest.raises(InputError, match="no anomalous node among the 2 of the val split"):
        make_split(graph(given={"supervised": to_parts(*masks)}), "supervised", 0, (0.4, 0.2))
    with pytest.raises(InputError, match="1 anomalous node is labelled"):
        make_split(graph(anomalous=1), "supervised", 0, (0.4, 0.2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(500, 3, dtype=torch.float64)}, "float32"),
        ({"x": torch.zeros(499, 3)}, "do not belong together"),
        ({"y": np.full(500, 2)}, "labels must be"),
        ({"edges": no_edges(499)}, "edges over 499 nodes"),
        ({"given": {"supervised": np.zeros((1, 499), np.int8)}}, "masks must be given for every"),
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
    with pytest.raises(InputError, match="takes a data set by name"):
        load_dataset(str(tmp_path), None, 0.1)
    with pytest.raises(InputError, match="no card"):
        read_card("nothing")


def test_edges_are_sorted_and_kept_once():
    source, target = np.array([2, 0, 2, 1]), np.array([1, 1, 1, 0])
    edges = Edges.from_pairs(source, target, 4)
    assert edges.edge_index.tolist() == [[1, 0, 2], [0, 1, 1]]
    assert edges.to_scipy().toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0] * 4, [0] * 4]
    weighted = Edges.from_pairs(source, target, 4, np.array([0.5, 1, 2, 3]))
    assert weighted.weight is not None
    assert weighted.weight.tolist() == [3, 1, 2.5]
    for wrong in (-1, 4):
        with pytest.raises(InputError, match=f"names node {wrong}, but there are 4"):
            Edges.from_pairs(np.array([0]), np.array([wrong]), 4)
