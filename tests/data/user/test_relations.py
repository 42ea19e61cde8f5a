"""Links by shared values, and kinds of edges told apart."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data import load_dataset
from aiec_graph.data.user import Declaration, from_frames, from_transactions
from aiec_graph.data.user.relations import link_by_value
from aiec_graph.errors import InputError


@settings(max_examples=60, deadline=None)
@given(
    codes=st.lists(st.integers(-1, 3), max_size=25),
    cap=st.integers(2, 8),
    hubs=st.sampled_from(["cap", "drop", "weigh"]),
)
def test_links_agree_with_a_loop(codes, cap, hubs):
    source, target, weight, hub_count = link_by_value(np.array(codes, np.int64), cap, hubs)
    pairs = list(zip(source.tolist(), target.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    large = 0
    expected = set()
    for value in set(codes) - {-1}:
        members = [i for i, code in enumerate(codes) if code == value]
        mine = {(a, b) for a, b in pairs if codes[a] == value}
        if len(members) <= cap + 1:
            assert mine == set(permutations(members, 2))
        else:
            large += 1
            degrees = [sum(b == i for _, b in mine) for i in members]
            assert degrees == [0 if hubs == "drop" else cap // 2 * 2] * len(members)
            assert {(b, a) for a, b in mine} == mine
        expected |= mine
    assert set(pairs) == expected
    assert hub_count == large
    if hubs == "weigh":
        assert weight.tolist() == [1 / (codes.count(codes[i]) - 1) for i in source]


@pytest.fixture
def nodes():
    return pd.DataFrame(
        {
            "id": list("abcdef"),
            "age": [1.0, 2.0, 4.0, 8.0, np.nan, 32.5],
            "device": ["p", "p", "p", "q", None, "q"],
            "label": [1, 0, 1, 0, 0, 0],
        }
    )


def test_accounts_that_share_a_device_are_joined(nodes, tmp_path, monkeypatch):
    declared = Declaration(link_by=["device"])
    graph = from_frames(nodes, None, declared)
    assert [c.name for c in graph.columns] == ["age"]
    expected = {*permutations((0, 1, 2), 2), (3, 5), (5, 3)}
    assert set(map(tuple, graph.edge_index.T.tolist())) == expected
    assert any("8 links between nodes that share a value" in note for note in graph.notes)
    hubs = from_frames(nodes, None, Declaration(link_by=["device"], link_cap=2, hubs="drop"))
    assert hubs.edges.num_edges == 8
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "bank"
    folder.mkdir()
    nodes.to_csv(folder / "nodes.csv", index=False)
    (folder / "graph.yaml").write_text("link_by: [device]\nhubs: weigh\n")
    weighed = load_dataset(str(folder))
    assert weighed.edges.num_edges == 8
    assert weighed.edges.to_scipy()[0].sum() == pytest.approx(1)


def test_kinds_of_edges_are_told_apart(nodes):
    edges = pd.DataFrame(
        {"source": list("abca"), "target": list("bcab"), "via": ["card", "card", "cash", None]}
    )
    declared = Declaration(link_by=["device"], edge_type="via", tell_apart=True)
    graph = from_frames(nodes, edges, declared)
    found = pd.DataFrame(
        graph.x.numpy(), columns=[c.name for c in graph.columns], index=nodes["id"]
    )
    assert found["card: count"].tolist() == [0, 1, 1, 0, 0, 0]
    assert found["cash: count"].tolist() == [1, 0, 0, 0, 0, 0]
    assert found["edges: count"].tolist() == [0, 1, 0, 0, 0, 0]
    assert found["device: count"].tolist() == [2, 2, 2, 1, 0, 1]
    assert found["device: mean age"].tolist()[:4] == [3.0, 2.5, 1.5, 32.5]
    assert np.isnan(found.loc["e", "device: mean age"])
    assert found.loc["a", "cash: mean age"] == 4.0
    merged = {(0, 1), (1, 2), (2, 0), *permutations((0, 1, 2), 2), (3, 5), (5, 3)}
    assert set(map(tuple, graph.edge_index.T.tolist())) == merged
    cards = edges[edges["via"] == "card"].drop(columns=[])
    later = from_frames(nodes, cards, declared, columns=graph.columns)
    assert later.columns == graph.columns
    at = [c.name for c in later.columns].index("cash: count")
    assert later.x[:, at].sum() == 0


def test_accounts_of_transactions_are_linked_too(nodes):
    payments = pd.DataFrame({"source": list("abz"), "target": list("bca"), "amount": [1.5, 2, 3]})
    graph = from_transactions(payments, nodes, Declaration(link_by=["device"], tell_apart=True))
    assert graph.edges.num_edges == len(
        {(0, 1), (1, 2), (6, 0), *permutations((0, 1, 2), 2), (3, 5), (5, 3)}
    )
    names = [c.name for c in graph.columns]
    assert graph.x[:, names.index("device: count")].tolist() == [2, 2, 2, 1, 0, 1, 0]
    assert graph.x[:, names.index("edges: count")].tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_a_column_that_is_not_there_is_named(nodes):
    with pytest.raises(InputError, match=r"'devise' .link_by.*Did you mean 'device'"):
        from_frames(nodes, None, Declaration(link_by=["devise"]))
    with pytest.raises(InputError, match="link_cap must be from 2"):
        Declaration(link_by=["device"], link_cap=1)
    with pytest.raises(InputError, match="there is no such table"):
        table = pd.DataFrame({"source": ["a"], "target": ["b"], "amount": [1.0]})
        from_transactions(table, declaration=Declaration(link_by=["device"]))
