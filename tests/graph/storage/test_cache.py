"""Loading through the cache: kept, noticed when stale or damaged, and shared between processes."""

import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest
import torch
import xxhash

from aiec_graph.data import find_source, load_dataset, read_card
from aiec_graph.data.simulate import simulate_dataset
from aiec_graph.graph.storage.cache import cache_folder

SCALE = 0.02


@pytest.fixture
def root(tmp_path):
    simulate_dataset(read_card("tolokers"), tmp_path / "tolokers", SCALE)
    return tmp_path


def load(root):
    return load_dataset("tolokers", root, SCALE)


def file(root):
    return next((root / "tolokers").glob("simulated-*/tolokers.npz"))


def cache(root):
    (found,) = cache_folder(file(root).parent).glob("tolokers-*/")
    return found


def values(graph):
    """Copies: damage done to a file that is mapped shows in the map, too."""
    edges = graph.edges
    arrays = (graph.x.numpy(), edges.indptr, edges.indices, graph.y, graph.node_ids)
    return [np.array(array) for array in (*arrays, graph.given["supervised"])]


def same(one, other):
    return all(map(np.array_equal, one, other))


def counting(monkeypatch):
    from aiec_graph.graph.formats import npz_file

    calls = []
    read = npz_file.read
    monkeypatch.setattr(
        "aiec_graph.graph.formats.graph_file.READERS",
        {".npz": lambda name, path, *options: (calls.append(path), read(name, path, *options))[1]},
    )
    return calls


def test_the_second_load_reads_the_cache_and_is_equal(root, monkeypatch):
    calls = counting(monkeypatch)
    first, second = load(root), load(root)
    assert len(calls) == 1
    assert same(values(first), values(second))
    assert second.checksum == first.checksum
    assert second.simulated == SCALE
    assert isinstance(second.edges.indices.base, np.memmap)  # a plain view of the mapped file


def test_writing_to_a_loaded_graph_does_not_change_the_cache(root):
    graph = load(root)
    before = graph.x.clone()
    graph.x.zero_()
    assert torch.equal(load(root).x, before)


def test_a_changed_source_is_noticed_even_with_its_old_time_and_size(root, monkeypatch):
    first = load(root)
    labels = np.array(first.y)
    calls = counting(monkeypatch)
    path = file(root)
    old = path.stat()
    arrays = dict(np.load(path))
    arrays["node_labels"] = 1 - arrays["node_labels"]
    np.savez_compressed(path, **arrays)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    second = load(root)
    assert len(calls) == 1
    assert second.checksum != first.checksum
    assert np.array_equal(second.y, 1 - labels)


def test_a_touched_source_is_not_read_again(root, monkeypatch):
    load(root)
    calls = counting(monkeypatch)
    os.utime(file(root))
    load(root)
    assert not calls


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "x.npy").unlink(),
        lambda folder: (folder / "y.npy").write_bytes(b""),
        lambda folder: os.truncate(folder / "x.npy", 500),
        lambda folder: flip(folder / "indices.npy"),
        lambda folder: flip(folder / "x.npy"),
        lambda folder: (folder / "meta.json").write_text("{"),
        lambda folder: (folder / "meta.json").write_text("[]"),
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: edit(folder / "meta.json", format=99),
        lambda folder: edit(folder / "meta.json", arrays=None),
        lambda folder: shutil.rmtree(folder),
        lambda folder: (folder.parent / "checksums.json").write_text("nonsense"),
        lambda folder: (folder.parent / "checksums.json").write_text('{"a": 1}'),
    ],
)
def test_a_damaged_cache_is_rebuilt(root, damage):
    first = values(load(root))
    damage(cache(root))
    assert same(first, values(load(root)))
    assert same(first, values(load(root)))


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)


def edit(path, **changes):
    signed = json.loads(path.read_text())
    signed["content"] = json.dumps(json.loads(signed["content"]) | changes)
    path.write_text(json.dumps(signed))


def test_a_failed_build_leaves_nothing(root):
    file(root).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match="damaged"):
        load(root)
    store = cache_folder(file(root).parent)
    assert not [p for p in store.iterdir() if p.is_dir()]


def _load_in_process(root, queue):
    queue.put(float(load(root).x.double().sum()))


def test_two_processes_building_at_once_do_not_collide(root):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_load_in_process, args=(root, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    sums = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert set(sums) == {float(load(root).x.double().sum())}
    left = [p.name for p in cache_folder(file(root).parent).iterdir() if p.name.startswith(".")]
    assert left == []


def test_a_data_folder_is_left_as_it_is(root, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    folder = file(root).parent
    for variable, place in (("AIEC_CACHE_DIR", elsewhere), ("XDG_CACHE_HOME", tmp_path / "home")):
        monkeypatch.delenv("AIEC_CACHE_DIR", raising=False)
        monkeypatch.setenv(variable, str(place))
        load(root)
        assert {p.name for p in folder.iterdir()} == {"tolokers.npz", "simulated.json"}
        assert list(place.rglob("tolokers-*/x.npy"))


def test_a_cache_that_came_with_the_data_is_not_believed(root, tmp_path, monkeypatch):
    """Neither one beside the files nor one of another user, however well it fits."""
    sound = values(load(root))
    folder = cache(root)
    arrays = np.load(folder / "y.npy")
    np.save(folder / "y.npy", 1 - arrays)
    meta = json.loads((folder / "meta.json").read_text())
    content = json.loads(meta["content"])
    content["arrays"]["y"] = xxhash.xxh3_128_hexdigest((folder / "y.npy").read_bytes())
    text = json.dumps(content)
    forged = {"checksum": xxhash.xxh3_128_hexdigest(text.encode()), "content": text}
    (folder / "meta.json").write_text(json.dumps(forged))
    assert not same(sound, values(load(root)))  # forged well enough, where it is believed
    shutil.copytree(folder.parent, file(root).parent / ".cache")
    if os.getuid() == 0:
        os.chown(folder, 65534, -1)
        assert same(sound, values(load(root)))
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "empty"))
    assert same(sound, values(load(root)))


def test_columns_and_names_of_a_cache_are_under_its_checksum(root):
    load(root)
    meta = cache(root) / "meta.json"
    meta.write_text(meta.read_text().replace("simulated", "simulatad"))
    assert load(root).simulated == SCALE


def test_a_cache_that_cannot_be_written_does_not_stop_the_work(root, tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("AIEC_CACHE_DIR", str(blocked))
    assert len(load(root).y) == round(11_758 * SCALE)


def test_a_graph_without_edges_is_cached(tmp_path, monkeypatch):
    none = np.zeros((0, 2), np.int64)
    x, y = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    (tmp_path / "tolokers").mkdir()
    np.savez(tmp_path / "tolokers" / "tolokers.npz", node_features=x, node_labels=y, edges=none)
    calls = counting(monkeypatch)
    for _ in range(2):
        graph = find_source("tolokers", tmp_path).load().graph
        assert graph.edges.num_edges == 0
    assert len(calls) == 1
