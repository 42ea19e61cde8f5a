"""Graphs from one table of transactions."""

import statistics

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data import load_dataset
from aiec_graph.data.user import Declaration, from_transactions
from aiec_graph.errors import InputError

AGGREGATES = ["sum", "mean", "std", "min", "max", "median", "count", "nunique"]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    names = np.array([f"acc{i}" for i in range(12)])
    return pd.DataFrame(
        {
            "source": rng.choice(names, 80),
            "target": rng.choice(names[:9], 80),
            "amount": rng.choice([1.0, 2.5, 10.0, 99.0], 80),
            "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 1e6, 80), "s"),
            "channel": rng.choice(["web", "card", "atm"], 80),
            "fraud": rng.choice(["1", "0", ""], 80, p=[0.1, 0.7, 0.2]),
        }
    )


def described_by_hand(rows, account, own, partner):
    """The oracle: one account's features in one direction, by plain loops."""
    mine = [row for row in rows if row[own] == account]
    amounts = [row["amount"] for row in mine]
    times = sorted(row["time"].timestamp() for row in mine)
    nan = float("nan")
    span = times[-1] - times[0] if times else nan
    return {
        "count": len(mine),
        "partners": len({row[partner] for row in mine}),
        "amount_sum": sum(amounts),
        "amount_mean": statistics.fmean(amounts) if amounts else nan,
        "amount_std": statistics.stdev(amounts) if len(amounts) > 1 else nan,
        "amount_min": min(amounts, default=nan),
        "amount_max": max(amounts, default=nan),
        "amount_median": statistics.median(amounts) if amounts else nan,
        "amount_count": len(amounts),
        "amount_nunique": len(set(amounts)),
        "channel_nunique": len({row["channel"] for row in mine}),
        "time_span": span,
        "time_gap": span / (len(mine) - 1) if len(mine) > 1 else nan,
    }


def test_features_agree_with_a_loop_over_the_rows(table):
    before = table.copy()
    declared = Declaration(
        aggregate={"amount": AGGREGATES, "channel": ["nunique"]}, transaction_label="fraud"
    )
    graph = from_transactions(table, declaration=declared)
    pd.testing.assert_frame_equal(table, before)
    rows = table.to_dict("records")
    assert graph.columns is not None
    names = [c.name for c in graph.columns]
    for i, account in enumerate(graph.node_ids):
        found = dict(zip(names, graph.x[i].tolist(), strict=True))
        for direction, own, partner in (("out", "source", "target"), ("in", "target", "source")):
            for name, value in described_by_hand(rows, account, own, partner).items():
                assert found.pop(f"{direction}_{name}") == pytest.approx(
                    value, rel=1e-5, nan_ok=True
                ), (account, direction, name)
        assert not found
        marks = [row["fraud"] for row in rows if row["source"] == account]
        expected = 1 if "1" in marks else 0 if "0" in marks else -1
        assert graph.y[i] == expected


def test_edges_count_transactions_or_sum_a_column(table):
    def by_pair(frame, column=None):
        grouped = frame.groupby(["source", "target"])
        return grouped.size() if column is None else grouped[column].sum()

    for declared, expected in (
        (Declaration(), by_pair(table)),
        (Declaration(weight="amount"), by_pair(table, "amount")),
    ):
        graph = from_transactions(table, declaration=declared)
        number = {name: i for i, name in enumerate(graph.node_ids)}
        matrix = graph.edges.to_scipy()
        assert matrix.nnz == len(expected)
        for (source, target), value in expected.items():
            assert matrix[number[target], number[source]] == pytest.approx(value)


SECONDS = [1767607920 + 1000 * i for i in range(6)]


@pytest.mark.parametrize(
    ("column", "before", "now", "message"),
    [
        ("amount", ["5%"] * 6, [5.0] * 6, "as plain numbers, and was written with '%'"),
        ("amount", [5.0] * 6, ["5%"] * 6, "with '%', and was written as plain numbers"),
        ("amount", ["5 EUR"] * 6, ["5 USD"] * 6, ""),
        ("amount", ["1.234,50"] * 6, ["1.234"] * 6, None),
        ("time", SECONDS, [1000 * s for s in SECONDS], "times in milliseconds, which were in sec"),
        ("time", ["2026-01-05"] * 6, [1000 * s for s in SECONDS], "times in milliseconds, which"),
        ("time", ["2026-01-05"] * 6, SECONDS, None),
        ("time", [1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], None),
    ],
)
def test_a_later_table_is_written_as_that_of_the_training(column, before, now, message):
    rows = {
        "source": list("aabbcc"),
        "target": list("bcacab"),
        "amount": [float(i) for i in range(6)],
    }
    trained = from_transactions(pd.DataFrame({**rows, column: before}))
    later = pd.DataFrame({**rows, column: now})
    if message:
        with pytest.raises(InputError, match=message):
            from_transactions(later, columns=trained.columns)
        return
    found = from_transactions(later, columns=trained.columns)
    told = [n for n in found.notes if "with 'USD', and was written with 'EUR'" in n]
    assert len(told) == (message == "")
    if now == ["1.234"] * 6:
        assert trained.columns is not None
        names = [c.name for c in trained.columns]
        assert found.x[0, names.index("out_amount_max")] == 1234


