"""Sampled neighbourhoods: what they may hold, and how often."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import chisquare

from aiec_graph.ops.samples import ALL, NO_ENTRY, Draw, Rows
from aiec_graph.ops.sampling import FEW, degrees, sample_neighbours, stream_key


@st.composite
def graphs(draw):
    """A graph, seeds and a fan-out; times of entries and seeds."""
    nodes = draw(st.integers(1, 12))
    pairs = st.tuples(*[st.integers(0, nodes - 1)] * 2)
    edges = draw(st.sets(pairs, max_size=40))
    target, source = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2).T
    indptr = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(target, minlength=nodes), out=indptr[1:])
    seeds = draw(st.lists(st.integers(0, nodes - 1), unique=True, max_size=5))
    fanout = draw(st.lists(st.sampled_from([ALL, 1, 2, 5]), min_size=1, max_size=3))
    key = draw(st.integers(0, 2**64 - 1))
    return indptr, source.astype(np.int32), np.array(seeds, np.int64), fanout, key


def rows_of(sample, hop):
    """The rows whose neighbours were sampled at a hop."""
    ends = [0, *sample.hop_rows]
    return range(ends[hop], ends[hop + 1])


@settings(max_examples=150, deadline=None)
@given(graphs(), st.booleans(), st.booleans(), st.booleans())
def test_what_is_sampled(graph, replace, keep_loops, disjoint):
    indptr, indices, seeds, fanout, key = graph
    parts = Rows(indptr, indices), seeds, fanout, key, Draw(replace, keep_loops, disjoint)
    found, again = sample_neighbours(*parts), sample_neighbours(*parts)
    assert all(map(np.array_equal, found, again))
    assert np.array_equal(found.nodes[: len(seeds)], seeds)
    assert found.hop_nodes.sum() == len(found.nodes) and found.hop_nodes[0] == len(seeds)
    trees = found.tree if disjoint else np.zeros(len(found.nodes), int)
    assert len({*zip(trees.tolist(), found.nodes.tolist(), strict=True)}) == len(found.nodes)
    for hop, number in enumerate(fanout):
        for row in rows_of(found, hop):
            node, at = found.nodes[row], slice(found.indptr[row], found.indptr[row + 1])
            entries, columns = found.entries[at], found.indices[at]
            own = range(indptr[node], indptr[node + 1])
            assert {*entries} <= {*own, NO_ENTRY}, "only entries of the node's own row"
            sources = np.array([node if e == NO_ENTRY else indices[e] for e in entries], int)
            assert np.array_equal(found.nodes[columns], sources)
            assert (trees[columns] == trees[row]).all()
            if not replace:
                assert len({*entries}) == len(entries), "nothing twice"
            others = [e for e in own if not keep_loops or indices[e] != node]
            assert found.neighbours[row] == len(others)
            wanted = len(others) if number == ALL else number
            expected = min(wanted, len(others)) if not replace else wanted * bool(others)
            assert len(entries) == expected + keep_loops
            if keep_loops:
                assert sources[found.loops[row] - at.start] == node
                assert (sources == node).sum() == 1


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_no_sampled_edge_is_later_than_its_seed(graph, data):
    indptr, indices, seeds, fanout, key = graph
    times = st.integers(-3, 3)
    time = np.array(data.draw(st.lists(times, min_size=len(indices), max_size=len(indices))))
    time = time.astype(np.int64)
    for node in range(len(indptr) - 1):
        time[indptr[node] : indptr[node + 1]].sort()
    seed_time = np.array(
        data.draw(st.lists(times, min_size=len(seeds), max_size=len(seeds))), np.int64
    )
    rows, options = Rows(indptr, indices, time), (key, Draw(disjoint=True), seed_time)
    found = sample_neighbours(rows, seeds, fanout, *options)
    for row in range(len(found.indptr) - 1):
        entries = found.entries[found.indptr[row] : found.indptr[row + 1]]
        limit, node = seed_time[found.tree[row]], found.nodes[row]
        assert (time[entries] < limit).all()
        earlier = (time[indptr[node] : indptr[node + 1]] < limit).sum()
        assert found.neighbours[row] == earlier
    everything = sample_neighbours(rows, seeds, [ALL], *options)
    for seed, limit in enumerate(seed_time):
        taken = everything.indptr[seed + 1] - everything.indptr[seed]
        node = seeds[seed]
        assert taken == (time[indptr[node] : indptr[node + 1]] < limit).sum()


@pytest.mark.parametrize("wanted", [1, 3, 7, FEW + 3])
@pytest.mark.parametrize("replace", [False, True])
def test_neighbours_are_drawn_uniformly(wanted, replace):
    """Each neighbour as often as each other, and (without replacement) each pair."""
    degree, draws = FEW + 8, 4000
    indptr = np.array([0, degree] + [degree] * degree)
    indices = np.arange(1, degree + 1).astype(np.int32)
    chosen = np.stack(
        [
            sample_neighbours(
                Rows(indptr, indices), np.array([0]), [wanted], stream_key(1, n), Draw(replace)
            ).entries
            for n in range(draws)
        ]
    )
    counts = np.bincount(chosen.ravel(), minlength=degree)
    spread = draws * wanted / degree * (1 if replace else 1 - wanted / degree)
    statistic = ((counts - draws * wanted / degree) ** 2 / spread).sum()
    # Counts without replacement are correlated, which scales their chi-square.
    scale = 1 if replace else degree / (degree - 1)
    # A chi-square of degree − 1 freedoms: mean degree − 1, standard deviation √(2 (degree − 1)).
    assert abs(statistic / scale - (degree - 1)) < 5 * np.sqrt(2 * (degree - 1))
    if wanted == 3 and not replace:
        pairs = np.zeros((degree, degree))
        for a, b in ((0, 1), (0, 2), (1, 2)):
            np.add.at(pairs, (chosen[:, a], chosen[:, b]), 1)
        pairs = (pairs + pairs.T)[np.triu_indices(degree, 1)]
        assert chisquare(pairs).pvalue > 1e-4


def test_hops_are_drawn_as_by_a_plain_oracle():
    """The distribution of the nodes of two hops, against Python's own sampling."""
    rng = np.random.default_rng(0)
    matrix = sparse.random_array((9, 9), density=0.5, format="csr", rng=rng)
    matrix.sort_indices()
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    draws = 3000
    ours, plain = np.zeros(9), np.zeros(9)
    for n in range(draws):
        ours[sample_neighbours(Rows(indptr, indices), np.array([4]), [2, 2], n).nodes] += 1
        reached, frontier = {4}, [4]
        for _ in range(2):
            new = []
            for node in frontier:
                own = indices[indptr[node] : indptr[node + 1]]
                for source in rng.choice(own, min(2, len(own)), replace=False):
                    if source not in reached:
                        reached.add(int(source))
                        new.append(int(source))
            frontier = new
        plain[[*reached]] += 1
    deviation = np.sqrt(2 * draws * 0.25)
    assert np.abs(ours - plain).max() < 5 * deviation


