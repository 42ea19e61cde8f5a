"""Transactions as nodes, against loops over their rows."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user import Declaration, from_transactions
from aiec_graph.errors import InputError

DAY = 86_400.0


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    names = np.array(list("abcdef"))
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 40, 60) * 6, "h")
    return pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(60)],
            "source": rng.choice(names, 60),
            "target": rng.choice(names, 60),
            "amount": rng.choice([1.0, 5.0, 20.0], 60),
            "time": times,
            "device": rng.choice(["d1", "d2", "d3", None], 60),
            "label": rng.choice([0, 1], 60),
        }
    )


def earlier(rows, i, now, then, window):
    """The oracle: earlier transactions, the latest last, by a loop."""
    me = rows[i]
    found = [
        j
        for j, row in enumerate(rows)
        if row[then] is not None
        and row[then] == me[now]
        and (row["time"], j) < (me["time"], i)
        and row["time"] >= me["time"] - window
    ]
    return sorted(found, key=lambda j: (rows[j]["time"], j))


@pytest.mark.parametrize(("window", "seconds"), [("", np.inf), ("2d", 2 * DAY)])
def test_edges_and_history_agree_with_loops(table, window, seconds):
    declared = Declaration(
        nodes_are="transactions",
        join=["flow", "source", "target"],
        join_window=window,
        join_cap=3,
        link_by=["device"],
        link_cap=2,
        tell_apart=True,
    )
    graph = from_transactions(table, declaration=declared)
    rows = table.assign(time=table["time"].astype("datetime64[s]").astype("int64")).to_dict(
        "records"
    )
    rows = [{**row, "device": None if pd.isna(row["device"]) else row["device"]} for row in rows]
    names = [column.name for column in graph.columns]
    assert "device" not in names
    pairs = set(map(tuple, graph.edge_index.T.tolist()))
    expected = set()
    ways = {"flow": ("source", "target"), "source": ("source",) * 2, "target": ("target",) * 2}
    words = {"flow": "source_got", "source": "source_sent", "target": "target_got"}
    for i, row in enumerate(rows):
        x = dict(zip(names, graph.x[i].tolist(), strict=True))
        for kind, (now, then) in ways.items():
            before = earlier(rows, i, now, then, seconds)
            expected |= {(j, i) for j in before[-3:]}
            assert x[f"{words[kind]}_count"] == len(before)
            mean = np.mean([rows[j]["amount"] for j in before]) if before else np.nan
            gap = row["time"] - rows[before[-1]]["time"] if before else np.nan
            assert x[f"{words[kind]}_amount_mean"] == pytest.approx(mean, nan_ok=True)
            assert x[f"{words[kind]}_gap"] == pytest.approx(gap, nan_ok=True)
            assert x[f"{kind}: count"] == len(before[-3:])
            mean = np.mean([rows[j]["amount"] for j in before[-3:]]) if before else np.nan
            assert x[f"{kind}: mean amount"] == pytest.approx(mean, nan_ok=True)
        if row["device"] is not None:
            expected |= {(j, i) for j in earlier(rows, i, "device", "device", seconds)[-2:]}
    assert pairs == expected
    assert graph.y.tolist() == table["label"].tolist()
    assert (graph.time_step == [row["time"] // 86_400 for row in rows]).all()


def test_nothing_of_the_future_enters(table):
    declared = Declaration(nodes_are="transactions", link_by=["device"], tell_apart=True)
    by_time = table.sort_values("time", kind="stable", ignore_index=True)
    whole = from_transactions(by_time, declaration=declared)
    past = from_transactions(by_time[:40], declaration=declared)
    np.testing.assert_array_equal(whole.x[:40], past.x)
    inside = whole.edge_index[:, whole.edge_index[1] < 40]
    assert set(map(tuple, inside.T.tolist())) == set(map(tuple, past.edge_index.T.tolist()))


def test_caps_are_reported_and_later_payments_get_the_same_columns(table):
    declared = Declaration(nodes_are="transactions", join_cap=1, tell_apart=True)
    graph = from_transactions(table.drop(columns="id"), declaration=declared)
    assert graph.node_ids[:3].tolist() == [0, 1, 2]
    assert any("have more than 1, and keep the latest" in note for note in graph.notes)
    later = table.iloc[:, ::-1].drop(columns="label")[:20]
    scored = from_transactions(later, declaration=declared, columns=graph.columns)
    assert scored.columns == graph.columns
    assert (scored.y == -1).all()


@pytest.mark.parametrize(
    ("change", "declared", "message"),
    [
        ({"time": None}, {}, "row 0: has no time"),
        ({}, {"time": "when"}, "'when' .time., which is not there"),
        ({}, {"join_window": "a week"}, "join_window must be like 7d"),
        ({}, {"link_by": ["devise"]}, "'devise' .link_by.*Did you mean 'device'"),
        ({}, {"join": ["flows"]}, "Did you mean 'flow'"),
        ({}, {"nodes_are": "payments"}, "nodes_are"),
    ],
)
def test_what_cannot_be_used_is_named(table, change, declared, message):
    with pytest.raises(InputError, match=message):
        from_transactions(
            table.assign(**change), None, Declaration(**{"nodes_are": "transactions", **declared})
        )
