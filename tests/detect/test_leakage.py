"""What was known when a decision was due, on simulated transactions with fraud that changes."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Data

from aiec_graph.cli.main import main
from aiec_graph.data.user import Declaration
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.detect.card import in_words
from aiec_graph.detect.leakage import leakage_gap
from aiec_graph.errors import InputError

DUE = 100
AGGREGATE = {"amount": ["sum", "mean", "max"]}


def simulate(accounts=1200, seed=0, planted=True):
    """Accounts opened on days 0 to 99; early fraud pays large amounts, later fraud to many.

    What is planted: after the day the decision is due, what fraud took is charged back.
    """
    rng = np.random.default_rng(seed)
    ids = np.array([f"A{i}" for i in range(accounts)])
    opened = rng.integers(0, 100, accounts)
    fraud = rng.random(accounts) < 0.15
    count = 4 + rng.poisson(3, accounts) + np.where(fraud, opened // 25, 0)
    source = np.repeat(np.arange(accounts), count)
    size = rng.lognormal(3, 1, len(source))
    size *= np.where(fraud[source], 3 - opened[source] / 50, 1)
    payments = pd.DataFrame(
        {
            "source": ids[source],
            "target": rng.choice(ids, len(source)),
            "amount": size,
            "chargeback": 0.0,
            "time": np.minimum(opened[source] + rng.integers(0, 30, len(source)), DUE),
        }
    )
    back = ids[fraud]
    booked = rng.integers(DUE + 1, DUE + 30, len(back))
    returned = {"source": back, "target": rng.choice(ids, len(back)), "amount": 1.0}
    returned |= {"chargeback": 50.0, "time": booked}
    payments = pd.concat([payments, pd.DataFrame(returned)], ignore_index=True)
    owners = pd.DataFrame({"id": ids, "label": fraud.astype(int), "time_step": opened})
    return (payments if planted else payments.drop(columns="chargeback")), owners


def declare(planted):
    return Declaration(aggregate={**AGGREGATE, **({"chargeback": ["sum"]} if planted else {})})


def fit(planted, **parameters):
    data = simulate(planted=planted)
    return FraudDetector("rf", declaration=declare(planted), n_jobs=1, **parameters).fit(data), data


def test_a_model_as_of_the_day_loses_nothing_to_planted_columns():
    honest, data = fit(True, as_of=DUE)
    clean, _ = fit(False, as_of=DUE)
    planted_ap, clean_ap = honest.metrics_["test"].ap, clean.metrics_["test"].ap
    assert clean_ap.low <= planted_ap.value <= clean_ap.high
    naive, _ = fit(True)
    assert naive.metrics_["test"].ap.value > 0.97  # it reads the future
    gap = leakage_gap(naive, data, DUE)
    assert gap.past.nodes == gap.whole.nodes
    assert gap.ap > 0.3
    assert gap.past.ap.high < gap.whole.ap.low
    assert "known as of 100, on the same" in gap.describe()
    assert gap.past.ap.value < planted_ap.value
    # After a fit it is there by itself: the past is what the card tells of the test nodes.
    assert honest.leakage_gap_.past.ap.value == planted_ap.value
    assert honest.leakage_gap_.as_of == str(DUE)
    assert naive.split_.startswith("time=")
    assert naive.leakage_gap_.whole.ap.value == naive.metrics_["val"].ap.value
    assert naive.leakage_gap_.as_of == naive.split_.rpartition(":")[2]


def test_as_of_leaves_out_nodes_of_a_later_day(tmp_path):
    """Silently, accounts of any day stayed where their time steps were dates."""
    days = pd.date_range("2026-01-01", periods=10).strftime("%Y-%m-%d")
    nodes = pd.DataFrame({"id": list("abcdefghij"), "a": range(10), "time_step": days})
    nodes["label"] = [0, 1] * 5
    edges = pd.DataFrame({"source": list("abcdefghi"), "target": list("bcdefghij")})
    nodes.to_csv(tmp_path / "nodes.csv", index=False)
    edges.to_csv(tmp_path / "edges.csv", index=False)
    for data in (tmp_path, (nodes, edges), {"nodes": nodes, "edges": edges}):
        graph = as_nodes(data, as_of="2026-01-04").graph
        assert graph.node_ids.tolist() == list("abcd")
        assert graph.edges.to_scipy().toarray().tolist() == np.eye(4, k=-1).tolist()
        assert graph.x.ravel().tolist() == [0, 1, 2, 3]
        assert "4 of 10 nodes are used" in " ".join(graph.notes)
    with pytest.raises(InputError, match="time_step holds dates; write a day"):
        as_nodes((nodes, edges), as_of=4)
    with pytest.raises(InputError, match="time steps of its nodes are numbers; write a number"):
        as_nodes((nodes.assign(time_step=range(10)), edges), as_of="2026-01-04")
    with pytest.raises(InputError, match="all nodes come after"):
        as_nodes((nodes, edges), as_of="2025-01-01")
    noon = pd.to_datetime(pd.Series(days)) + pd.Timedelta(hours=12)
    seconds = nodes.assign(time_step=noon.astype("datetime64[s]").astype(np.int64))
    assert as_nodes((seconds, edges), as_of="2026-01-04").graph.node_ids.tolist() == list("abcd")


def test_as_of_is_not_ignored_where_nothing_has_a_time(graph, tmp_path):
    matrix = graph.edges.to_scipy()
    with pytest.raises(InputError, match="needs nodes with a time step"):
        as_nodes((matrix, graph.x.numpy()), as_of=3)
    data = Data(
        x=graph.x, edge_index=torch.zeros(2, 1, dtype=torch.long), y=torch.from_numpy(graph.y)
    )
    torch.save(data, tmp_path / "graph.pt")
    with pytest.raises(InputError, match="needs nodes with a time step"):
        as_nodes(tmp_path / "graph.pt", as_of=3)


def test_as_of_leaves_out_rows_nodes_and_what_cannot_be_dated(graph):
    payments, owners = simulate(300)
    nodes = as_nodes((payments, owners), None, declare(True), as_of=50)
    assert nodes.graph.time_step.max() == 50
    known = payments[payments["time"] <= 50]
    inside = known[known[["source", "target"]].isin(set(nodes.graph.node_ids)).all(axis=1)]
    assert nodes.graph.edges.num_edges == len(inside[["source", "target"]].drop_duplicates())
    assert as_nodes(nodes, as_of=50) is nodes
    assert as_nodes(nodes, as_of=20).graph.time_step.max() == 20
    with pytest.raises(InputError, match="needs nodes with a time step"):
        as_nodes(graph, as_of=3)
    with pytest.raises(InputError, match="must be a time step"):
        as_nodes(graph, as_of="2026-01-01")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same as tables, with a graph.yaml."""
    path = tmp_path_factory.mktemp("leakage") / "data"
    path.mkdir()
    payments, owners = simulate(500)
    payments.to_csv(path / "transactions.csv", index=False)
    owners.to_csv(path / "accounts.csv", index=False)
    (path / "graph.yaml").write_text("aggregate: {amount: [sum, mean, max], chargeback: [sum]}\n")
    return path


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
def test_what_was_known_at_the_training_does_not_cut_later_data(folder):
    detector = FraudDetector("hgb", as_of=DUE).fit(folder)
    assert detector.declaration_["as_of"] == str(DUE)
    later, then = detector.read(folder), detector.read(folder, as_of=DUE)
    assert later.graph.edges.num_edges > then.graph.edges.num_edges
    assert (later.as_of, then.as_of) == ("", str(DUE))


