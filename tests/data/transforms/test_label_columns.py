"""Label columns tell of neighbours' labels and nothing of a node's own."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from aiec_graph.data import Edges
from aiec_graph.data.transforms.label_columns import FOLDS, _folds, label_columns
from aiec_graph.errors import InputError
from aiec_graph.metrics import auc

CLIQUES, SIZE = 150, 10
NODES = CLIQUES * SIZE


def cliques():
    """All of a clique are partners: where leaving out one's own label alone tells it."""
    pairs = np.array([(i, j) for i in range(SIZE) for j in range(SIZE) if i != j])
    both = (pairs + SIZE * np.arange(CLIQUES)[:, None, None]).reshape(-1, 2).T
    return Edges.from_pairs(both[0], both[1], NODES)


def random_edges(seed, nodes=NODES, loops=True):
    rng = np.random.default_rng(seed)
    source, target = rng.integers(nodes, size=(2, 4 * nodes))
    keep = source != target if not loops else np.ones(len(source), bool)
    return Edges.from_pairs(source[keep], target[keep], nodes)


def draw(seed, nodes=NODES):
    rng = np.random.default_rng(seed)
    return (rng.random(nodes) < 0.3).astype(np.int64), rng.random(nodes) < 0.6


def naive(edges, y, known, seed):
    """The same by loops over a dense matrix."""
    matrix = edges.to_scipy().toarray() != 0
    matrix = matrix | matrix.T
    np.fill_diagonal(matrix, False)
    fold = _folds(y, known, seed)
    nodes = len(y)
    rows = []
    for i in range(nodes):
        usable = known & ((fold != fold[i]) | ~known[i])
        at, row = np.zeros(nodes), []
        at[i] = 1
        for _ in range(2):
            step = np.zeros(nodes)
            for j in np.flatnonzero(at):
                near = np.flatnonzero(matrix[j])
                step[near] += at[j] / max(len(near), 1)
            at = step
            bad, all_known = at[usable & (y == 1)].sum(), at[usable].sum()
            scale = FOLDS / (FOLDS - 1) if known[i] else 1
            row += [scale * bad, bad / all_known if all_known > 0 else np.nan]
        rows.append(row)
    return np.array(rows)


def test_columns_equal_a_loop():
    edges = random_edges(0, 80)
    y, known = draw(1, 80)
    table = label_columns(edges, y, known, 2)
    np.testing.assert_allclose(table.values, naive(edges, y, known, 2), rtol=1e-5, atol=1e-6)
    assert table.names[0] == "known anomalies among partners"


def test_a_label_moves_no_column_of_its_own_fold_nor_one_from_an_unknown_label():
    edges = random_edges(0, 200)
    y, known = draw(1, 200)
    before = label_columns(edges, y, known, 2).values
    fold = _folds(y, known, 2)
    other = np.where(known, y, 1 - y)
    np.testing.assert_array_equal(label_columns(edges, other, known, 2).values, before)
    # Two nodes of one fold exchange labels: the folds stay as balanced as they were.
    members = [np.flatnonzero((fold == 0) & (y == label))[0] for label in (0, 1)]
    y[members] = y[members[::-1]]
    import aiec_graph.data.transforms.label_columns as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_folds", lambda *_: fold)
        after = label_columns(edges, y, known, 2).values
    np.testing.assert_array_equal(after[fold == 0], before[fold == 0])
    assert not np.array_equal(after, before, equal_nan=True)


@pytest.mark.parametrize("make", [cliques, lambda: random_edges(7)])
def test_random_labels_cannot_be_read_off_the_columns(make):
    edges = make()
    of_training, of_test = [], []
    for seed in range(8):
        y, known = draw(seed)
        values = np.nan_to_num(label_columns(edges, y, known, seed).values, nan=-1)
        of_training.append([auc(y[known], column[known]) for column in values.T])
        forest = RandomForestClassifier(40, min_samples_leaf=5, random_state=seed)
        score = forest.fit(values[known], y[known]).predict_proba(values)[:, 1]
        of_test.append(auc(y[~known], score[~known]))
    assert np.mean(of_training, 0) == pytest.approx([0.5] * 4, abs=0.02)
    assert np.mean(of_test) == pytest.approx(0.5, abs=0.02)


def test_leaving_out_the_own_label_alone_would_tell_it():
    # What the folds are for: this is what the test above would find without them.
    edges = cliques()
    y, known = draw(0)
    near = edges.to_scipy()
    left = near @ (y * known) / np.maximum(near @ known, 1)
    inside = [auc(y[c][known[c]], -left[c][known[c]]) for c in _mixed_cliques(y, known)]
    assert min(inside) == 1


def _mixed_cliques(y, known):
    blocks = np.arange(NODES).reshape(CLIQUES, SIZE)
    return [block for block in blocks if len(set(y[block][known[block]])) == 2]


def test_too_few_known_nodes_are_refused():
    y, known = np.zeros(NODES, np.int64), np.ones(NODES, bool)
    with pytest.raises(InputError, match="5 known nodes of each class, not 0"):
        label_columns(random_edges(0), y, known, 0)
