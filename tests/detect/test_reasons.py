import re
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from aiec_graph.data import Edges
from aiec_graph.data.transforms.neighbourhood import Neighbourhood
from aiec_graph.data.transforms.structural import undirected
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.detect.inputs import subgraph
from aiec_graph.detect.reasons import MOST_REMOVED, Explainer, find_nodes
from aiec_graph.detect.reasons_columns import Prepared, contributions
from aiec_graph.detect.reasons_reach import reach_of
from aiec_graph.detect.reasons_removal import (
    rows_without,
    score_within,
    score_without,
    without_pair,
)
from aiec_graph.detect.reasons_values import Values
from aiec_graph.detect.reasons_words import ColumnReason, duration, number
from aiec_graph.errors import InputError
from benchmarks.reasons import PLANTED, simulate

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")


@pytest.fixture(scope="module")
def planted():
    return as_nodes(simulate(1200, 0))


def explainer_of(planted, model, **options):
    detector = FraudDetector(model, **options).fit(planted)
    return Explainer(detector, planted.graph)


@pytest.fixture(scope="module")
def boosted(planted):
    return explainer_of(planted, "xgb_graph")


@pytest.fixture(scope="module")
def network(planted):
    return explainer_of(planted, "sage", epochs=40, hidden=16)


def top_of(explainer, count=20):
    return np.argsort(-explainer.score)[:count]


@pytest.mark.parametrize("kind", ["boosted", "network"])
def test_reasons_recover_what_was_planted(request, kind):
    explainer = request.getfixturevalue(kind)
    total = {}
    for reasons in explainer.explain(top_of(explainer)):
        for column in reasons.columns:
            total[column.column] = total.get(column.column, 0) + abs(column.contribution)
    top = sorted(total, key=lambda name: -total[name])[:5]
    assert len(PLANTED & set(top)) >= 4, top


@pytest.mark.parametrize("kind", ["boosted", "network"])
def test_the_named_neighbour_changes_the_score_more_than_any_other(request, kind):
    explainer = request.getfixturevalue(kind)
    pairs, named = [], []
    for reasons in explainer.explain(top_of(explainer)):
        first = reasons.neighbours[0]
        near = explainer.partners[[reasons.node]].indices.tolist()
        assert reasons.num_removed == reasons.num_neighbours == len(near) <= MOST_REMOVED
        assert first.without == pytest.approx(reasons.score - first.change, abs=1e-5)
        pairs += [(reasons.node, other) for other in near]
        named += [abs(first.change)] * len(near)
    without = score_without(explainer.detector.classifier_, explainer.prepared, np.array(pairs))
    changes = np.abs(explainer.score[np.array(pairs)[:, 0]] - without)
    assert len(pairs) >= 60
    assert (np.array(named) >= changes - 1e-4).all()


def test_a_neighbour_is_told_in_words(network):
    reasons = network.explain(top_of(network)[:1])[0]
    first = reasons.neighbours[0]
    before, then = network.detector.calibrator_(np.array([reasons.score, first.without]))
    verb = "falls" if first.change > 0 else "rises"
    said = (
        f"without {first.id} the score {verb} from {reasons.score:.3g} to {first.without:.3g}, the "
        f"probability from {before:.2f} to {then:.2f} ({first.id} itself scores {first.score:.3g}"
    )
    assert said in "\n".join(reasons.lines())
    plain = replace(first, probability=None, is_flagged=True)
    assert ", the probability" not in plain.sentence() and "and is flagged)" in plain.sentence()
    told = replace(reasons, is_described=True).scope()
    assert "columns that were made of the graph depend on more" in told


def without_edges(graph, node, other):
    matrix = graph.edges.to_scipy().tolil()
    matrix[node, other] = matrix[other, node] = 0
    pairs = matrix.tocoo()
    weight = None if graph.edges.weight is None else pairs.data
    return replace(graph, edges=Edges.from_pairs(pairs.col, pairs.row, len(graph.y), weight))


