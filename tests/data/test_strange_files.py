"""Strange files in place of sound ones: of another kind, repaired, over-large, or with code."""

import gzip
import os
import pickle
import random
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from aiec_graph.data import Graph, find_source, read_card
from aiec_graph.data.simulate import simulate_dataset, smallest_scale
from aiec_graph.errors import InputError
from aiec_graph.graph.storage.cache import cache_folder

# One data set of each raw form.
NAMES = ["elliptic", "tolokers", "reddit", "weibo21"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound")
    return {
        name: simulate_dataset(read_card(name), root / name, smallest_scale(read_card(name)))
        for name in NAMES
    }


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(sound, tmp_path):
    def make(name):
        target = tmp_path / name
        shutil.copytree(sound[name], target)
        return target

    return make


def outcome(name, root):
    """Loads, and returns the graph or the error's line; anything else fails the test."""
    try:
        graph = find_source(name, root).load().graph
    except InputError as error:
        line = str(error)
        assert "\n" not in line
        assert name in line
        store = cache_folder(root / name)
        assert not store.is_dir() or not [p for p in store.iterdir() if p.is_dir()]
        return line
    # A sound graph: the checks that were left out for trusted ones are made here.
    return Graph(
        name=graph.name,
        x=graph.x,
        edges=graph.edges,
        y=np.array(graph.y),
        node_ids=graph.node_ids,
        given=graph.given,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff" * 100, gzip.compress(b"1,2\n" * 50)])
def test_files_of_another_kind(name, content, folder, tmp_path):
    for path in folder(name).iterdir():
        if path.name != "simulated.json":
            before = path.read_bytes()
            path.write_bytes(content)
            assert isinstance(outcome(name, tmp_path), str)
            path.write_bytes(before)


def lines_changed(path, change):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(change(lines)))


def test_csv_repairs(folder, tmp_path, sound):
    """A byte order mark, line ends of Windows and shuffled rows change nothing but the order."""
    expected = find_source("elliptic", sound["elliptic"].parents[1], 0.02).load().graph
    target = folder("elliptic")
    (target / "simulated.json").unlink()
    rng = random.Random(0)
    for path in target.glob("*.csv"):
        header = "features" not in path.name

        def change(lines, header=header):
            first, body = lines[:header], lines[header:-1]
            rng.shuffle(body)
            return [*first, *body, lines[-1]]

        lines_changed(path, change)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    graph = find_source("elliptic", tmp_path).load().graph
    place = {node: row for row, node in enumerate(graph.node_ids.tolist())}
    order = np.array([place[node] for node in expected.node_ids.tolist()])
    np.testing.assert_array_equal(graph.x.numpy()[order], expected.x.numpy())
    np.testing.assert_array_equal(graph.y[order], expected.y)
    pairs = [
        set(map(tuple, g.node_ids[g.edge_index.numpy()].T.tolist())) for g in (graph, expected)
    ]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("features", lambda ls: [ls[1], *ls[1:]], "line 2: txId .* is repeated"),
        ("edgelist", lambda ls: [b"txId2,txId1", *ls[1:]], "line 1: expected the header"),
        ("classes", lambda ls: [ls[0], ls[2], *ls[2:]], "no line here|repeated"),
        ("features", lambda ls: [b",".join(line.split(b",")[::-1]) for line in ls], "line 1"),
        ("edgelist", lambda ls: [*ls[:-1], b"9" * 25 + b",1", b""], "column 1"),
        ("classes", lambda ls: [*ls[:-1], "1,é".encode("latin-1"), b""], "UTF-8|class"),
    ],
)
def test_csv_errors(folder, tmp_path, file, change, message):
    path = folder("elliptic") / f"elliptic_txs_{file}.csv"
    lines_changed(path, change)
    assert re.search(message, outcome("elliptic", tmp_path))


def test_self_loops_repeated_edges_and_isolated_nodes_are_kept_right(folder, tmp_path):
    path = folder("elliptic") / "elliptic_txs_edgelist.csv"
    lines = path.read_bytes().split(b"\n")
    node = lines[1].split(b",")[0]
    path.write_bytes(b"\n".join([lines[0], lines[1], lines[1], node + b"," + node, b""]))
    graph = outcome("elliptic", tmp_path)
    assert isinstance(graph, Graph)
    assert graph.edges.num_edges == 2
    assert graph.edges.num_self_loops == 1


def test_a_zip_with_a_path_that_leaves_it_writes_nothing(tmp_path, sound):
    (tmp_path / "reddit").mkdir()
    evil = tmp_path / "reddit" / "reddit.pt.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.write(sound["reddit"] / "reddit.pt", "../../outside.pt")
    assert isinstance(outcome("reddit", tmp_path), Graph)
    assert not (tmp_path.parent / "outside.pt").exists()
    assert not (tmp_path / "outside.pt").exists()


@pytest.mark.parametrize(
    ("name", "file"), [("reddit", "reddit.pt.zip"), ("tolokers", "tolokers.npz")]
)
def test_an_over_large_zip_is_refused_before_it_is_unpacked(tmp_path, name, file):
    (tmp_path / name).mkdir()
    with zipfile.ZipFile(tmp_path / name / file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "reddit.pt" if name == "reddit" else "node_features.npy", b"\0" * 50_000_000
        )
    assert "more than is accepted" in outcome(name, tmp_path)


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_pickles_inside_other_forms_do_not_run(tmp_path):
    marker = tmp_path / "ran"
    for name, file in (
        ("tolokers", "tolokers.npz"),
        ("tfinance", "tfinance"),
        ("reddit", "reddit"),
    ):
        (tmp_path / name).mkdir()
        path: Path = tmp_path / name / file
        if name == "tolokers":
            bomb = np.array([Bomb(marker)], dtype=object)
            np.savez(path, node_features=bomb, node_labels=bomb, edges=bomb)
        else:  # where a DGL file belongs
            path.write_bytes(pickle.dumps(Bomb(marker)))
        assert isinstance(outcome(name, tmp_path), str)
    assert not marker.exists()
