"""Damaged and hostile files of every format: a clear error or a graph, and nothing else.

Each format's reader is handed mutations of a sound file, in this process, with a limit of memory
and of time for each. What comes of one is an `InputError` of one line that names the file, the same
graph, or another graph that passes its own checks.

    python tests/data/test_mutations.py 10000      so many cases, and a table of what came of them
"""

import pickle
import random
import resource
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Data

from aiec_graph.artifacts.checkpoint import Origin, load_checkpoint, save_checkpoint
from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.data import Graph, Preprocessor, find_source, make_split
from aiec_graph.data.user import from_frames, load_own
from aiec_graph.errors import InputError
from aiec_graph.graph.formats.dgl_binary import write_graph
from aiec_graph.graph.storage.frame_file import read_frame
from aiec_graph.train import TrainSettings, build_model, prepare_graph

TRIES = 30
MEMORY, SECONDS = 500 * 2**20, 10
N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = np.arange(N) % 3 // 2
SOURCE, TARGET = RNG.integers(0, N, (2, 90))
YAML = "label: label\nanomalous: [1]\nnormal: [0]\ncategorical: [kind]\nmissing_of: {a: mean}\n"


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"n{i}" for i in range(N)]
    kinds = np.array(["IT", "NO"])[Y]
    nodes = pd.DataFrame({"id": ids, "a": X[:, 0], "b": X[:, 1], "kind": kinds, "label": Y})
    edges = pd.DataFrame({"source": np.array(ids)[SOURCE], "target": np.array(ids)[TARGET]})
    return nodes, edges


def network() -> nx.DiGraph:
    graph = nx.DiGraph()
    nodes, edges = tables()
    for row in nodes.itertuples():
        graph.add_node(row.id, a=float(row.a), kind=str(row.kind), label=int(row.label))
    graph.add_edges_from(edges.itertuples(index=False, name=None))
    return graph


def write_tables(folder: Path, suffix: str) -> None:
    for name, frame in zip(("nodes", "edges"), tables(), strict=True):
        path = folder / f"{name}{suffix}"
        if suffix == ".csv":
            frame.to_csv(path, index=False)
        elif suffix == ".xlsx":
            frame.to_excel(path, index=False)
        else:
            frame.to_parquet(path)


def write_yaml(folder: Path) -> None:
    write_tables(folder, ".csv")
    (folder / "graph.yaml").write_text(YAML)


def write_pt(folder: Path, *, zipped: bool = True) -> None:
    pair = torch.from_numpy(np.stack([SOURCE, TARGET]))
    data = Data(x=torch.from_numpy(X), edge_index=pair, y=torch.from_numpy(Y))
    torch.save(data, folder / "g.pt", _use_new_zipfile_serialization=zipped)


def write_npz(folder: Path, save: Callable[..., None] = np.savez) -> None:
    pairs = np.stack([SOURCE, TARGET], axis=1)
    save(folder / "g.npz", node_features=X, node_labels=Y, edges=pairs)


def write_pickle(folder: Path) -> None:
    frame = tables()[0].astype(object)
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    (folder / "g.pkl").write_bytes(pickle.dumps(frame, protocol=4))


def write_cache(folder: Path) -> None:
    """A data folder with the cache of its graph, which `$AIEC_CACHE_DIR` puts there."""
    write_yaml(folder)
    read_cached(folder)


def read_cached(folder: Path) -> Graph:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIEC_CACHE_DIR", str(folder / "cache"))
        return find_source(str(folder)).load().graph


def write_checkpoint(folder: Path) -> None:
    content = {"format": 1, "names": ["a", "b"]}
    save_tensors(folder / "g.safetensors", content, {"w": torch.from_numpy(X)})


def write_network(folder: Path) -> None:
    """A checkpoint of a network that is ready to score, though it was never trained."""
    graph = from_frames(*tables())
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    spec = RunSpec("net", None, "supervised", "gcn", "relu", TrainSettings(hidden=4))
    preprocessor = Preprocessor.fit(graph, split.train_mask, "standard")
    width = preprocessor.network_inputs(graph).shape[1]
    network = build_model("gcn", "relu", width, spec.settings)
    origin = Origin.of(graph, split)
    save_checkpoint(folder / "g.safetensors", network, preprocessor, spec, 3407, origin)


