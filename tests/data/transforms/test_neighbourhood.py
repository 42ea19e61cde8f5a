"""Columns of neighbours against loops over dense matrices, NetworkX and known graphs."""

import networkx as nx
import numpy as np
import pytest

from aiec_graph.data import Edges
from aiec_graph.data.transforms.neighbourhood import (
    Neighbourhood,
    neighbour_statistics,
    structural_columns,
)
from aiec_graph.data.transforms.structural import spectral_columns
from aiec_graph.errors import InputError

NODES = 50


def make(seed=0, weighted=False, symmetric=False, self_loops=True):
    rng = np.random.default_rng(seed)
    dense = (rng.random((NODES, NODES)) < 0.08) * (rng.random((NODES, NODES)) if weighted else 1.0)
    dense[NODES - 3 :] = dense[:, NODES - 3 :] = 0  # without partners
    if symmetric:
        dense = np.maximum(dense, dense.T)
    if not self_loops:
        np.fill_diagonal(dense, 0)
    target, source = dense.nonzero()
    weight = dense[target, source] if weighted else None
    return Edges.from_pairs(source, target, NODES, weight), dense.astype(np.float32)


def naive(dense, x):
    """Mean, deviation, maximum and minimum of each column over each row's entries, by a loop."""
    out = np.full((4, *x.shape), np.nan)
    for i, row in enumerate(dense):
        for c in range(x.shape[1]):
            near = (row > 0) & ~np.isnan(x[:, c])
            if near.any():
                values, weight = x[near, c].astype(float), row[near].astype(float)
                mean = np.average(values, weights=weight)
                std = np.sqrt(np.average((values - mean) ** 2, weights=weight))
                out[:, i, c] = mean, std, values.max(), values.min()
    return out


@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_equal_a_loop(weighted):
    edges, dense = make(weighted=weighted)
    x = np.random.default_rng(1).normal(1e4, 1, (NODES, 3)).astype(np.float32)
    x[::7, 1] = np.nan
    found = neighbour_statistics(edges.to_scipy(), x)
    expected = naive(dense, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_equal_neighbours_have_a_deviation_of_nothing():
    edges, _ = make()
    x = np.full((NODES, 1), np.float32(1234567.9))
    mean, std, _, _ = neighbour_statistics(edges.to_scipy(), x)
    near = np.diff(edges.indptr) > 0
    assert (std[near] == 0).all()
    assert (mean[near] == x[0]).all()


def test_columns_and_names_of_two_hops():
    edges, dense = make(symmetric=True)
    x = np.random.default_rng(1).normal(size=(NODES, 2)).astype(np.float32)
    table = Neighbourhood(2, ("mean", "max"), structure=False).table(edges, x, ["amount", "age"])
    assert table.names == [
        *("amount", "age", "mean of amount over partners", "mean of age over partners"),
        *("max of amount over partners", "max of age over partners"),
        *("mean over partners of their mean of amount", "mean over partners of their mean of age"),
        *("max over partners of their mean of amount", "max over partners of their mean of age"),
    ]
    first = naive(dense, x)
    second = naive(dense, first[0].astype(np.float32))
    expected = np.concatenate([x, first[0], first[2], second[0], second[2]], 1)
    np.testing.assert_allclose(table.values, expected, rtol=1e-5, atol=1e-5)


def test_directions_are_told_apart():
    edges, dense = make(weighted=True)
    x = np.random.default_rng(1).normal(size=(NODES, 1)).astype(np.float32)
    found = Neighbourhood(1, ("mean",), structure=False).table(edges, x, ["amount"])
    assert found.names[1:] == [
        f"mean of amount over {who}" for who in ("senders", "receivers", "partners")
    ]
    for column, matrix in zip(found.values.T[1:], (dense, dense.T, dense + dense.T), strict=True):
        np.testing.assert_allclose(column, naive(matrix, x)[0, :, 0], rtol=1e-5, atol=1e-6)


def test_the_published_baselines_take_a_node_as_its_own_neighbour():
    edges, dense = make(self_loops=False)
    x = np.random.default_rng(1).normal(size=(NODES, 2)).astype(np.float32)
    recipe = Neighbourhood(2, ("mean",), structure=False, with_self=True)
    loops = dense + np.eye(NODES)
    mean = loops / loops.sum(1, keepdims=True)
    expected = np.concatenate([x, mean @ x, mean @ mean @ x], 1)
    np.testing.assert_allclose(recipe.table(edges, x, ["a", "b"]).values, expected, rtol=1e-5)


def test_a_negative_weight_is_refused():
    edges = Edges.from_pairs(np.array([0]), np.array([1]), 2, np.array([-1.0]))
    with pytest.raises(InputError, match="negative"):
        Neighbourhood().table(edges, np.zeros((2, 1), np.float32), ["a"])


@pytest.mark.parametrize("symmetric", [False, True])
def test_structure_equals_networkx(symmetric):
    edges, dense = make(symmetric=symmetric)
    columns, names = structural_columns(edges)
    found = dict(zip(names, columns.T, strict=True))
    graph = nx.from_numpy_array(np.maximum(dense, dense.T))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    for name, expected in (
        ("number of partners", dict(graph.degree())),
        ("core number", nx.core_number(graph)),
        ("clustering", nx.clustering(graph)),
    ):
        assert found[name] == pytest.approx([expected[i] for i in range(NODES)]), name
    if not symmetric:
        assert (found["number of senders"] == (dense > 0).sum(1)).all()
        assert (found["number of receivers"] == (dense > 0).sum(0)).all()


def test_weights_are_summed_by_direction():
    edges, dense = make(weighted=True)
    columns, names = structural_columns(edges)
    found = dict(zip(names, columns.T, strict=True))
    assert found["weight received"] == pytest.approx(dense.sum(1), rel=1e-6)
    assert found["weight sent"] == pytest.approx(dense.sum(0), rel=1e-6)


def test_the_spectrum_is_that_of_the_normalised_adjacency():
    edges, dense = make(symmetric=True, self_loops=False)
    loops = dense + np.eye(NODES)
    scale = loops.sum(1) ** -0.5
    normalised = scale[:, None] * loops * scale
    left, values, _ = np.linalg.svd(normalised)
    found = spectral_columns(edges, 4, 0)
    expected = (left[:, :4] * values[:4]) @ (left[:, :4] * values[:4]).T
    assert found @ found.T == pytest.approx(expected, abs=1e-2)
