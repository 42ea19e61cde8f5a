"""DGL's binary graph files, through `dgl` in a process of its own."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.edges import Edges
from aiec_graph.data.formats.node_arrays import FEATURE_NAMES, LABEL_NAMES, first_of, make_graph
from aiec_graph.data.graph import Graph
from aiec_graph.errors import InputError, named

MAGIC = (0xDD2E4FF046B4A13F).to_bytes(8, "little")
WORKER = Path(__file__).with_name("dgl_worker.py")
# What the worker may use: its libraries reserve gigabytes of addresses, and a file becomes a few
# times its size in memory.
BASE_MEMORY, MEMORY_PER_BYTE = 16 * 2**30, 12
BASE_SECONDS, BYTES_PER_SECOND = 120, 5_000_000


def is_dgl_file(path: Path) -> bool:
    """Whether a file begins as DGL's do."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def read(name: str, path: Path) -> Graph:
    """Reads the first graph of a file, as T-Finance's authors and GADBench publish theirs.

    Takes `feature` [N, F] and `label` [N] or one-hot [N, 2], and, where the file carries them,
    `train_masks`, `val_masks` and `test_masks` [N, trials]; of GADBench's 20, the last 10 are the
    semi-supervised ones. A node of no mask is of unknown class. Several relations between the same
    nodes are joined.

    Raises:
        InputError: the file is damaged, or holds something else, or DGL is not installed.
    """
    if not is_dgl_file(path):
        raise InputError(f"{path}: not a file that DGL's save_graphs wrote")
    with tempfile.TemporaryDirectory(prefix="aiec-dgl-") as folder:
        _work("read", path.absolute(), Path(folder), path)
        arrays = {p.stem: np.load(p, mmap_mode="r") for p in Path(folder).glob("*.npy")}
        data = {n.removeprefix("ndata_"): a for n, a in arrays.items() if n.startswith("ndata_")}
        features = first_of(data, FEATURE_NAMES, path)
        with named(path):
            edges = Edges.from_pairs(arrays["source"], arrays["target"], len(features))
        return make_graph(name, path, features, first_of(data, LABEL_NAMES, path), edges, data)


def write(
    path: Path, source: NDArray[Any], target: NDArray[Any], ndata: Mapping[str, NDArray[Any]]
) -> None:
    """Writes a graph as DGL's `save_graphs` does.

    Args:
        path: the file.
        source: [E], int64.
        target: [E], int64.
        ndata: arrays with a row for each node.

    Raises:
        InputError: it cannot be written, or DGL is not installed.
    """
    with tempfile.TemporaryDirectory(prefix=".dgl-", dir=path.parent) as folder:
        np.save(Path(folder) / "source.npy", source)
        np.save(Path(folder) / "target.npy", target)
        for name, value in ndata.items():
            np.save(Path(folder) / f"ndata_{name}.npy", value)
        _work("write", Path(folder), path.absolute(), Path(folder))


def _work(action: str, source: Path, target: Path, measured: Path) -> None:
    if importlib.util.find_spec("dgl") is None:
        raise InputError(
            "DGL's binary files need the package dgl 1.1.3, which has wheels up to Python 3.11: "
            "pip install 'aiec-graph[dgl]'"
        )
    files = measured.iterdir() if measured.is_dir() else [measured]
    size = sum(file.stat().st_size for file in files)
    memory = BASE_MEMORY + MEMORY_PER_BYTE * size
    command = [sys.executable, "-P", str(WORKER), action, str(source), str(target), str(memory)]
    verb = "read" if action == "read" else "written"
    file = source if action == "read" else target
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BASE_SECONDS + size / BYTES_PER_SECOND,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{file}: damaged; DGL came to no end with it") from None
    if done.returncode == 0:
        return
    lines = done.stdout.strip().splitlines() if done.returncode == 2 else []
    reason = lines[-1] if lines else f"DGL's process ended with code {done.returncode}"
    raise InputError(f"{file}: cannot be {verb} as a DGL graph, it may be damaged ({reason})")
