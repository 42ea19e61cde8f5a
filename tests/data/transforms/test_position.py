"""Position columns against NetworkX and dense powers."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data.transforms.position import position_columns
from aiec_graph.graph.edges import Edges


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=40)
def test_columns_are_those_of_networkx(nodes, seed, has_directions):
    rng = np.random.default_rng(seed)
    dense = rng.random((nodes, nodes)) < 0.3  # self-loops among them
    target, source = np.nonzero(dense)
    values, names = position_columns(Edges.from_pairs(source, target, nodes), has_directions)
    found = dict(zip(names, np.expm1(values.astype(np.float64)).T, strict=True))
    np.fill_diagonal(dense, False)
    both = dense | dense.T
    graph = nx.from_numpy_array(both)
    expected = {
        "log number of partners": both.sum(1),
        "log core number": list(nx.core_number(graph).values()),
        "log triangles": list(nx.triangles(graph).values()),
        "log size of its component": [
            len(nx.node_connected_component(graph, i)) for i in range(nodes)
        ],
    }
    matrix = dense if has_directions else both
    expected["log walks of 3 steps from it"] = np.linalg.matrix_power(matrix.T.astype(int), 3).sum(
        1
    )
    if has_directions:
        expected["log number of senders"] = dense.sum(1)
        expected["log number of receivers"] = dense.sum(0)
        expected["log walks of 5 steps to it"] = np.linalg.matrix_power(dense.astype(int), 5).sum(1)
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-4, atol=1e-5, err_msg=name)
    logs = dict(zip(names, values.T, strict=True))
    degree = np.log1p(both.sum(1))
    mean = [degree[row].mean() if row.any() else 0 for row in both]
    largest = [degree[row].max() if row.any() else 0 for row in both]
    np.testing.assert_allclose(
        logs["mean log number of partners over partners"], mean, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        logs["largest log number of partners over partners"], largest, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("has_directions", "columns"), [(True, 32), (False, 10)])
def test_every_column_is_named_once(has_directions, columns):
    edges = Edges.from_pairs(np.array([0, 1]), np.array([1, 2]), 3)
    values, names = position_columns(edges, has_directions)
    assert values.shape == (3, columns)
    assert len(set(names)) == columns