@pytest.mark.parametrize("lost", ["time", "amount"])
def test_a_column_that_features_were_made_of_is_named(lost):
    rows = {"source": ["a", "b", "a"], "target": ["b", "a", "b"], "amount": [1, 2, 3]}
    table = pd.DataFrame({**rows, "time": ["2026-01-05", "2026-01-06", "2026-01-07"]})
    columns = from_transactions(table).columns
    with pytest.raises(InputError) as error:
        from_transactions(table.drop(columns=lost), columns=columns)
    assert str(error.value).count("the transactions have no column") == 1
    assert f"no column {lost!r}, of which features were made" in str(error.value)


@pytest.mark.parametrize(("whom", "labels"), [("target", [-1, 1, 0]), ("both", [1, 1, 0])])
def test_whom_a_label_is_about(whom, labels):
    table = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "fraud": [1, 0]})
    declared = Declaration(transaction_label="fraud", label_of=whom)
    assert from_transactions(table, declaration=declared).y.tolist() == labels


def test_a_folder_with_accounts(table, tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "bank"
    folder.mkdir()
    accounts = pd.DataFrame(
        {"id": ["acc3", "quiet"], "country": ["IT", "NO"], "label": [1, 0], "split": ["train"] * 2}
    )
    table.drop(columns="fraud").to_csv(folder / "transactions.csv", index=False)
    accounts.to_parquet(folder / "accounts.parquet")
    graph = load_dataset(str(folder))
    assert graph.node_ids[:2].tolist() == ["acc3", "quiet"]
    assert graph.y[:2].tolist() == [1, 0]
    assert (graph.y[2:] == -1).all()
    assert graph.columns is not None
    names = [c.name for c in graph.columns]
    quiet = dict(zip(names, graph.x[1].tolist(), strict=True))
    assert quiet["out_count"] == quiet["in_amount_sum"] == 0
    assert np.isnan(quiet["out_amount_mean"])
    alone = load_dataset(str(folder / "transactions.csv"))
    assert set(alone.node_ids) == set(graph.node_ids) - {"quiet"}


@pytest.mark.parametrize(
    ("change", "declared", "message"),
    [
        ({"amount": "ten"}, {}, r"transactions, row 0, column amount: 'ten' is not a number"),
        ({"amount": np.inf}, {}, "not a finite number"),
        (
            {"time": "yesterday"},
            {},
            "holds neither numbers nor dates in a usual form, such as 'yesterday'",
        ),
        ({"source": None}, {}, "row 0: source is empty"),
        ({}, {"transaction_label": "fruad"}, "no column 'fruad'.*Did you mean 'fraud'"),
        ({"fraud": "maybe"}, {"transaction_label": "fraud"}, "label 'maybe'.* is none of"),
        ({}, {"aggregate": {"channel": ["mean"]}}, "column channel: .* is not a number"),
        ({}, {"target": "payee"}, "names the column 'payee' .target., which is not there"),
    ],
)
def test_errors_name_the_row(table, change, declared, message):
    with pytest.raises(InputError, match=message):
        from_transactions(table.assign(**change), declaration=Declaration(**declared))


def test_accounts_that_do_not_fit(table):
    twice = pd.DataFrame({"id": ["a", "a"], "x": [1, 2]})
    with pytest.raises(InputError, match=r"accounts, row 1: the id 'a' is repeated"):
        from_transactions(table, twice)
    with pytest.raises(InputError, match="'out_count' is computed here; rename it"):
        from_transactions(table, pd.DataFrame({"id": ["a"], "out_count": [1]}))
    labelled = pd.DataFrame({"id": ["a"], "label": [1]})
    with pytest.raises(InputError, match="labels are given both for accounts"):
        from_transactions(table, labelled, Declaration(transaction_label="fraud"))
    with pytest.raises(InputError, match="Did you mean 'mean'"):
        Declaration(aggregate={"amount": ["meen"]})


def test_dates_are_read_in_one_way(table):
    mixed = table.assign(time=["13/01/2026", "02/01/2026"] * 40)
    graph = from_transactions(mixed, declaration=Declaration(transaction_label="fraud"))
    names = [column.name for column in graph.columns]
    spans = graph.x[:, names.index("out_time_span")]
    assert set(spans[~spans.isnan()].tolist()) <= {0.0, 11 * 86400.0}
    with pytest.raises(InputError, match=r"column time: '02/01/2026' and '03/01/2026' can be read"):
        from_transactions(table.assign(time=["02/01/2026", "03/01/2026"] * 40))
    both = table.assign(time=["2026-01-01", "2026-01-02T10:00:00"] * 40)
    assert from_transactions(both, declaration=Declaration(transaction_label="fraud")) is not None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (Declaration(amount="eur"), r"'eur' \(amount\), which is not there"),
        (Declaration(time="booked"), r"'booked' \(time\)"),
        (Declaration(weight="eur"), r"'eur' \(weight\)"),
        (
            Declaration(transaction_label="fraud", aggregate={"fraud": ["sum"]}),
            "'fraud' labels the transactions",
        ),
    ],
)
def test_declared_columns_of_transactions_are_there_and_tell_no_label(table, declared, said):
    with pytest.raises(InputError, match=said):
        from_transactions(table, declaration=declared)
