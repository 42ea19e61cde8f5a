"""Graphs from tables of nodes and edges, as frames, CSV or Parquet."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiec_graph.data import load_dataset
from aiec_graph.data.user import Declaration, from_frames
from aiec_graph.data.user.words import BLANK
from aiec_graph.errors import InputError

NODES = pd.DataFrame(
    {
        "id": ["007", "7", "b", "c"],
        "amount": [1.5, np.nan, 3.0, -4.0],
        "city": ["Rome", "Oslo", None, "Rome"],
        "label": [1, 0, None, 0],
        "split": ["train", "val", None, "test"],
    }
)
EDGES = pd.DataFrame(
    {"source": ["007", "b", "c", "c"], "target": ["7", "007", "c", "b"], "weight": [1, 2.5, 1, 3]}
)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "mine"
    path.mkdir()

    def make(nodes=NODES, edges=EDGES, declared="", suffix="csv"):
        for name, frame in (("nodes", nodes), ("edges", edges)):
            file = path / f"{name}.{suffix}"
            if isinstance(frame, str | bytes):
                file.write_bytes(frame if isinstance(frame, bytes) else frame.encode())
            elif suffix == "csv":
                frame.to_csv(file, index=False)
            else:
                frame.to_parquet(file)
        if declared:
            (path / "graph.yaml").write_text(declared)
        return str(path)

    return make


def outcome(path):
    try:
        return load_dataset(path), ""
    except InputError as error:
        return None, str(error)


def dense(graph):
    return graph.edges.to_scipy().toarray()


def check(graph):
    """The graph that NODES and EDGES describe; rows of the adjacency are targets."""
    assert list(graph.node_ids) == ["007", "7", "b", "c"]
    np.testing.assert_array_equal(graph.x[:, 0].numpy(), [1.5, np.nan, 3, -4])
    assert graph.columns is not None
    assert [c.name for c in graph.columns] == ["amount", "city"]
    assert graph.columns[1].categories == ("Oslo", "Rome")
    np.testing.assert_array_equal(graph.x[:, 1].numpy(), [1, 0, np.nan, 1])
    assert graph.y.tolist() == [1, 0, -1, 0]
    assert graph.given["supervised"].tolist() == [[1, 2, 0, 3]]
    expected = np.zeros((4, 4))
    expected[1, 0], expected[0, 2], expected[3, 3], expected[2, 3] = 1, 2.5, 1, 3
    np.testing.assert_array_equal(dense(graph), expected)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_frames_and_files_give_one_graph(folder, suffix):
    nodes, edges = NODES.copy(), EDGES.copy()
    check(from_frames(nodes, edges))
    pd.testing.assert_frame_equal(nodes, NODES)
    pd.testing.assert_frame_equal(edges, EDGES)
    path = folder(suffix=suffix)
    first = load_dataset(path)
    check(first)
    check(load_dataset(path))
    assert first.name == "mine"


def test_an_altered_table_is_read_anew(folder):
    path = folder()
    before = load_dataset(path)
    folder(edges=EDGES.iloc[:2])
    after = load_dataset(path)
    assert dense(after).sum() == 3.5
    assert after.checksum != before.checksum


def test_windows_text_reads_as_any_other(folder):
    text = NODES.to_csv(index=False).replace("\n", "\r\n")
    check(load_dataset(folder(nodes=b"\xef\xbb\xbf" + text.encode())))


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["1", "2", "3"], np.int64),
        ([2**63 - 1, -(2**63), 0], np.int64),
        ([2**64 - 1, 2**63, 5], np.uint64),
        (["007", "7", "07"], np.str_),
        (["0x1f", "ünï", 'a,b "c"'], np.str_),
        ([str(10**30), "1", "2"], np.str_),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_of_any_kind_come_through_exactly(folder, ids, kind, suffix):
    nodes = pd.DataFrame({"id": ids, "f": [1.0, 2.0, 3.0]})
    edges = pd.DataFrame({"source": ids[:2], "target": ids[1:]})
    graph = load_dataset(folder(nodes=nodes, edges=edges, suffix=suffix))
    assert graph.node_ids.dtype.type is kind
    assert [str(i) for i in graph.node_ids] == [str(i) for i in ids]
    assert dense(graph)[1, 0] == dense(graph)[2, 1] == 1


def test_columns_by_other_names(folder):
    nodes = NODES.rename(columns={"id": "account", "label": "is_fraud", "split": "part"})
    nodes["is_fraud"] = ["yes", "no", "?", "no"]
    nodes["branch"] = [1, 2, 1, 3]
    nodes["note"] = "free text"
    edges = EDGES.rename(columns={"source": "from", "target": "to", "weight": "n"})
    declared = """
