"""Elliptic: the loader, its errors, and the simulator that writes the same files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data import UNKNOWN, load_and_compare, load_dataset, make_split
from aiec_graph.data.datasets.cards import read_card
from aiec_graph.data.datasets.elliptic import (
    CLASSES_FILE,
    EDGES_FILE,
    FEATURES_FILE,
    FILES,
    GRAPH_FILES,
    STEPS_FILE,
    read,
    read_graph,
)
from aiec_graph.data.simulate import simulate_dataset
from aiec_graph.errors import InputError

REAL = Path(__file__).parents[4] / "shared" / "data" / "elliptic_graph"


def load(name, folder):
    return read(name, [folder / file for file in FILES])


def simulate(folder, scale, seed=0):
    return simulate_dataset(read_card("elliptic"), folder, scale, seed)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("elliptic"), 0.02)


@pytest.fixture
def folder(simulated, tmp_path):
    for file in simulated.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_reads_back_what_was_written(simulated):
    graph = load("elliptic", simulated)
    features = pd.read_csv(simulated / FEATURES_FILE, header=None)
    classes = pd.read_csv(simulated / CLASSES_FILE).set_index("txId")["class"]
    edges = pd.read_csv(simulated / EDGES_FILE)
    assert np.array_equal(graph.node_ids, features[0])
    np.testing.assert_array_equal(graph.x.numpy(), features.iloc[:, 1:].to_numpy(np.float32))
    expected = classes.loc[features[0]].map({"1": 1, "2": 0, "unknown": UNKNOWN})
    assert np.array_equal(graph.y, expected)
    ours = set(map(tuple, graph.node_ids[graph.edge_index.numpy()].T.tolist()))
    assert ours == set(edges.itertuples(index=False, name=None))
    assert np.array_equal(graph.time_step, features[1])


def test_the_split_is_by_time_and_holds_no_unknown(simulated):
    graph = load("elliptic", simulated)
    step = graph.x[:, 0].numpy()
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    for mask, low, high in (
        (split.train_mask, 1, 25),
        (split.val_mask, 26, 34),
        (split.test_mask, 35, 49),
    ):
        assert step[mask].min() >= low
        assert step[mask].max() <= high
    covered = split.train_mask | split.val_mask | split.test_mask
    assert np.array_equal(covered, graph.y != UNKNOWN)


def test_the_simulator_has_the_real_proportions(simulated):
    graph = load("elliptic", simulated)
    assert graph.x.shape == (round(203_769 * 0.02), 166)
    assert graph.edge_index.shape == (2, round(234_355 * 0.02))
    assert (graph.y == 1).sum() == pytest.approx(4_545 * 0.02, rel=0.02)
    assert (graph.y == 0).sum() == pytest.approx(42_019 * 0.02, rel=0.02)
    step = graph.x[:, 0]
    source, target = graph.edge_index
    assert (step[source] == step[target]).all()
    assert set(step.tolist()) == set(range(1, 50))
    keys = source * len(step) + target
    assert len(keys.unique()) == len(keys)
    assert (simulated / CLASSES_FILE).read_text().startswith("txId,class\n")
    assert (simulated / EDGES_FILE).read_text().startswith("txId1,txId2\n")


def test_the_simulator_is_seeded_and_leaves_nothing_half_written(tmp_path):
    one, other = (simulate(tmp_path / name, 0.02) for name in "ab")
    different = simulate(tmp_path / "a", 0.02, seed=1)
    for file in (FEATURES_FILE, CLASSES_FILE, EDGES_FILE):
        assert (one / file).read_bytes() == (other / file).read_bytes()
        assert (one / file).read_bytes() != (different / file).read_bytes()
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["simulated-v2-0.02-seed0"]


def test_simulated_data_are_labelled(tmp_path):
    graph = load_dataset("elliptic", tmp_path, 0.02)
    assert graph.simulated == 0.02
    assert "simulated" in graph.label
    assert "simulated" in graph.slug


@pytest.mark.parametrize("scale", [0, 0.001, 1.5, -1, float("nan")])
def test_scales_out_of_range_are_refused(tmp_path, scale):
    with pytest.raises(InputError, match="scale"):
        simulate(tmp_path, scale)


def edit(path, line, change):
    lines = path.read_text().splitlines(keepends=True)
    lines[line - 1] = change(lines[line - 1])
    path.write_text("".join(lines))


def cell(column, value):
    def change(line):
        cells = line.rstrip("\n").split(",")
        cells[column - 1] = value
        return ",".join(cells) + "\n"

    return change


FAULTS = {
    "short row": (
        FEATURES_FILE,
        7,
        lambda line: line.rsplit(",", 1)[0] + "\n",
        r"line 7: 166 cells, expected 167",
    ),
    "long row": (FEATURES_FILE, 7, lambda line: line.replace(",", ",1,", 1), "line 7: 168 cells"),
    "not a number": (
        FEATURES_FILE,
        9,
        cell(4, "abc"),
        r"line 9, column 4 \(value 2\): 'abc' is not a finite number",
    ),
    "NaN": (FEATURES_FILE, 9, cell(5, "NaN"), "line 9, column 5"),
    "empty cell": (FEATURES_FILE, 9, cell(5, ""), "line 9, column 5"),
    "infinite": (FEATURES_FILE, 3, cell(167, "inf"), "line 3, column 167"),
    "too large": (FEATURES_FILE, 3, cell(167, "1e60"), "line 3, column 167"),
    "no whole id": (FEATURES_FILE, 2, cell(1, "1.5"), "line 2, column 1"),
    "huge id": (FEATURES_FILE, 2, cell(1, "9" * 30), "line 2, column 1"),
    "step 50": (
        FEATURES_FILE,
        4,
        cell(2, "50"),
        "line 4, column 2 .time step.: 50 is not a whole number within 1 to 49",
    ),
    "class 3": (CLASSES_FILE, 5, cell(2, "3"), "line 5, column 2 .class.: '3' is none of"),
    "class of an unknown node": (
        CLASSES_FILE,
        5,
        cell(1, "1"),
        "line 5, column 1 .txId.: txId 1 is not in",
    ),
    "header": (EDGES_FILE, 1, lambda _: "a,b\n", "line 1: expected the header txId1,txId2"),
    "edge to an unknown node": (
        EDGES_FILE,
        8,
        cell(2, "999"),
        "line 8, column 2 .txId2.: txId 999 is not in",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_by_file_and_line(folder, fault):
    file, line, change, message = FAULTS[fault]
    edit(folder / file, line, change)
    with pytest.raises(InputError, match=rf"{file}, {message}"):
        load("elliptic", folder)


def test_repeated_and_missing_lines(folder):
    path = folder / FEATURES_FILE
    first = path.read_text().split(",", 1)[0]
    edit(path, 5, cell(1, first))
    with pytest.raises(InputError, match=f"line 5: txId {first} is repeated"):
        load("elliptic", folder)
    path = folder / CLASSES_FILE
    edit(folder / FEATURES_FILE, 5, cell(1, "77"))
    with pytest.raises(InputError, match="is not in|has no line"):
        load("elliptic", folder)


@pytest.mark.parametrize("file", [FEATURES_FILE, CLASSES_FILE, EDGES_FILE])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x00binary", b"\x1f\x8b\x08\x00gzip"])
def test_files_that_are_no_csv(folder, file, content):
    (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=file):
        load("elliptic", folder)


def test_missing_files_say_where_they_come_from(tmp_path):
    with pytest.raises(InputError, match="kaggle.*--data-root.*--simulate") as error:
        load_dataset("elliptic", tmp_path)
    assert str(tmp_path / "elliptic" / FEATURES_FILE) in str(error.value)


# --- the graph without its features --------------------------------------------------------------


def load_graph(folder):
    return read_graph("elliptic_graph", [folder / file for file in GRAPH_FILES])


@pytest.fixture
def bare(folder):
    features = pd.read_csv(folder / FEATURES_FILE, header=None, usecols=[0, 1])
    features.columns = ["txId", "time_step"]
    features.to_csv(folder / STEPS_FILE, index=False)
    return folder


def test_the_graph_without_features_is_the_same_graph(bare):
    whole, graph = load("elliptic", bare), load_graph(bare)
    for one, other in (
        (whole.node_ids, graph.node_ids),
        (whole.y, graph.y),
        (whole.time_step, graph.time_step),
        (whole.edge_index, graph.edge_index),
        (whole.given["supervised"], graph.given["supervised"]),
    ):
        np.testing.assert_array_equal(one, other)
    assert [column.name for column in graph.columns] == ["in_degree", "out_degree"]
    source, target = graph.edge_index.numpy()
    expected = [np.bincount(end, minlength=len(graph.y)) for end in (target, source)]
    np.testing.assert_array_equal(graph.x.numpy(), np.stack(expected, axis=1))


@pytest.mark.parametrize(
    ("line", "value", "message"),
    [(4, "50", "line 4, column 2.*50 is not"), (7, "x", "line 7, column 2"), (7, "", "line 7")],
)
def test_faulty_time_steps_are_named(bare, line, value, message):
    edit(bare / STEPS_FILE, line, cell(2, value))
    with pytest.raises(InputError, match=f"{STEPS_FILE}, {message}"):
        load_graph(bare)


def test_a_simulated_graph_without_features(tmp_path):
    graph = load_dataset("elliptic_graph", tmp_path, 0.02)
    assert graph.simulated == 0.02
    assert graph.x.shape == (round(203_769 * 0.02), 2)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside the checkout")
def test_the_real_graph():
    loaded = load_and_compare("elliptic_graph", REAL.parent)
    graph = loaded.graph
    assert loaded.warnings == []
    assert np.bincount(graph.y + 1).tolist() == [157_205, 42_019, 4_545]
    assert graph.edges.num_edges == 234_355
    assert np.unique(graph.time_step).tolist() == list(range(1, 50))
    steps = pd.read_csv(REAL / STEPS_FILE)
    assert np.array_equal(graph.node_ids, steps["txId"])
    assert np.array_equal(graph.time_step, steps["time_step"])
    source, target = graph.edge_index
    assert (graph.time_step[source] == graph.time_step[target]).all()
