"""Preprocessing is fitted on training nodes alone, goes with the network, and runs no code."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from aiec_graph.data import Edges, Graph, Preprocessor
from aiec_graph.data.user import Declaration, from_frames
from aiec_graph.errors import InputError

NO_EDGES = pd.DataFrame({"source": [], "target": []}, dtype=str)


def plain(x):
    none = np.zeros(0, np.int64)
    count = len(x)
    return Graph(
        "toy", x, Edges.from_pairs(none, none, count), np.zeros(count, int), np.arange(count)
    )


def own(frame, **declared):
    frame = pd.DataFrame(frame)
    frame.insert(0, "id", range(len(frame)))
    return from_frames(frame, NO_EDGES, Declaration(**declared))


def first(count, of):
    return np.arange(of) < count


def test_scaling_is_fitted_on_training_nodes_only():
    x = torch.randn(50, 3) * torch.tensor([1.0, 10.0, 0.0]) + 5
    graph, train = plain(x), first(20, 50)
    scaled = Preprocessor.fit(graph, train, "standard").transform(graph)
    expected = StandardScaler().fit(x[:20].numpy()).transform(x.numpy())
    np.testing.assert_allclose(scaled.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert scaled.dtype == torch.float32
    rows = Preprocessor.fit(graph, train, "row").transform(graph)
    torch.testing.assert_close(rows.abs().sum(1), torch.ones(50))
    raw = Preprocessor.fit(graph, train, "raw")
    assert raw.transform(graph) is graph.x
    assert raw.feature_names == ["feature 0", "feature 1", "feature 2"]
    with pytest.raises(InputError, match="Did you mean 'standard'"):
        Preprocessor.fit(graph, train, "standrad")


def test_missing_numbers_become_what_is_declared_of_the_training_nodes():
    values = [1.0, 1.0, 4.0, np.nan, 100.0, np.nan]
    graph = own(
        dict.fromkeys(("median", "mean", "most", "zero"), values),
        missing_of={"mean": "mean", "most": "most_frequent", "zero": "zero"},
    )
    fitted = Preprocessor.fit(graph, first(4, 6), "raw")
    x = pd.DataFrame(fitted.transform(graph).numpy(), columns=fitted.feature_names)
    assert x.loc[5, ["median", "mean", "most", "zero"]].tolist() == [1, 2, 1, 0]
    for name in ("median", "mean", "most", "zero"):
        assert x[f"{name} is missing"].tolist() == [0, 0, 0, 1, 0, 1]
        assert x.loc[4, name] == 100
    assert torch.isnan(graph.x).sum() == 8, "the graph itself keeps its gaps"


def test_a_column_that_training_nodes_never_have_is_zero():
    graph = own({"a": [np.nan, np.nan, 5.0], "b": [1.0, 2.0, 3.0]})
    x = Preprocessor.fit(graph, first(2, 3), "standard").transform(graph)
    assert torch.isfinite(x).all()


def test_categories_become_inputs_and_unseen_ones_none():
    graph = own({"n": [1, 2, 3, 4, 5], "city": ["Rome", None, "Oslo", "Rome", "Bonn"]})
    fitted = Preprocessor.fit(graph, first(4, 5), "raw")
    assert fitted.feature_names == ["n", "city is Oslo", "city is Rome", "city is missing"]
    expected = [[1, 0, 1, 0], [2, 0, 0, 1], [3, 1, 0, 0], [4, 0, 1, 0], [5, 0, 0, 0]]
    assert fitted.transform(graph).tolist() == expected


def test_rare_categories_share_an_input():
    words = [f"c{i % 60:02}" for i in range(120)] + [f"c{i:02}" for i in range(49)]
    graph = own({"kind": words})
    fitted = Preprocessor.fit(graph, first(169, 169), "raw")
    assert len(fitted.feature_names) == 50
    assert fitted.feature_names[-1] == "kind is another"
    assert (fitted.transform(graph).sum(1) == 1).all()


def test_codes_follow_the_name_of_a_category_not_its_number():
    train = own({"n": [1, 2, 3], "city": ["Bonn", "Oslo", "Rome"]})
    later = own({"n": [1, 2, 3, 4], "city": ["Rome", "Atlantis", None, "Oslo"]})
    fitted = Preprocessor.fit(train, first(3, 3), "raw")
    expected = [[1, 0, 0, 1], [2, 0, 0, 0], [3, 0, 0, 0], [4, 0, 1, 0]]
    assert fitted.transform(later).tolist() == expected
    assert later.x[0, 1] == 2, "the graph is not changed"


@pytest.mark.parametrize("kind", ["raw", "standard", "row"])
def test_it_comes_back_as_it_went(kind, tmp_path):
    graph = own({"n": [1.0, np.nan, 3.0], "city": ["Rome", None, "Oslo"]})
    fitted = Preprocessor.fit(graph, first(3, 3), kind)
    torch.save(fitted.state(), tmp_path / "state.pt")
    back = Preprocessor.from_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert back.feature_names == fitted.feature_names
    assert torch.equal(back.transform(graph), fitted.transform(graph))
    raw = Preprocessor.fit(plain(torch.ones(3, 2)), first(3, 3), "raw")
    assert Preprocessor.from_state(raw.state()) == raw


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"m": [1.0], "city": ["a"]}, "no column 'n'"),
        ({"city": ["a"], "n": [1.0]}, "in this order"),
        ({"n": ["x"], "city": ["a"]}, "of the same kinds"),
        ({"n": [1.0], "city": ["a"], "more": [1]}, "than these 3"),
    ],
)
def test_other_columns_are_refused(other, message):
    graph = own({"n": [1.0, 2.0], "city": ["a", "b"]})
    fitted = Preprocessor.fit(graph, first(2, 2), "raw")
    with pytest.raises(InputError, match=message):
        fitted.transform(own(other))
    with pytest.raises(InputError, match="other features"):
        fitted.transform(plain(torch.ones(2, 2)))


class Runs:
    """Something that a forged file may try to bring in."""


def test_a_forged_pipeline_is_refused(tmp_path):
    import skops.io

    graph = own({"n": [1.0, 2.0]})
    state = Preprocessor.fit(graph, first(2, 2), "standard").state()
    for content, message in (
        (skops.io.dumps(Runs()), "nothing of it was run"),
        (skops.io.dumps(StandardScaler()), "not a pipeline"),
        (b"nonsense", "damaged"),
        (
            _with_module(state["pipeline"].numpy().tobytes(), b"sklearn.pipeline", b"os"),
            "nothing of it was run|damaged",
        ),
    ):
        forged = {**state, "pipeline": torch.frombuffer(bytearray(content), dtype=torch.uint8)}
        with pytest.raises(InputError, match=message):
            Preprocessor.from_state(forged)


def _with_module(archive, old, new):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as read, zipfile.ZipFile(out, "w") as write:
        for member in read.infolist():
            write.writestr(member.filename, read.read(member).replace(old, new))
    return out.getvalue()


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_an_input_too_large_for_a_network_names_its_node(value):
    x = torch.ones(4, 2)
    x[2, 1] = value
    graph = Graph(
        "mine",
        x,
        Edges.from_pairs(np.array([0, 1]), np.array([1, 2]), 4),
        np.array([0, 1, 0, 1]),
        np.array(list("abcd")),
    )
    inputs = Preprocessor.fit(graph, np.ones(4, bool), "raw")
    with pytest.raises(InputError, match=r"mine: feature 1 of node c is -?3e\+38.*standard"):
        inputs.network_inputs(graph)
    scaled = Preprocessor.fit(graph, np.ones(4, bool), "standard").network_inputs(graph)
    assert scaled.abs().max() < 2
