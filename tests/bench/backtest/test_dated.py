"""Tables with dates: nothing of the future reaches a cut."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aiec_graph.bench.backtest.cuts import Cut, Schedule
from aiec_graph.bench.backtest.dated import DatedTimeline, own_timeline
from aiec_graph.bench.backtest.moments import moment_of
from aiec_graph.bench.backtest.runs import Views, fit_and_score
from aiec_graph.bench.backtest.spec import BacktestSpec
from aiec_graph.bench.backtest.timeline import StepTimeline
from aiec_graph.cli.main import main
from aiec_graph.data.user import Declaration, from_transactions, load_own
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import UNKNOWN
from aiec_graph.train.settings import TrainSettings
from tests.bench.backtest.test_timeline import equal

START, DAYS = pd.Timestamp("2024-01-01"), 30
seeds = st.integers(0, 2**32 - 1)


def on(day):
    """The moment of a day of the tables below."""
    return moment_of((START + pd.Timedelta(days=int(day))).date().isoformat(), "day")


def dates(days):
    return (START + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d")


def payments(rng, rows, low, high, names):
    """Transactions of the days from low up to high."""
    return pd.DataFrame(
        {
            "id": low * 1000 + np.arange(rows),
            "source": rng.choice(names, rows),
            "target": rng.choice(names, rows),
            "amount": rng.integers(1, 99, rows),
            "channel": rng.choice(["web", "shop"], rows),
            "time": dates(rng.integers(low, high, rows)),
            "fraud": rng.choice([0, 0, 1], rows),
        }
    )


def accounts(rng, names, low, high):
    return pd.DataFrame(
        {
            "id": names,
            "label": rng.choice([0, 0, 1], len(names)),
            "region": rng.choice(list("abc"), len(names)),
            "device": rng.integers(0, 4, len(names)),
            "opened": dates(rng.integers(low, high, len(names))),
        }
    )


COLUMN = {"drop": ["id", "fraud"], "aggregate": {"amount": ["sum"], "channel": ["counts"]}}
KINDS = {
    "accounts": {**COLUMN, "link_by": ["device"], "tell_apart": True},
    "labelled rows": {**COLUMN, "transaction_label": "fraud"},
    "payments": {"nodes_are": "transactions", "transaction_label": "fraud"},
    "nodes": {"time_step": "opened", "link_by": ["device"], "drop": ["id", "fraud", "channel"]},
}


def tables(kind, seed, day, future):
    """Tables whose rows after a day depend on another seed than those before it."""
    past, later = np.random.default_rng(seed), np.random.default_rng(future)
    old, new = [f"a{i}" for i in range(12)], [f"a{i}" for i in range(12, 20)]
    rows = [payments(past, 40, 0, day + 1, old), payments(later, 30, day + 1, DAYS, old + new)]
    # A column of what is not known yet: when an account was closed.
    people = [accounts(past, old, 0, day + 1), accounts(later, new, day + 1, DAYS)]
    closed = np.concatenate([past.integers(0, day + 1, 6), later.integers(day + 1, DAYS, 14)])
    found = {"transactions": pd.concat(rows)}
    everyone = pd.concat(people).assign(closed=dates(closed))
    if kind == "accounts":
        found["accounts"] = everyone.drop(columns="opened")
    if kind == "nodes":
        found = {"nodes": everyone, "edges": pd.concat(rows)}
    return found


def write(folder, kind, found):
    folder.mkdir()
    for name, frame in found.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "graph.yaml").write_text(yaml.safe_dump(KINDS[kind]), "utf-8")
    return folder


def timeline(folder, features="standard"):
    return own_timeline(folder, lambda: load_own(folder), features)


@pytest.mark.parametrize("kind", KINDS)
@given(seeds, seeds, st.integers(1, DAYS - 2), st.integers(0, 3), st.booleans())
@settings(deadline=None, max_examples=3, phases=[Phase.explicit, Phase.generate])
def test_another_future_changes_nothing_at_a_cut(kind, seed, future, day, delay, structural):
    features = "own+structural" if structural else "standard"
    with tempfile.TemporaryDirectory() as path:
        first, second = (
            timeline(write(Path(path) / str(i), kind, tables(kind, seed, day, s)), features)
            for i, s in enumerate((future, future + 1))
        )
        assert first.unit == "day"
        cut = Cut(on(day), on(0), on(day) - delay - 1, on(day) - delay, 5)
        one, two = (Views(t).at(cut, cut.moment) for t in (first, second))
        equal(one.graph, two.graph)
        np.testing.assert_array_equal(one.moment, two.moment)
        assert (one.moment <= on(day)).all()
        assert (one.graph.y[one.moment > cut.known] == UNKNOWN).all()


def test_a_snapshot_is_made_of_the_rows_until_then(tmp_path):
    """Against pandas, which filters the rows first."""
    found = tables("labelled rows", 1, 14, 2)
    declared = KINDS["labelled rows"]
    dated = timeline(write(tmp_path / "rows", "labelled rows", found))
    assert isinstance(dated, DatedTimeline)
    rows = found["transactions"]
    for day in (3, 14, 29):
        known = rows[rows["time"] <= dates([day])[0]]
        expected = from_transactions(known, None, Declaration(**declared))
        graph, moment = dated.at(on(day))
        names = list(expected.node_ids)
        order = [names.index(name) for name in graph.node_ids]
        np.testing.assert_array_equal(graph.x, expected.x[order])
        np.testing.assert_array_equal(dated.labels(on(day))[: len(names)], expected.y[order])
        ends = pd.concat([known["source"], known["target"]])
        first = pd.concat([known["time"]] * 2).groupby(ends.to_numpy()).min()
        np.testing.assert_array_equal(dates(moment - on(0)), first[list(graph.node_ids)])
    assert dated.labels(on(0) - 1).tolist() == [UNKNOWN] * len(dated.y)


def test_dates_that_have_not_come_are_missing(tmp_path):
    """Of an account that closes later, and that was known to close in advance or not."""
    found = tables("accounts", 1, 14, 2)
    graph, _ = timeline(write(tmp_path / "rows", "accounts", found)).at(on(20))
    names = [column.name for column in graph.columns]
    closed = found["accounts"].set_index("id")["closed"][list(graph.node_ids)]
    age = (pd.Timestamp("2024-01-21") - pd.to_datetime(closed)).dt.days.to_numpy(float)
    expected = np.where(age < 0, np.nan, age)
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(graph.x[:, names.index("closed")], expected)


def test_later_snapshots_have_the_columns_of_the_cut(tmp_path):
    dated = timeline(write(tmp_path / "rows", "accounts", tables("accounts", 1, 14, 2)))
    cut = Cut(on(10), on(0), on(6), on(10), 12)
    views = Views(dated)
    assert views.at(cut, on(20)).graph.columns == views.at(cut, cut.moment).graph.columns


def test_another_future_changes_no_score(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"a{i}" for i in range(150)]
    rows = payments(rng, 400, 0, DAYS, names)
    people = accounts(rng, names, 0, DAYS)
    later = rows["time"] > dates([21])[0]
    other = rows.assign(amount=np.where(later, 10**6, rows["amount"]))
    frames = []
    for i, table in enumerate((rows, other)):
        found = {"transactions": table, "accounts": people.drop(columns="opened")}
        views = Views(timeline(write(tmp_path / str(i), "accounts", found)))
        cut = Cut(on(14), on(0), on(8), on(13), 10)
        brief = TrainSettings(epochs=3, features="standard")
        spec = BacktestSpec("d", None, "standard", "gcn", "relu", brief, cut, "f1")
        frames.append(fit_and_score(views, spec, 1).frame)
    mine, theirs = (frame[frame["age"] <= 7] for frame in frames)
    assert len(mine)
    pd.testing.assert_frame_equal(mine, theirs)


def test_days_are_planned_as_they_are_written(tmp_path, capsys):
    rows = payments(np.random.default_rng(0), 300, 0, DAYS, [f"a{i}" for i in range(200)])
    folder = write(tmp_path / "rows", "labelled rows", {"transactions": rows})
    command = ["backtest", str(folder), "--from", "2024-01-06", "--every", "1w", "--horizon", "7d"]
    command += ["--train-window", "30d", "--label-delay", "2d", "--model", "logistic", "--plan"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "cut 2024-01-06, 7 days after it: train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"transactions": t["transactions"].drop(columns="time")}, "needs the time of"),
        (
            lambda t: {
                "nodes": pd.DataFrame({"id": ["a0"], "label": [1], "time_step": [1], "x": [0.5]}),
                "edges": pd.DataFrame({"source": ["a0"], "target": ["a0"], "time": "2024-01-01"}),
            },
            "one has dates and the other numbers",
        ),
        (
            lambda t: {
                "nodes": pd.DataFrame({"id": ["a0"], "label": [1], "x": [0.5]}),
                "edges": pd.DataFrame({"source": ["a0"], "target": ["a0"]}),
            },
            "needs the time of each node",
        ),
    ],
)
def test_tables_whose_times_cannot_be_used_are_refused(tmp_path, change, message):
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, frame in change(tables("labelled rows", 1, 14, 2)).items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    with pytest.raises(InputError, match=message):
        timeline(folder)


def test_numbers_and_seconds_are_times_too(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    frame = pd.DataFrame({"source": list("abc"), "target": list("bcd"), "amount": [1, 2, 3]})
    frame.assign(time=[0.5, 1.0, 2.5]).to_csv(folder / "transactions.csv", index=False)
    steps = timeline(folder)
    assert (steps.unit, steps.moment.tolist(), steps.last) == ("step", [1, 1, 1, 3], 3)
    seconds = 86_400 * (19_000 + np.array([0, 1, 2])) + 86_399
    frame.assign(time=seconds).to_csv(folder / "transactions.csv", index=False)
    days = timeline(folder)
    assert (days.unit, days.moment.tolist()) == ("day", [19_000, 19_000, 19_001, 19_002])
    assert len(days.at(19_001).graph.y) == 3


def test_nodes_with_days_and_columns_alone_are_sliced(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    nodes = pd.DataFrame({"id": list("abc"), "label": [0, 1, 0], "x": [1, 2, 3]})
    nodes["time_step"] = ["2024-01-02", "2024-01-01", "2024-01-03"]
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges = pd.DataFrame({"source": list("ab"), "target": list("bc")})
    edges.to_csv(folder / "edges.csv", index=False)
    found = timeline(folder)
    assert isinstance(found, StepTimeline)
    assert (found.unit, found.moment.tolist()) == ("day", [on(0), on(1), on(2)])
    assert Schedule(cuts=1, start=on(1), horizon=1).start == on(1)


@pytest.mark.parametrize("table", ["nodes with steps", "nodes", "labels"])
def test_structure_is_enough_where_nodes_have_no_columns(tmp_path, table):
    nodes = pd.DataFrame({"id": list("abcd"), "label": [0, 1, 0, 1]})
    edges = pd.DataFrame({"source": list("abc"), "target": list("bcd")})
    if table == "nodes with steps":
        nodes["time_step"] = dates([0, 0, 1, 2])
    else:
        edges["time"] = dates([0, 1, 2])
    nodes.to_csv(tmp_path / f"{table.split()[0]}.csv", index=False)
    edges.to_csv(tmp_path / "edges.csv", index=False)
    graph, moment = timeline(tmp_path, "structural").at(on(1))
    assert graph.node_ids.tolist() == list("abc")
    assert moment.tolist() == [on(0), on(0), on(1)]
    names = [column.name for column in graph.columns]
    degree = graph.x[:, names.index("log number of partners")]
    np.testing.assert_allclose(degree, np.log1p([1, 2, 1]), rtol=1e-6)
    for features in ("standard", "own+structural"):
        with pytest.raises(InputError, match="no feature columns"):
            timeline(tmp_path, features).at(on(1))


def test_a_declared_day_is_refused(tmp_path):
    write(tmp_path / "rows", "accounts", tables("accounts", 1, 14, 2))
    (tmp_path / "rows" / "graph.yaml").write_text("as_of: 2024-01-10", "utf-8")
    with pytest.raises(InputError, match="take as_of out"):
        timeline(tmp_path / "rows")