def read_network(folder: Path) -> object:
    """The scores of a network, so that a changed weight shows."""
    found = load_checkpoint(folder / "g.safetensors")
    graph, adjacency = prepare_graph(from_frames(*tables()))
    with torch.no_grad():
        return found.network(found.preprocessor.network_inputs(graph), adjacency).tolist()


@dataclass(frozen=True)
class Format:
    """How a sound file is written, which of its files are mutated, and how they are read."""

    write: Callable[[Path], None]
    files: str
    read: Callable[[Path], object]


def read_first(read: Callable[[Path], object], pattern: str) -> Callable[[Path], object]:
    return lambda folder: read(next(folder.glob(pattern)))


def of_file(write: Callable[[Path], None], pattern: str) -> Format:
    return Format(write, pattern, read_first(load_own, pattern))


FORMATS = {
    "csv": Format(lambda folder: write_tables(folder, ".csv"), "*.csv", load_own),
    "parquet": Format(lambda folder: write_tables(folder, ".parquet"), "*.parquet", load_own),
    "xlsx": Format(lambda folder: write_tables(folder, ".xlsx"), "*.xlsx", load_own),
    "yaml": Format(write_yaml, "graph.yaml", load_own),
    "graphml": of_file(lambda f: nx.write_graphml(network(), f / "g.graphml"), "g.graphml"),
    "gexf": of_file(lambda f: nx.write_gexf(network(), f / "g.gexf"), "g.gexf"),
    "pt": of_file(write_pt, "g.pt"),
    "pt of torch 1.5": of_file(lambda folder: write_pt(folder, zipped=False), "g.pt"),
    "dgl": of_file(
        lambda f: write_graph(f / "g.bin", SOURCE, TARGET, {"feature": X, "label": Y}), "g.bin"
    ),
    "npz": of_file(write_npz, "g.npz"),
    "npz, packed": of_file(lambda f: write_npz(f, np.savez_compressed), "g.npz"),
    "pkl": Format(write_pickle, "g.pkl", read_first(read_frame, "g.pkl")),
    "cache": Format(write_cache, "cache/**/*.*", read_cached),
    "checkpoint": Format(
        write_checkpoint, "g.safetensors", read_first(load_tensors, "g.safetensors")
    ),
    "network": Format(write_network, "g.safetensors", read_network),
}


def flip_bytes(content: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return content


def cut(content: bytearray, rng: random.Random) -> bytearray:
    return content[: rng.randrange(len(content))]


def repeat_part(content: bytearray, rng: random.Random) -> bytearray:
    start, stop = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:stop] + content[start:]


def drop_part(content: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randint(1, 200) :]


def zero_part(content: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(content))
    stop = min(start + rng.randint(1, 200), len(content))
    content[start:stop] = bytes(stop - start)
    return content


def blow_up_number(content: bytearray, rng: random.Random) -> bytearray:
    """Lengths and offsets inside binary files become huge."""
    start = rng.randrange(max(len(content) - 8, 1))
    content[start : start + 8] = (2 ** rng.randint(20, 63)).to_bytes(8, "little")
    return content


def put_text(content: bytearray, rng: random.Random) -> bytearray:
    """Words that mean something to one parser or another."""
    words = ["\n", '"', ",", "&a;", "nan", "1e999", "-1", "*", "&x [", "{", "\0", "é", "9" * 400]
    start = rng.randrange(len(content))
    content[start:start] = rng.choice(words).encode()
    return content


MUTATIONS = [flip_bytes, cut, repeat_part, drop_part, zero_part, blow_up_number, put_text]


