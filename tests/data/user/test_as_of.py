"""What was known on a day."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user import Declaration, from_frames, from_transactions
from aiec_graph.errors import InputError


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "source": ["a", "a", "b", "c"],
            "target": ["b", "c", "a", "d"],
            "amount": [1.0, 2.0, 4.0, 8.0],
            "time": ["2026-01-01", "2026-01-02 23:59:59", "2026-01-03", "2026-01-04"],
        }
    )


def test_later_rows_enter_neither_features_nor_edges(table):
    known = from_transactions(table, declaration=Declaration(as_of="2026-01-02"))
    alone = from_transactions(table[:2])
    assert known.node_ids.tolist() == alone.node_ids.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(known.x, alone.x)
    np.testing.assert_array_equal(known.edge_index, alone.edge_index)
    assert any("2 of 4 rows are used" in note for note in known.notes)


def test_times_that_are_numbers(table):
    steps = table.assign(time=[1, 2, 3, 4])
    known = from_transactions(steps, declaration=Declaration(as_of="3"))
    np.testing.assert_array_equal(known.x, from_transactions(steps[:3]).x)
    with pytest.raises(InputError, match="its times are numbers; write a number"):
        from_transactions(steps, declaration=Declaration(as_of="2026-01-02"))
    with pytest.raises(InputError, match="its times are dates; write a day"):
        from_transactions(table, declaration=Declaration(as_of="3"))
    with pytest.raises(InputError, match="all rows come after as_of 0"):
        from_transactions(steps, declaration=Declaration(as_of="0"))
    with pytest.raises(InputError, match="as_of must be a day"):
        Declaration(as_of="2026-02-31")


def test_seconds_since_1970_are_met_by_a_day(table):
    seconds = table.assign(
        time=pd.to_datetime(table["time"], format="ISO8601").astype("int64") // 10**6
    )
    known = from_transactions(seconds, declaration=Declaration(as_of="2026-01-02"))
    assert len(known.y) == 3


def test_a_row_without_a_time_may_have_come_later(table):
    undated = table.assign(time=["2026-01-01", None, "2026-01-03", "2026-01-04"])
    known = from_transactions(undated, declaration=Declaration(as_of="2026-01-03"))
    assert known.edges.num_edges == 2
    assert any("rows without a time are left out: 1" in note for note in known.notes)


def test_faults_name_the_row_of_the_whole_table(table):
    late_first = table.iloc[::-1].reset_index(drop=True).assign(amount=["1", "2", "3", "x"])
    with pytest.raises(InputError, match="row 3, column amount"):
        from_transactions(late_first, declaration=Declaration(as_of="2026-01-02"))


def test_edges_of_nodes_are_left_out_too(table):
    nodes = pd.DataFrame({"id": list("abcd"), "f": [1.0, 2.0, 3.0, 4.5]})
    known = from_frames(nodes, table, Declaration(as_of="2026-01-02"))
    assert known.edges.num_edges == 2
    assert from_frames(nodes, table).edges.num_edges == 4


def test_values_of_a_category_become_columns(table):
    channels = table.assign(channel=["web", "web", "atm", None])
    declared = Declaration(aggregate={"channel": ["counts", "shares"]})
    graph = from_transactions(channels, declaration=declared)
    names = [column.name for column in graph.columns]
    found = pd.DataFrame(graph.x.numpy(), columns=names, index=graph.node_ids)
    assert found.loc["a", ["out_channel_count[web]", "out_channel_share[web]"]].tolist() == [2, 1]
    assert found.loc["c", "out_channel_share[web]"] == 0
    assert np.isnan(found.loc["d", "out_channel_share[atm]"])
    later = channels.assign(channel=["app", "app", "atm", "atm"])
    scored = from_transactions(later, declaration=declared, columns=graph.columns)
    assert [column.name for column in scored.columns] == names
    assert scored.x[0, names.index("out_channel_count[web]")] == 0
    assert any("50.0% of the values were not there" in note for note in scored.notes)


def test_transactions_go_both_ways_where_declared(table):
    assert from_transactions(table, declaration=Declaration(undirected=True)).edges.num_edges == 6
