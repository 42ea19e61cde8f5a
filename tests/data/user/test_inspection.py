"""What deserves a look: labels, constant columns, nodes without edges, hubs, currencies, times."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user import Declaration, from_frames, from_transactions, profile_own
from aiec_graph.data.user.advice import gather_lines

N = 200
RNG = np.random.default_rng(1)


def nodes(**columns):
    label = np.where(np.arange(N) % 10 == 0, 1, 0)
    base = {"id": [f"n{i}" for i in range(N)], "size": RNG.normal(size=N), "label": label}
    return pd.DataFrame({**base, **columns})


def edges(source=None, target=None, **columns):
    source = np.arange(N) if source is None else source
    target = (np.arange(N) + 1) % N if target is None else target
    ends = {"source": [f"n{i}" for i in source], "target": [f"n{i}" for i in target]}
    return pd.DataFrame({**ends, **columns})


def said(nodes_, edges_, **declared):
    return "\n".join(from_frames(nodes_, edges_, Declaration(**declared)).notes)


def test_of_a_sound_graph_nothing_is_said():
    assert from_frames(nodes(), edges()).notes == ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": np.full(N, -1)}, "no node has a label"),
        ({"label": np.ones(N, int)}, "every labelled node is anomalous"),
        (
            {"label": [1] * 30 + [0] * 30 + [-1] * (N - 60)},
            r"60 of 200 .* \(30.0%\).*50.00%.*rarer",
        ),
        ({"constant": np.full(N, 3.5), "one": ["a"] * N}, "same value throughout: constant, one"),
        ({"after": np.where(np.arange(N) % 10 == 0, 5.0, RNG.uniform(0, 1, N))}, "'after' alone"),
        ({"label": [1] * 20 + [0] * (N - 20)}, "rows are sorted by their label"),
        ({"split": ["train", "val"] * 99 + ["test"] * 2}, "the part test .* holds no anomalous"),
        ({"label": [1, 1] + [0] * (N - 2)}, "2 of these anomalous .* needs 3 of each"),
    ],
)
def test_what_is_said_of_nodes(columns, message):
    import re

    assert re.search(message, said(nodes(**columns), edges()))


def test_nodes_without_edges_and_hubs_are_told():
    some = np.arange(0, N // 2)
    text = said(nodes(), edges(some, (some + 1) % (N // 2)))
    assert "100 of 200 nodes (50.0%) have no edge" in text
    text = said(nodes(), edges(np.arange(1, N), np.zeros(N - 1, int)))
    assert "'n0' (100%)" in text
    assert "no edges, so nodes are told by their features alone" in said(nodes(), edges([], []))


def test_columns_of_edges_that_are_not_used_are_told_unless_dropped():
    frame = edges(channel=["web"] * N)
    assert "edges: channel is not used" in said(nodes(), frame)
    assert "channel" not in said(nodes(), frame, drop=["channel"])


def test_currencies_and_the_span_of_times_are_told(tmp_path):
    frame = edges(
        amount=np.arange(N, dtype=float),
        currency=["EUR", "USD"] * (N // 2),
        time=["2026-01-01T00:00Z", "2026-01-31T12:00Z"] * (N // 2),
    )
    frame.to_csv(tmp_path / "transactions.csv", index=False)
    found = profile_own(tmp_path)
    warnings, notes = "\n".join(found.warnings), "\n".join(found.notes)
    assert "amount is summed over 2 values of currency (EUR, USD)" in warnings
    assert "from 2026-01-01 00:00 to 2026-01-31 12:00 UTC (30.5 days)" in notes
    assert "summed over" not in "\n".join(from_transactions(frame.assign(currency="EUR")).notes)


def test_time_steps_are_told(tmp_path):
    nodes(time_step=np.arange(N) // 50 + 3).to_csv(tmp_path / "nodes.csv", index=False)
    edges().to_csv(tmp_path / "edges.csv", index=False)
    assert "time steps from 3 to 6" in "\n".join(profile_own(tmp_path).notes)


def test_the_lines_to_write_are_gathered_by_key():
    messages = [
        "a: say 'drop: [x]' in graph.yaml, or rename it",
        'b: say \'drop: ["it\\"s", y]\' in graph.yaml',
        "c: say 'decimal: \".\"' in graph.yaml for fractions, 'thousands: \".\"' in graph.yaml",
        "d: nothing to write",
    ]
    assert gather_lines(messages) == ['drop: [x, "it\\"s", y]', 'decimal: "."']


def test_with_the_lines_that_are_advised_the_tables_can_be_used(tmp_path):
    """Tables as they often are: a row number, masks, other names of the ends."""
    rows = nodes().drop(columns="size")
    rows["is_train"], rows["has_label"] = np.arange(N) % 2 == 0, True
    rows.to_csv(tmp_path / "nodes.csv")
    frame = edges(amount=RNG.uniform(1, 9, N), timestamp=1_500_000_000 + np.arange(N))
    frame.rename(columns={"source": "from", "target": "to"}).to_csv(tmp_path / "edges.csv")
    found = profile_own(tmp_path)
    assert len(found.faults) == 5
    roles = {(c.name, c.role) for c in found.columns}
    assert roles >= {("", "ignored"), ("is_train", "ignored"), ("has_label", "ignored")}
    assert roles >= {("id", "id"), ("label", "label"), ("from", "source"), ("to", "target")}
    (tmp_path / "graph.yaml").write_text("\n".join(found.lines))
    found = profile_own(tmp_path)
    assert not found.faults
    assert ("timestamp", "time") in {(c.name, c.role) for c in found.columns}
    assert {c.name for c in found.columns if c.role == "feature"} == set()
    assert found.tables is not None
    assert all(f.column.name.startswith(("in_", "out_")) for f in found.tables.nodes.features)


def test_accounts_that_are_numbered_by_bank_are_told():
    numbers = [f"8{i // 2:03d}" for i in range(N)]
    frame = pd.DataFrame(
        {
            "From Bank": np.arange(N) % 2,
            "source": numbers,
            "To Bank": np.arange(N) % 2,
            "target": numbers[::-1],
            "amount": 1.0,
        }
    )
    text = "\n".join(from_transactions(frame).notes)
    assert "100 of 100 ids in source stand beside several values of From Bank" in text
    assert "source=['From Bank', 'source']" in text
    assert "target=['To Bank', 'target']" in text
    declared = Declaration(source=["From Bank", "source"], target=["To Bank", "target"])
    graph = from_transactions(frame, declaration=declared)
    assert len(graph.y) == N
    assert "stand beside" not in "\n".join(graph.notes)
    assert "stand beside" not in "\n".join(
        from_transactions(frame.assign(**{"From Bank": 1, "To Bank": 1})).notes
    )


@pytest.mark.parametrize(
    ("code", "is_told"), [(-999, True), (9999, True), (-998, False), (9, False)]
)
def test_a_number_that_stands_for_a_missing_one_is_told(code, is_told):
    count = 40
    x = np.where(np.arange(count) % 8 == 0, code, np.linspace(0, 1, count))
    nodes = pd.DataFrame({"id": range(count), "x": x, "label": np.arange(count) % 4 == 0})
    edges = pd.DataFrame({"source": [0], "target": [1]})
    notes = from_frames(nodes, edges).notes
    assert any(f"'x' holds {code} in 5 of 40 rows" in note for note in notes) == is_told
    tame = from_frames(nodes.assign(x=np.where(x == code, 99, x * 99 + 1)), edges).notes
    assert not any("'x' holds" in note for note in tame)


def test_transactions_twice_and_their_unused_label_are_told(tmp_path):
    rows = {
        "source": ["a", "b"],
        "target": ["b", "a"],
        "amount": [1.5, 2.5],
        "time": ["2026-01-05"] * 2,
    }
    frame = pd.DataFrame({**rows, "Is Laundering": [0, 1]})
    pd.concat([frame, frame]).to_csv(tmp_path / "transactions.csv", index=False)
    found = profile_own(tmp_path)
    assert any(
        "rows that equal an earlier one in source, target, amount, time: 2 of 4" in note
        for note in found.notes
    )
    assert any("'transaction_label: Is Laundering'" in line for line in found.warnings)
    (tmp_path / "graph.yaml").write_text("transaction_label: Is Laundering")
    assert not any("no label is read" in line for line in profile_own(tmp_path).warnings)
