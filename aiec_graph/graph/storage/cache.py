"""Loaded graphs in the user's cache folder: memory-mapped the next time, rebuilt when stale.

A cache is a folder of plain NumPy arrays and one JSON file with the checksum of each array, of
itself, and the key of what it was made from. It is written beside and renamed, under a lock. What
comes with a data folder is never taken for a cache, nor what another user wrote.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import xxhash
from filelock import FileLock
from numpy.typing import NDArray
from platformdirs import user_cache_path

from aiec_graph.errors import InputError
from aiec_graph.files import whole_folder
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Column, Graph

FORMAT = 3
CACHE_VARIABLE = "AIEC_CACHE_DIR"
META = "meta.json"
BLOCK = 2**22
SMALL = 2**12


def user_cache() -> Path:
    """Where caches are kept: `$AIEC_CACHE_DIR`, or a folder in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("aiec_graph")


def cache_folder(source: Path) -> Path:
    """Where the cache of a data folder is."""
    return user_cache() / hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]


def _is_own(folder: Path) -> bool:
    """Whether a folder was written by this user, where the system tells."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def cached(folder: Path, key: str, build: Callable[[], Graph]) -> Graph:
    """Returns the graph in a cache folder, built first where it is missing, stale or damaged.

    Args:
        folder: of this one graph.
        key: a checksum of all that the graph is made from.
        build: makes the graph; called by one process at a time.

    Raises:
        InputError: what `build` raises.
    """
    graph = _read(folder, key)
    if graph is not None:
        return graph
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        lock.acquire()
    except OSError:  # nowhere to keep it: every load builds
        return replace(build(), checksum=key)
    try:
        graph = _read(folder, key)  # another process may have built it meanwhile
        if graph is not None:
            return graph
        graph = replace(build(), checksum=key, trusted=True)
        try:
            with whole_folder(folder) as draft:
                _write(draft, graph)
        except InputError:  # a full disk must not stop the work
            return graph
        return _read(folder, key) or graph
    finally:
        lock.release()


def _write(folder: Path, graph: Graph) -> None:
    arrays: dict[str, NDArray[np.generic] | None] = {
        "x": graph.x.contiguous().numpy(),
        "y": graph.y,
        "indptr": graph.edges.indptr,
        "indices": graph.edges.indices,
        "weight": graph.edges.weight,
        "time_step": graph.time_step,
        "node_ids": None if _is_counted(graph.node_ids) else graph.node_ids,
        **{f"given_{kind}": parts for kind, parts in graph.given.items()},
    }
    checksums = {}
    for name, array in arrays.items():
        if array is not None:
            if array.dtype == object:
                array = array.astype(str)
            checksums[name] = _save(folder / f"{name}.npy", np.ascontiguousarray(array))
    meta = {
        "format": FORMAT,
        "key": graph.checksum,
        "name": graph.name,
        "simulated": graph.simulated,
        "notes": graph.notes,
        "declaration": graph.declaration,
        "columns": None if graph.columns is None else [asdict(c) for c in graph.columns],
        "arrays": checksums,
    }
    text = json.dumps(meta)
    signed = {"checksum": _digest(text), "content": text}
    (folder / META).write_text(json.dumps(signed), encoding="utf-8")


def _save(path: Path, array: NDArray[np.generic]) -> str:
    """Writes an array in NumPy's format and returns the file's checksum.

    In blocks: handed over whole, 135 MB took ten times as long to write.
    """
    found = xxhash.xxh3_128()
    with path.open("wb", buffering=0) as stream:
        header = io.BytesIO()
        described = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_2_0(header, described)
        content = array.reshape(-1).view(np.uint8).data if array.size else b""
        for part in (header.getbuffer(), content):
            for start in range(0, len(part), BLOCK):
                block = part[start : start + BLOCK]
                found.update(block)
                stream.write(block)
    return found.hexdigest()


def _is_counted(ids: NDArray[np.generic]) -> bool:
    return bool(ids.dtype == np.int64 and (ids == np.arange(len(ids))).all())


def _read(folder: Path, key: str) -> Graph | None:
    """The cached graph, or None where there is no sound one of that key."""
    try:
        signed = json.loads((folder / META).read_text(encoding="utf-8"))
        if _digest(signed["content"]) != signed["checksum"]:
            return None
        meta = json.loads(signed["content"])
        if meta["format"] != FORMAT or meta["key"] != key or not _is_own(folder):
            return None
        arrays = {}
        for name, checksum in meta["arrays"].items():
            path = folder / f"{name}.npy"
            if _checksum(path) != checksum:
                return None
            # Copy-on-write: torch takes no read-only array, and the file never changes. An array
            # without elements cannot be mapped. Pickled as an array of its own class, a mapped one
            # would be copied.
            mode = "c" if path.stat().st_size > SMALL else None
            arrays[name] = np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
        given = {n.removeprefix("given_"): a for n, a in arrays.items() if n.startswith("given_")}
        columns = meta["columns"]
        return Graph(
            name=meta["name"],
            x=torch.from_numpy(arrays["x"]),
            edges=Edges(arrays["indptr"], arrays["indices"], arrays.get("weight")),
            y=arrays["y"],
            node_ids=arrays.get("node_ids", np.arange(len(arrays["y"]))),
            simulated=meta["simulated"],
            given=given,
            time_step=arrays.get("time_step"),
            columns=None if columns is None else tuple(map(Column.of, columns)),
            notes=tuple(meta["notes"]),
            declaration=meta["declaration"],
            checksum=key,
            trusted=True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _digest(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode())


def _checksum(path: Path) -> str:
    with path.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, xxhash.xxh3_128).hexdigest()