id: account
label: is_fraud
split: part
anomalous: ["yes"]
normal: ["no"]
unknown: ["?"]
source: from
target: to
weight: n
categorical: [branch]
features: [branch, amount]
missing: zero
undirected: true
"""
    graph = load_dataset(folder(nodes=nodes, edges=edges, declared=declared))
    assert graph.columns is not None
    assert [(c.name, c.categories, c.missing) for c in graph.columns] == [
        ("branch", ("1", "2", "3"), "zero"),
        ("amount", None, "zero"),
    ]
    assert graph.y.tolist() == [1, 0, -1, 0]
    np.testing.assert_array_equal(dense(graph), dense(graph).T)
    assert dense(graph)[3, 3] == 1


def test_time_steps_and_truth_values(folder):
    nodes = pd.DataFrame(
        {"id": [1, 2], "a": [True, False], "label": [True, False], "time_step": [3, 1]}
    )
    edges = pd.DataFrame({"source": [1], "target": [2], "time": ["2026-01-01"]})
    graph = load_dataset(folder(nodes=nodes, edges=edges))
    assert graph.time_step is not None
    assert graph.time_step.tolist() == [3, 1]
    assert graph.y.tolist() == [1, 0]
    assert graph.x.shape == (2, 1)


def test_repeated_edges_are_merged_and_lone_nodes_stay():
    nodes = pd.DataFrame({"id": [1, 2, 3], "a": [1, 2, 3]})
    edges = pd.DataFrame({"source": [1, 1, 2], "target": [2, 2, 2]})
    graph = from_frames(nodes, edges)
    assert graph.edges.num_edges == 2
    assert (graph.y == -1).all()


def with_row(frame, **values):
    return pd.concat([frame, pd.DataFrame([values])], ignore_index=True)


ERRORS = [
    ({"nodes": with_row(NODES, id="b")}, r"nodes\.csv, line 6: the id 'b' is repeated"),
    ({"nodes": with_row(NODES, amount=1)}, r"nodes\.csv, line 6: id is empty"),
    (
        {"edges": with_row(EDGES, source="b", target="d", weight=1)},
        r"edges\.csv, line 6, column target: no node has the id 'd'",
    ),
    (
        {"edges": with_row(EDGES, source="b", target="c", weight=-1)},
        r"edges\.csv, line 6, column weight: -1 is no weight",
    ),
    ({"edges": EDGES.assign(weight="x")}, r"edges\.csv, line 2, column weight"),
    ({"nodes": NODES.assign(label=[1, 0, 2, 0])}, r"nodes\.csv, line 4.*label.*2.*anomalous:"),
    ({"nodes": NODES.assign(split="trian")}, r"line 2, column split: 'trian' is none of train"),
    ({"nodes": NODES.assign(amount=[1, 2, np.inf, 3])}, r"line 4, column amount: 'inf' is not a finite number"),
    ({"nodes": NODES.assign(time_step=[1, 2, 2.5, 3])}, r"line 4, column time_step: must be a who"),
    ({"nodes": NODES[["id", "label"]]}, "no feature columns; found only id, label"),
    ({"nodes": NODES.drop(columns="id")}, "no column 'id'"),
    ({"edges": EDGES.rename(columns={"source": "sourec"})}, "Did you mean 'sourec'"),
    ({"nodes": "id,a,a\n1,2,3\n"}, "the name 'a' is there twice"),
    ({"nodes": "id,a\n"}, "holds no rows"),
    ({"nodes": ""}, r"nodes\.csv"),
    ({"nodes": "id,a\n1,2,3\n"}, r"nodes\.csv.*[Ee]xpected 2 columns"),
    ({"nodes": "id,a\nä,1\n".encode() + b"\xff,2\n"}, r"nodes\.csv, line 3: not UTF-8"),
    ({"nodes": b"BZh91AY"}, "a bzip2 file; unpack it first"),
    ({"nodes": gzip.compress(b"id,a\n1,2\n")[:-9]}, "a damaged archive"),
    ({"nodes": NODES.assign(amount=[f"word {i}" for i in range(4)] )[["id"]].assign(
        day=pd.Timestamp(0))}, r"column day: holds dates, such as .*'as_of: .*'drop: \[day\]' in graph"),
    ({"declared": "lable: fraud"}, r"graph\.yaml: unknown key 'lable'\. Did you mean 'label'"),
    ({"declared": "missing: medain"}, r"graph\.yaml.*Did you mean 'median'"),
    ({"declared": "categorical: [citty]"}, r"'citty' \(categorical\), which is not there\. Did you mean 'city'"),
    ({"declared": "drop: 5"}, r"graph\.yaml"),
    ({"declared": "- a"}, r"graph\.yaml: must hold keys"),
    ({"declared": "{"}, r"graph\.yaml: not a YAML file"),
    ({"declared": "normal: [1]"}, r"nodes\.csv, column label: the label '1' is declared as normal, and is a usual word"),
    ({"declared": "nodes: ../other.csv"}, r"graph\.yaml: nodes: \.\./other\.csv must be"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), ERRORS, ids=[m[:40] for _, m in ERRORS])
def test_errors_name_the_place(folder, changes, message, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        load_dataset(folder(**changes))
    assert "\n" not in str(error.value)
    cache = tmp_path / "cache"
    assert not cache.is_dir() or not [p for p in cache.glob("*/*") if p.is_dir()]


def test_a_text_column_like_another_id_is_refused():
    nodes = pd.DataFrame({"id": range(1001), "iban": [f"IT{i}" for i in range(1001)]})
    edges = pd.DataFrame({"source": [1], "target": [2]})
    with pytest.raises(InputError, match=r"1001 different texts.*say Declaration\(drop="):
        from_frames(nodes, edges)
    few = nodes[:1000]
    with pytest.raises(InputError, match=r"1000 different texts in 1000 rows, such as 'IT0'"):
        from_frames(few, edges)
    assert from_frames(few, edges, Declaration(categorical=["iban"])).x.shape == (1000, 1)


def test_fractions_are_no_ids():
    nodes = pd.DataFrame({"id": [1.0, 2.5], "a": [1, 2]})
    with pytest.raises(InputError, match=r"nodes, row 1: id is .*2\.5"):
        from_frames(nodes, pd.DataFrame({"source": [1], "target": [1]}))
    large = pd.DataFrame({"id": [1.0, 2.0**53], "a": [1, 2]})
    with pytest.raises(InputError, match="loses digits"):
        from_frames(large, pd.DataFrame({"source": [1], "target": [1]}))


def test_a_folder_without_tables_says_what_it_lacks(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no nodes\.csv .*own-graphs"):
        load_dataset(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such file or folder"):
        load_dataset(str(tmp_path / "nowhere"))


IDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6),
    min_size=1,
    max_size=8,
    unique=True,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_table_comes_back_or_is_refused(data, folder):
    """What a CSV file holds is what its frame held, whatever the ids and numbers are."""
    ids = data.draw(IDS)
    count = len(ids)
    number = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.none()
    nodes = pd.DataFrame(
        {
            "id": pd.Series(ids, dtype=object),
            "a": pd.Series(
                data.draw(st.lists(number, min_size=count, max_size=count)), dtype=float
            ),
            "label": data.draw(
                st.lists(st.sampled_from([0, 1, -1]), min_size=count, max_size=count)
            ),
        }
    )
    ends = st.lists(st.sampled_from(ids), min_size=5, max_size=5)
    edges = pd.DataFrame({"source": data.draw(ends), "target": data.draw(ends)})
    read, line = outcome(folder(nodes=nodes, edges=edges))
    try:
        graph = from_frames(nodes, edges)
    except InputError:
        # Blanks alone are no id, and blanks around it tell no two ids apart; the labels 1 and -1
        # without 0 mean two things.
        assert "is empty" in line or "is repeated" in line or "holds 1 and -1" in line
        return
    assert read is not None, line
    assert [str(i) for i in read.node_ids] == [i.strip(BLANK) for i in ids]
    np.testing.assert_array_equal(read.x.numpy(), graph.x.numpy())
    np.testing.assert_array_equal(read.y, graph.y)
    np.testing.assert_array_equal(dense(read), dense(graph))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_tables(data, folder):
    """A mutated file ends in a graph or in one line that names a file."""
    suffix = data.draw(st.sampled_from(["csv", "parquet"]))
    path = folder(suffix=suffix)
    file = Path(path) / f"{data.draw(st.sampled_from(['nodes', 'edges']))}.{suffix}"
    content = bytearray(file.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    stop = data.draw(st.integers(start, min(start + 20, len(content))))
    content[start:stop] = data.draw(st.binary(max_size=20))
    file.write_bytes(content)
    graph, line = outcome(path)
    if graph is None:
        assert "\n" not in line
        assert "mine" in line
        return
    assert graph.edges.num_nodes == len(graph.x) == len(graph.y)


def test_the_page_on_tables_shows_every_key(tmp_path):
    from dataclasses import fields

    from aiec_graph.data.user.graph_yaml import read_declaration

    page = (Path(__file__).parents[3] / "docs" / "reference" / "tables.md").read_text()
    shown = set()
    for block in page.split("```yaml\n")[1:]:
        file = tmp_path / "graph.yaml"
        file.write_text(block.split("```")[0])
        declared = read_declaration(file)  # every example is sound
        shown |= {f.name for f in fields(declared) if f"\n{f.name}:" in "\n" + block}
    assert shown == {f.name for f in fields(Declaration)}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("weight: wieght", "names the column 'wieght' (weight), which is not there. Did you mean"),
        ("split: parts", "names the column 'parts' (split)"),
        ("time_step: month", "names the column 'month' (time_step)"),
        ("label: is_fraud", "names the column 'is_fraud' (label)"),
        ("features: [amount, label]", "'label' is listed under features"),
        ("features: [id, amount]", "'id' is listed under features"),
    ],
)
def test_a_declared_column_is_there_and_no_feature_tells_the_label(folder, declared, said):
    graph, message = outcome(folder(declared=declared))
    assert graph is None
    assert said in message


def test_a_label_in_capitals_is_asked_about(folder):
    graph, message = outcome(folder(NODES.rename(columns={"label": "Label"})))
    assert graph is None
    assert "is the column 'Label' the label?" in message


def test_a_word_among_numbers_is_named_unless_declared_a_category(folder):
    nodes = NODES.assign(amount=["1.5", "12 EUR", "3", "4"])
    graph, message = outcome(folder(nodes))
    assert graph is None
    assert "nodes.csv, line 3, column amount: '12 EUR' is not written as '1.5' is" in message
    graph, _ = outcome(folder(nodes, declared="categorical: [amount]"))
    assert graph is not None