def test_a_node_draws_the_same_whatever_else_is_in_the_batch():
    """So processes that share out the seeds sample what one would."""
    rng = np.random.default_rng(0)
    matrix = sparse.random_array((200, 200), density=0.1, format="csr", rng=rng)
    matrix.sort_indices()
    rows = Rows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32))

    def edges(seeds):
        found = sample_neighbours(rows, seeds, [4, 4], 7, Draw(keep_loops=True))
        targets = np.repeat(found.nodes[: len(found.indptr) - 1], np.diff(found.indptr))
        return {*zip(targets.tolist(), found.nodes[found.indices].tolist(), strict=True)}

    both = edges(np.arange(20))
    assert edges(np.arange(0, 20, 2)) | edges(np.arange(1, 20, 2)) == both


def test_seeds_that_cannot_be_used():
    rows = Rows(np.array([0, 1, 1]), np.array([1], np.int32))
    with pytest.raises(ValueError, match="outside of the 2 nodes"):
        sample_neighbours(rows, np.array([2]), [1], 0)
    with pytest.raises(ValueError, match="outside of the 2 nodes"):
        sample_neighbours(rows, np.array([-1]), [1], 0)
    with pytest.raises(ValueError, match="twice among the seeds"):
        sample_neighbours(rows, np.array([1, 1]), [1], 0)
    with pytest.raises(ValueError, match="times need disjoint trees"):
        sample_neighbours(rows._replace(time=np.array([1])), np.array([1]), [1], 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_degrees_with_self_loops(weighted):
    rng = np.random.default_rng(1)
    matrix = sparse.random_array((30, 30), density=0.2, format="csr", rng=rng)
    matrix.sort_indices()
    if not weighted:
        matrix.data[:] = 1
    incoming, outgoing = np.zeros(30), np.zeros(30)
    weight = matrix.data if weighted else np.empty(0)
    degrees(matrix.indptr, matrix.indices, weight, incoming, outgoing)
    dense = matrix.toarray()
    dense[(dense == 0) & np.eye(30, dtype=bool)] = 1
    np.testing.assert_allclose(incoming, dense.sum(1))
    np.testing.assert_allclose(outgoing, dense.sum(0))
