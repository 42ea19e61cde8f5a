"""Every raw form of a graph is read back as it was written: DGL, .pt and .npz."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from aiec_graph.data import (
    DATASETS,
    find_source,
    load_dataset,
    make_split,
    read_card,
)
from aiec_graph.data import simulate as simulators
from aiec_graph.data.simulate import attributed, simulate_dataset, smallest_scale
from aiec_graph.errors import InputError
from aiec_graph.graph.formats import dgl_file
from aiec_graph.graph.formats.dgl_binary import write_graph

ROOT = Path(__file__).parents[3]
GRAPHS = [name for name in DATASETS if read_card(name).form == "graph"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


def pairs_of(graph):
    return set(map(tuple, graph.edge_index.T.tolist()))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_simulation_is_read_back_equal(name, tmp_path, monkeypatch):
    """What the simulator drew is what the loader gives, in the form that the card states."""
    drawn = {}

    def keep(card, folder, scale, rng, write=attributed.write):
        original = {}

        def features(*args, make=attributed._features):
            original["x"], planted = make(*args)
            return original["x"], planted

        def pairs(*args, make=attributed._draw_pairs):
            original["pairs"] = make(*args)
            return original["pairs"]

        monkeypatch.setattr(attributed, "_features", features)
        monkeypatch.setattr(attributed, "_draw_pairs", pairs)
        planted = write(card, folder, scale, rng)
        drawn.update(original)
        return planted

    card = read_card(name)
    monkeypatch.setitem(simulators.SIMULATORS, "graph", keep)
    scale = max(smallest_scale(card), 0.01 if card.nodes < 1_000_000 else 0)
    folder = simulate_dataset(card, tmp_path / name, scale)
    assert {p.name for p in folder.iterdir()} == {*card.files, "simulated.json"}
    graph = load_dataset(name, tmp_path, scale)
    assert graph.simulated == scale
    np.testing.assert_array_equal(graph.x.numpy(), drawn["x"].astype(np.float32))
    source, target = (end.tolist() for end in drawn["pairs"])
    expected = set(zip(source, target, strict=True))
    found = pairs_of(graph)
    if card.undirected:
        expected |= set(zip(target, source, strict=True))
    assert {(s, t) for s, t in found if s != t} == {(s, t) for s, t in expected if s != t}
    split = make_split(graph, "supervised", 3407, card.fractions)
    assert all(0 < graph.y[m].sum() < m.sum() for m in split.masks().values())


@pytest.mark.parametrize("form", ["authors", "gadbench"])
def test_dgl_files_of_either_origin(form, tmp_path):
    rng = np.random.default_rng(0)
    nodes = 60
    x = rng.normal(size=(nodes, 3))
    y = np.arange(nodes) % 3 == 0
    source, target = np.arange(nodes), np.roll(np.arange(nodes), 1)
    if form == "authors":
        data = {"feature": x, "label": np.eye(2)[y.astype(int)]}
    else:
        parts = rng.integers(0, 3, (nodes, 20))
        data = {"feature": x.astype(np.float32), "label": y.astype(np.int64)} | {
            f"{part}_masks": (parts == i).astype(np.uint8)
            for i, part in enumerate(("train", "val", "test"))
        }
    path = tmp_path / "file"
    write_graph(path, source, target, data)
    graph = dgl_file.read("toy", path)
    np.testing.assert_array_equal(graph.x.numpy(), x.astype(np.float32))
    np.testing.assert_array_equal(graph.y, y)
    assert pairs_of(graph) == set(zip(source.tolist(), target.tolist(), strict=True))
    if form == "gadbench":
        for i, (kind, trials) in enumerate((("supervised", slice(10)), ("semi", slice(10, 20)))):
            assert len(graph.given) == 2, i
            np.testing.assert_array_equal(graph.given[kind], parts[:, trials].T + 1)
    else:
        assert not graph.given


def test_damaged_dgl_files_are_one_line(tmp_path):
    card = read_card("tfinance")
    folder = simulate_dataset(card, tmp_path / "tfinance", smallest_scale(card))
    file = folder / "tfinance"
    sound = file.read_bytes()
    rng = np.random.default_rng(0)
    contents = [b"", b"text", sound[:8], sound[:100], sound[: len(sound) // 2]]
    for _ in range(6):
        changed = bytearray(sound)
        at = int(rng.integers(8, 400))
        changed[at : at + 8] = (2 ** int(rng.integers(20, 63))).to_bytes(8, "little")
        contents.append(bytes(changed))
    refused = 0
    for content in contents:
        file.write_bytes(content)
        try:
            graph = find_source("tfinance", tmp_path, smallest_scale(card)).load().graph
        except InputError as error:
            refused += 1
            line = str(error)
            assert "\n" not in line
            assert "tfinance" in line
            continue
        assert graph.edges.num_nodes == len(graph.x)
    assert refused >= 5


def test_every_card_is_packaged():
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = packaged["targets"]["wheel"]
    assert "/datasets/*/card.yaml" in wheel["include"]
    assert wheel["sources"]["datasets"] == "aiec_graph/data/cards"
    assert {path.parent.name for path in (ROOT / "datasets").glob("*/card.yaml")} == set(DATASETS)