@pytest.mark.parametrize(
    ("model", "act"), [("gcn", "relu"), ("sage", "aiec"), ("bwgnn", "relu"), ("rf_graph", "relu")]
)
def test_the_score_without_a_neighbour_is_that_of_the_graph_without_it(graph, model, act):
    detector = FraudDetector(model, act, epochs=3, hidden=8).fit(graph)
    explainer = Explainer(detector, graph)
    degree = np.diff(explainer.partners.indptr)
    pairs = np.array([(v, explainer.partners[[v]].indices[0]) for v in np.argsort(-degree)[:6]])
    found = score_without(detector.classifier_, explainer.prepared, pairs)
    for pair, score in zip(pairs.tolist(), found, strict=True):
        expected = detector.decision_function(without_edges(graph, *pair))[pair[0]]
        assert score == pytest.approx(expected, abs=1e-4)
    assert (np.abs(found - explainer.score[pairs[:, 0]]) > 1e-6).any()


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("with_self", [False, True])
def test_rows_of_a_table_without_a_neighbour(graph, is_weighted, with_self):
    rng = np.random.default_rng(0)
    edges = graph.edges
    if is_weighted:
        edges = replace(edges, weight=rng.integers(1, 5, edges.num_edges).astype(np.float32))
    graph = replace(graph, edges=edges)
    kind = Neighbourhood(2, ("mean",), False, True) if with_self else Neighbourhood()
    x = rng.standard_normal((len(graph.y), 3)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    names = ["p", "q", "r"]
    table = kind.table(edges, x, names)
    pairs = np.array([(edges.targets[e], edges.indices[e]) for e in range(0, 60, 5)])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    rows = rows_without(kind, edges, table, 3, pairs)
    # The structural columns of other nodes, and core numbers, are left as they are.
    exact = [k for k, name in enumerate(table.names) if name.endswith((" p", " q", " r"))]
    exact += [k for k, name in enumerate(table.names) if re.search(r" (p|q|r) over", name)]
    structure = ["number of partners", "number of senders", "clustering", "weight received"]
    exact += [table.names.index(name) for name in structure if name in table.names]
    assert len(exact) >= (6 if with_self else 70)
    for pair, row in zip(pairs.tolist(), rows, strict=True):
        expected = kind.table(without_edges(graph, *pair).edges, x, names).values[pair[0]]
        np.testing.assert_allclose(row[exact], expected[exact], rtol=1e-4, atol=1e-5)


def test_a_matrix_without_a_pair(graph):
    matrix = graph.edges.to_scipy()
    node, other = int(graph.edges.targets[7]), int(graph.edges.indices[7])
    expected = matrix.toarray()
    expected[node, other] = expected[other, node] = 0
    np.testing.assert_array_equal(without_pair(matrix, node, other).toarray(), expected)


@pytest.mark.parametrize("model", ["xgb_graph", "hgb", "logistic"])
def test_contributions_of_tables_add_up_to_the_margin(graph, model):
    detector = FraudDetector(model).fit(graph)
    explainer = Explainer(detector, graph)
    found = contributions(detector.classifier_, explainer.prepared, np.arange(30))
    rest = explainer.score[:30] - found.values.sum(1)
    np.testing.assert_allclose(rest, rest.mean(), atol=1e-3)  # the same base for all


def test_contributions_to_a_network_add_up_to_what_sets_it_apart_from_a_usual_graph(network):
    node = top_of(network, 1)
    found = contributions(network.detector.classifier_, network.prepared, node)
    classifier = network.detector.classifier_
    x = classifier.preprocessor_.transform(network.graph)
    usual = x[torch.from_numpy(network.prepared.usual)].mean(0).expand_as(x)
    with torch.no_grad():
        logits = classifier.networks_[0](usual, network.prepared.whole.adjacency)[node[0]]
    base = float(logits[1] - logits[0])
    # Eight points of the path: the kinks of the network leave a few hundredths.
    assert found.values.sum() == pytest.approx(network.score[node[0]] - base, rel=0.05)


def test_a_mixture_gives_the_reasons_of_its_members(planted):
    detector = FraudDetector("auto_no_networks", budget=1.0).fit(planted)
    explainer = Explainer(detector, planted.graph)
    reasons = explainer.explain(top_of(explainer, 3))
    assert [r.columns[0].contribution > 0 for r in reasons] == [True] * 3
    values = explainer.values.column("c0")
    np.testing.assert_array_equal(values, planted.graph.x[:, 0].numpy())


def test_values_and_what_is_typical(network, planted):
    around = network.values.column("mean of c2 over partners")
    matrix = planted.graph.edges.to_scipy().toarray()
    x = planted.graph.x[:, 2].numpy()
    expected = matrix @ x / matrix.sum(1)
    np.testing.assert_allclose(around, expected, rtol=1e-4, atol=1e-5)
    typical = network.values.typical("mean of c2 over partners")
    assert typical == pytest.approx(np.nanmedian(expected[~network.flag]), abs=1e-5)


def test_reasons_by_id_in_words(detector, frames):
    top = detector.rank(frames)["id"].tolist()[:2]
    reasons = detector.explain(frames, top)
    assert [r.id for r in reasons] == top
    text = "\n".join(reasons[0].lines())
    assert "typical" in text and "AIEC keeps" in text
    assert "a " in str(reasons[0])
    channels = reasons[0].channels
    assert channels is not None
    assert sorted(channels.kept + channels.silenced) == list(range(8))


def test_unknown_ids_are_named_all(detector, frames, graph):
    with pytest.raises(InputError, match=r"no node 'N0-1x', 'zzz'.*Did you mean"):
        detector.explain(frames, ["N0-1", "N0-1x", "zzz"])
    assert find_nodes(graph, ["N0-3", "N0-1"]).tolist() == [3, 1]
    assert detector.explain(frames, []) == []


def test_words():
    assert str(ColumnReason("amount", 1.0, 4210.0, 35.25)) == "amount 4,210, typical 35.2"
    assert str(ColumnReason("kind is odd", 1.0, 1.0, 0.0, True)) == "kind is odd"
    assert str(ColumnReason("kind is odd", 1.0, 0.0, 0.0, True)) == "not: kind is odd"
    assert str(ColumnReason("amount", 1.0, float("nan"), 3.0)) == "amount: missing, typical 3"
    assert number(0.12345) == "0.123"
    near = ColumnReason("share", 1.0, 0.015712, 0.015684)
    assert str(near) == "share 0.01571, typical 0.01568"
    times = [(90.0, "90 s"), (150.0, "2.5 min"), (9000.0, "2.5 hours"), (1490400.0, "17.2 days")]
    for seconds, said in (*times, (float("nan"), "unknown")):
        assert duration(seconds) == said
    gap = ColumnReason("gap", 1.0, 86_400.0 * 400, 300.0, notation="seconds")
    assert str(gap) == "gap 400 days, typical 5 min"
    count = ColumnReason("log number of partners", 1.0, np.log1p(23), np.log1p(3), notation="log1p")
    assert str(count) == "number of partners 23, typical 3"


def test_spans_of_time_are_told_as_such():
    payments = pd.DataFrame({"source": list("abcab"), "target": list("bcabc"), "amount": 1.0})
    payments["time"] = pd.date_range("2026-01-01", periods=5, freq="5h")
    values = Values(None, Prepared(as_nodes(payments).graph, np.ones(3, bool)))
    for name, is_span in (
        ("out_time_gap", True),
        ("mean over partners of their mean of in_time_span", True),
        ("out_amount_sum", False),
        ("std of out_count over senders", False),
    ):
        assert values.notation(name) == ("seconds" if is_span else "")


def hops_away(partners, node):
    """By a plain search, the distance of each node that can be reached."""
    distance, last, hop = {node: 0}, [node], 0
    while last:
        hop += 1
        last = [j for i in last for j in partners[[i]].indices.tolist() if j not in distance]
        distance |= dict.fromkeys(last, hop)
    return distance


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_a_reach_is_what_a_plain_search_finds(graph, hops):
    partners = undirected(graph.edges)
    distance = hops_away(partners, 5)
    near = sorted(j for j, d in distance.items() if d <= hops)
    further = sorted(j for j, d in distance.items() if d <= hops + (hops > 0))
    whole = reach_of(partners, 5, hops)
    assert whole.nodes.tolist() == further and whole.within == len(near)
    assert not whole.is_capped and whole.nodes[whole.row] == 5
    if hops:
        few = reach_of(partners, 5, hops, most=len(further) - 1)
        assert few.is_capped and few.within == len(near) and len(few.nodes) == len(further) - 1
        assert set(near) <= set(few.nodes.tolist()) < set(further)


@pytest.mark.parametrize(("model", "act"), [("gcn", "relu"), ("gat", "aiec"), ("bwgnn", "relu")])
def test_the_score_within_a_whole_reach_is_the_score(graph, model, act):
    detector = FraudDetector(model, act, epochs=3, hidden=8).fit(graph)
    explainer = Explainer(detector, graph)
    nodes = np.arange(8)
    sizes = [len(explainer.prepared.reach(node, explainer.hops).nodes) for node in nodes]
    assert min(sizes) < len(graph.y)
    within = score_within(detector.classifier_, explainer.prepared, nodes)
    np.testing.assert_allclose(within, explainer.score[nodes], atol=1e-5)


def test_a_reach_that_is_cut_says_so(graph, monkeypatch):
    detector = FraudDetector("sage", epochs=3, hidden=8).fit(graph)
    full = Explainer(detector, graph).explain(np.array([5]))[0]
    assert full.part is None and "the reasons are those" not in full.scope()
    cut = partial(reach_of, most=15)
    monkeypatch.setattr("aiec_graph.detect.reasons_columns.reach_of", cut)
    explainer = Explainer(detector, graph)
    found = explainer.explain(np.array([5]))[0]
    assert found.reach == full.reach > 15 and found.part.nodes == 15
    assert "within 2 hops; the reasons are those of 15 of them" in found.scope()
    inside = cut(explainer.partners, 5, 2)
    alone = subgraph(graph, inside.nodes)
    score = detector.classifier_.decision_function(alone)
    assert found.part.score == pytest.approx(score[inside.row], abs=1e-5)
    for reason in found.neighbours:
        at = int(np.searchsorted(inside.nodes, reason.node))
        without = detector.classifier_.decision_function(without_edges(alone, inside.row, at))
        expected = score[inside.row] - without[inside.row]
        assert reason.change == pytest.approx(expected, abs=1e-4)


def test_rows_of_hubs_are_made_a_few_at_a_time(graph, monkeypatch):
    detector = FraudDetector("hgb_graph").fit(graph)
    explainer = Explainer(detector, graph)
    degree = np.diff(explainer.partners.indptr)
    pairs = np.array([(v, explainer.partners[[v]].indices[0]) for v in np.argsort(-degree)[:9]])
    found = score_without(detector.classifier_, explainer.prepared, pairs)
    monkeypatch.setattr("aiec_graph.detect.reasons_removal.ENTRIES_AT_ONCE", 20)
    again = score_without(detector.classifier_, explainer.prepared, pairs)
    np.testing.assert_array_equal(found, again)
