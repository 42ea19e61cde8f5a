"""What was known when a decision was due, on simulated transactions with fraud that changes."""

import numpy as np
import pandas as pd
import pytest

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