def test_commands_take_a_time_and_show_the_gap(folder, tmp_path, capsys):
    model, out = tmp_path / "model", tmp_path / "list.csv"
    assert call("fit", folder, "--out", model, "--model", "hgb") == 0
    line = FraudDetector.load(model).leakage_gap_.describe()
    assert line in capsys.readouterr().err and line in (model / "card.md").read_text("utf-8")
    assert call("score", model, folder, "--as-of", DUE, "--out", out) == 0
    past = pd.read_csv(out).set_index("id")["score"]
    assert call("score", model, folder, "--out", out) == 0
    whole = pd.read_csv(out).set_index("id")["score"]
    assert (past.sort_index() != whole.sort_index()).any()
    capsys.readouterr()
    assert call("evaluate", model, folder, "--as-of", DUE) == 0
    said = capsys.readouterr().out
    assert "leakage gap: AP" in said and "as of 100, on the same" in said
    page = tmp_path / "report.html"
    arguments = ("--out", page, "--suspects", 1, "--without-baselines")
    assert call("report", model, folder, *arguments, "--as-of", DUE) == 0
    text = " ".join(page.read_text("utf-8").split())
    assert "scored with all of the data and with what was known as of 100" in text
    gap = leakage_gap(FraudDetector.load(model), folder, DUE)
    assert (
        f"<td>{in_words(gap.whole.ap)}</td>" in text and f"<td>{in_words(gap.past.ap)}</td>" in text
    )
    assert call("score", model, folder, "--as-of", "soon", "--out", out) == 2
    assert "as_of must be a day" in capsys.readouterr().err
