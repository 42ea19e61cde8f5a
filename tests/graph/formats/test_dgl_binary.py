"""DGL's binary format, read and written without DGL, compared with DGL where it is installed."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from aiec_graph.data.user import from_dgl, load_own
from aiec_graph.errors import InputError
from aiec_graph.graph.formats import dgl_file
from aiec_graph.graph.formats.dgl_binary import EdgeType, read_graphs, write_graph
from aiec_graph.graph.formats.options import FileOptions


@pytest.fixture(scope="module")
def dgl():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DGLBACKEND", "pytorch")
        return pytest.importorskip("dgl", reason="dgl is the oracle here, and is not installed")


def ends(edge_type):
    return sorted(zip(edge_type.source.tolist(), edge_type.target.tolist(), strict=True))


def random_graph(dgl, seed, nodes=17, edges=40, name="n"):
    import torch

    rng = np.random.default_rng(seed)
    pair = [torch.from_numpy(rng.integers(0, nodes, edges)) for _ in range(2)]
    graph = dgl.graph(tuple(pair), num_nodes=nodes)
    graph.ndata["feature"] = torch.from_numpy(rng.normal(size=(nodes, 3)))
    graph.ndata["label"] = torch.arange(nodes) % 2
    graph.edata["w"] = torch.rand(edges)
    return graph


def same_as(stored, graph):
    assert stored.num_nodes == {t: graph.num_nodes(t) for t in graph.ntypes}
    for kind in graph.ntypes:
        theirs = graph.nodes[kind].data
        assert set(stored.ndata[kind]) == set(theirs)
        for key, tensor in theirs.items():
            expected = tensor.numpy()
            found = stored.ndata[kind][key]
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == (np.uint8 if expected.dtype == bool else expected.dtype)
    found = {(e.source_type, e.name, e.target_type): e for e in stored.edge_types}
    assert set(found) == set(graph.canonical_etypes)
    for key, edge_type in found.items():
        source, target = (end.tolist() for end in graph.edges(etype=key))
        assert ends(edge_type) == sorted(zip(source, target, strict=True))


def test_weights_of_edges_are_noted_as_not_used(dgl, tmp_path):
    graph = random_graph(dgl, 0)
    dgl.save_graphs(str(tmp_path / "net.bin"), [graph])
    for made in (load_own(tmp_path / "net.bin"), from_dgl(graph)):
        assert "not used: w; of the edges their ends alone are read" in made.notes
    del graph.edata["w"]
    assert not any("not used" in note for note in from_dgl(graph).notes)


@pytest.mark.parametrize("form", ["coo", "csr", "csc", ["coo", "csr", "csc"]])
@pytest.mark.parametrize("ids", ["int", "long"])
def test_formats_and_ids(dgl, tmp_path, form, ids):
    graph = getattr(random_graph(dgl, 0), ids)()
    dgl.save_graphs(str(tmp_path / "g.bin"), [graph.formats(form)])
    (stored,) = read_graphs(tmp_path / "g.bin")
    same_as(stored, graph)


def test_edges_keep_their_order_in_compressed_formats(dgl, tmp_path):
    for form in ("coo", "csr", "csc"):
        graph = random_graph(dgl, 3)
        dgl.save_graphs(str(tmp_path / form), [graph.formats(form)])
        (stored,) = read_graphs(tmp_path / form)
        source, target = graph.edges(order="eid")
        assert stored.edge_types[0].source.tolist() == source.tolist()
        assert stored.edge_types[0].target.tolist() == target.tolist()


def test_several_graphs_labels_and_created_formats(dgl, tmp_path):
    import torch

    graphs = [random_graph(dgl, seed, nodes=5 + seed) for seed in range(4)]
    for graph in graphs:
        graph.create_formats_()
    dgl.save_graphs(str(tmp_path / "g"), graphs, {"a": torch.ones(4, 2), "ü": torch.zeros(0)})
    for stored, graph in zip(read_graphs(tmp_path / "g"), graphs, strict=True):
        same_as(stored, graph)
    with pytest.raises(InputError, match="holds 4 graphs"):
        dgl_file.read("toy", tmp_path / "g")


def test_types_of_numbers(dgl, tmp_path):
    import torch

    graph = random_graph(dgl, 1, nodes=6)
    for kind in (
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool",
    ):
        graph.ndata[kind] = torch.arange(6).to(getattr(torch, kind))
    graph.ndata["deep"] = torch.zeros(6, 2, 3, 1)
    graph.ndata["empty"] = torch.zeros(6, 0)
    dgl.save_graphs(str(tmp_path / "g"), [graph])
    same_as(read_graphs(tmp_path / "g")[0], graph)


def test_graphs_without_edges_or_nodes(dgl, tmp_path):
    for nodes in (0, 3):
        graph = dgl.graph(([], []), num_nodes=nodes)
        dgl.save_graphs(str(tmp_path / "g"), [graph])
        same_as(read_graphs(tmp_path / "g")[0], graph)


def typed(dgl, extra=True):
    import torch

    pairs = {
        ("user", "pays", "user"): (torch.tensor([0, 1]), torch.tensor([1, 2])),
        ("user", "knows", "user"): (torch.tensor([2, 0]), torch.tensor([0, 1])),
    }
    if extra:
        pairs["user", "owns", "device"] = (torch.tensor([3]), torch.tensor([1]))
    counts = {"user": 4} | ({"device": 2} if extra else {})
    graph = dgl.heterograph(pairs, num_nodes_dict=counts)
    graph.nodes["user"].data["feature"] = torch.ones(4, 2)
    graph.nodes["user"].data["label"] = torch.tensor([0, 1, 0, 1])
    return graph


@pytest.mark.parametrize("extra", [False, True])
def test_of_several_edge_types_the_user_is_asked_for_some(dgl, tmp_path, extra):
    path = tmp_path / "net.bin"
    dgl.save_graphs(str(path), [typed(dgl, extra)])
    same_as(read_graphs(path)[0], typed(dgl, extra))
    with pytest.raises(InputError, match=r"2 edge types: knows, pays.*edge_types=\[.all.\]"):
        dgl_file.read("net", path)
    for chosen, expected in (
        (("pays",), [[0, 1], [1, 2]]),
        (("all",), [[2, 0, 1], [0, 1, 2]]),
    ):
        graph = dgl_file.read("net", path, FileOptions(edge_types=chosen))
        assert graph.edge_index.tolist() == expected
    with pytest.raises(InputError, match="no edge type 'pay'. Did you mean 'pays'"):
        dgl_file.read("net", path, FileOptions(edge_types=("pay",)))
    (tmp_path / "net.graph.yaml").write_text("edge_types: [knows]")
    assert load_own(path).edge_index.tolist() == [[2, 0], [0, 1]]
    (tmp_path / "graph.yaml").write_text("graph: net.bin\nedge_types: [pays]")
    assert load_own(tmp_path).edge_index.tolist() == [[0, 1], [1, 2]]
    if extra:
        assert from_dgl(typed(dgl), edge_types=["pays"]).edge_index.tolist() == [[0, 1], [1, 2]]


def test_a_graph_in_memory(dgl):
    graph = random_graph(dgl, 5)
    ours = from_dgl(graph)
    np.testing.assert_array_equal(ours.x.numpy(), graph.ndata["feature"].numpy().astype(np.float32))
    ours.x.zero_()
    assert graph.ndata["feature"].abs().sum() > 0
    source, target = graph.edges()
    assert set(map(tuple, ours.edge_index.T.tolist())) == set(
        zip(source.tolist(), target.tolist(), strict=True)
    )


def arrays(nodes=9):
    rng = np.random.default_rng(0)
    return {
        "feature": rng.normal(size=(nodes, 3)).astype(np.float32),
        "label": np.arange(nodes) % 2,
        "train_masks": rng.integers(0, 2, (nodes, 20)).astype(np.uint8),
        "big": np.arange(nodes, dtype=">i4"),
        "flag": np.arange(nodes) > 3,
    }


def test_what_is_written_is_read_back(tmp_path):
    source, target = np.array([0, 8, 3]), np.array([1, 2, 3])
    write_graph(tmp_path / "g", source, target, arrays())
    (stored,) = read_graphs(tmp_path / "g")
    assert stored.num_nodes == {"_N": 9}
    for key, array in arrays().items():
        np.testing.assert_array_equal(stored.ndata["_N"][key], array)
    (edges,) = stored.edge_types
    assert isinstance(edges, EdgeType)
    np.testing.assert_array_equal(edges.source, source)
    np.testing.assert_array_equal(edges.target, target)


def test_dgl_reads_what_is_written(dgl, tmp_path):
    source, target = np.array([0, 8, 3]), np.array([1, 2, 3])
    write_graph(tmp_path / "g", source, target, arrays())
    for chosen in (None, [0]):
        (graph,), labels = dgl.load_graphs(str(tmp_path / "g"), chosen)
        assert not labels
        same_as(read_graphs(tmp_path / "g")[0], graph)


def test_dgl_is_not_imported(tmp_path):
    data = {key: arrays()[key] for key in ("feature", "label")}
    write_graph(tmp_path / "g.bin", np.array([0]), np.array([1]), data)
    code = (
        "import sys; sys.modules['dgl'] = None; from pathlib import Path; "
        "from aiec_graph.graph.formats import dgl_file; "
        "print(dgl_file.read('g', Path(sys.argv[1])).edges.num_edges)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "g.bin")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


@pytest.fixture
def sound(tmp_path):
    write_graph(tmp_path / "g", np.array([0, 8, 3]), np.array([1, 2, 3]), arrays())
    return (tmp_path / "g").read_bytes()


def test_every_length_is_checked_before_memory_is_taken(sound, tmp_path):
    """Each eight bytes of the structure, made huge, are an error or do not matter."""
    path = tmp_path / "changed"
    lines = []
    for at in range(0, 1200, 4):
        for value in (2**62, 2**33, 2**64 - 1):
            start = at if at < 40 else at + 4096 - 40
            content = bytearray(sound)
            content[start : start + 8] = struct.pack("<Q", value)
            path.write_bytes(content)
            try:
                read_graphs(path)
            except InputError as error:
                lines.append(str(error))
    assert all(str(path) in line and "\n" not in line for line in lines)
    assert len(lines) > 300


@pytest.mark.parametrize("length", [0, 4, 8, 100, 4096, 4104, 4300, 5000])
def test_cut_files(sound, tmp_path, length):
    (tmp_path / "g").write_bytes(sound[:length])
    with pytest.raises(InputError, match=r"damaged|not a file that DGL"):
        read_graphs(tmp_path / "g")


def test_files_of_old_versions_are_named(sound, tmp_path):
    (tmp_path / "g").write_bytes(sound[:8] + struct.pack("<Q", 1) + sound[16:])
    with pytest.raises(InputError, match="DGL below 0.5"):
        read_graphs(tmp_path / "g")