def mutated(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damage near the head meets structure, elsewhere it meets values; and the kind of damage."""
    head = len(content) if rng.random() < 0.5 else min(len(content), 2000)
    change = rng.choice(MUTATIONS)
    return bytes(change(bytearray(content[:head]), rng)) + content[head:], change.__name__


class OutOfTimeError(BaseException):
    """Not an `Exception`, so that no reader takes it for a damaged file."""


@contextmanager
def limits() -> Iterator[None]:
    """Limits what a case may take: memory beyond what the process has now, and time."""

    def stop(*_: object) -> None:
        raise OutOfTimeError

    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def fingerprint(found: object) -> bytes:
    """What a reader gave, so that it can be compared."""
    if isinstance(found, Graph):
        Graph(  # a sound graph passes its own checks
            name=found.name, x=found.x, edges=found.edges, y=np.array(found.y),
            node_ids=found.node_ids, given=found.given, columns=found.columns,
        )  # fmt: skip
        edges = [found.edges.indptr, found.edges.indices, found.edges.weight]
        arrays = [found.x.numpy(), found.y, *edges, np.array(found.node_ids, str)]
        rest = (found.columns, dict(found.given), found.time_step, found.simulated)
        return (
            repr([None if a is None else (a.shape, a.tobytes()) for a in arrays]).encode()
            + repr(rest).encode()
        )
    if isinstance(found, pd.DataFrame):
        return repr((list(found.columns), found.to_numpy(object).tolist())).encode()
    return repr(found).encode()


def outcome(kind: Format, folder: Path, expected: bytes, changed: Path) -> str:
    """Refused, same or changed; whatever else is raised passes through."""
    with limits():
        try:
            found = kind.read(folder)
        except InputError as error:
            line = str(error)
            assert "\n" not in line, line
            assert str(folder) in line or changed.name in line, line
            return "refused"
        return "same" if fingerprint(found) == expected else "changed"


def tried(name: str, folder: Path, tries: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Counts what comes of so many mutations of one format.

    Returns:
        How many were refused, gave the same or another graph; those that gave another one by the
        kind of mutation; and what must not come.
    """
    kind, rng = FORMATS[name], random.Random(name)
    folder.mkdir()
    kind.write(folder)
    files = sorted(
        path for path in folder.glob(kind.files) if path.is_file() and path.stat().st_size
    )
    before = {path: path.read_bytes() for path in files}
    expected, counts, kinds, failures = fingerprint(kind.read(folder)), Counter(), Counter(), []
    for case in range(tries):
        path = rng.choice(files)
        content, mutation = mutated(before[path], rng)
        path.write_bytes(content)
        try:
            found = outcome(kind, folder, expected, path)
            assert name != "cache" or found == "same", found
            counts[found] += 1
            kinds[mutation] += found == "changed"
        except (Exception, OutOfTimeError) as error:  # noqa: BLE001 (that is what is looked for)
            failures.append(f"case {case}, {path.name}: {error!r}"[:300])
        path.write_bytes(before[path])
    assert fingerprint(kind.read(folder)) == expected
    return counts, kinds, failures


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files(name, tmp_path):
    counts, _, failures = tried(name, tmp_path / "case", TRIES)
    assert failures == []
    assert counts["refused"] > (0 if name == "cache" else TRIES // 10) - 1


def main(cases: int) -> None:
    """Prints what came of so many cases, a row a format."""
    warnings.simplefilter("ignore")
    words = ("refused", "same", "changed")
    rows = [
        f"{'format':16} {'cases':>6} {'refused':>8} {'same':>8} {'changed':>8} {'failed':>8}  changed by"
    ]
    with tempfile.TemporaryDirectory() as root:
        for number, name in enumerate(FORMATS):
            each = -(-cases // len(FORMATS))
            counts, kinds, failures = tried(name, Path(root) / str(number), each)
            numbers = " ".join(f"{counts[word]:8}" for word in words)
            listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common() if count)
            rows.append(f"{name:16} {each:6} {numbers} {len(failures):8}  {listed}")
            rows += failures[:3]
            sys.stdout.write("\n".join(rows) + "\n")
            sys.stdout.flush()
            rows = []


if __name__ == "__main__":
    main(int(sys.argv[1]))
