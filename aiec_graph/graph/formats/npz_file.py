"""NumPy archives of the heterophilous benchmark (Platonov et al. 2023): tolokers and questions."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError, named
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.formats.node_arrays import make_graph, tell_unused
from aiec_graph.graph.formats.options import FileOptions
from aiec_graph.graph.graph import Graph
from aiec_graph.graph.storage.torch_file import ZIP_ERRORS, read_member
from aiec_graph.wording import listed

NAMES = ("node_features", "node_labels", "edges")
MASKS = ("train_masks", "val_masks", "test_masks")  # [trials, N]


def read(name: str, path: Path, options: FileOptions = FileOptions()) -> Graph:  # noqa: B008
    """Reads `node_features` [N, F], `node_labels` [N], `edges` [E, 2] and the masks [trials, N].

    The edges are undirected, each given once; of a file without masks, which none of the benchmark
    is, a note says so. A node of no mask is of unknown class.

    Raises:
        InputError: the file is damaged, holds Python objects, or something is missing.
    """
    arrays, others = _load(path)
    missing = [part for part in NAMES if part not in arrays]
    if missing:
        raise InputError(
            f"{path}: no {missing[0]} in it; expected {', '.join(NAMES)}, found "
            f"{listed({*arrays, *others})}"
        )
    features, labels, pairs = (arrays[part] for part in NAMES)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise InputError(f"{path}: edges must be whole numbers [E, 2]")
    if features.ndim != 2:
        raise InputError(f"{path}: node_features must have the shape [N, F]")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    with named(path):
        edges = Edges.from_pairs(both[:, 0], both[:, 1], len(features))
    masks = {mask: arrays[mask].T for mask in MASKS if mask in arrays}
    graph = make_graph(name, path, features, labels, edges, masks, options)
    if not masks and edges.num_edges > len(np.unique(pairs, axis=0)):
        line = "edges of a .npz file go both ways; a .pt file, or tables, can hold directed ones"
        graph = replace(graph, notes=(*graph.notes, line), trusted=True)
    return tell_unused(graph, others, "the edges have no weights")


def _load(path: Path) -> tuple[dict[str, NDArray[Any]], set[str]]:
    """The arrays that are read, and the names of the others."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            found = {
                key: _array(read_member(archive, members[key], path))
                for key in (*NAMES, *MASKS)
                if key in members
            }
            return found, set(members) - set(found)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'damaged'}") from None
    except (*ZIP_ERRORS, SyntaxError, TypeError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: damaged, or not a NumPy archive ({reason})") from None


def _array(content: bytes) -> NDArray[Any]:
    """An array from a file in NumPy's format, as a view of it.

    Raises:
        ValueError: the file is damaged, or its array holds Python objects or is larger than it.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    count = 1
    for extent in shape:
        count *= extent
    if count < 0 or count * dtype.itemsize != len(content) - stream.tell():
        raise ValueError("an array's shape differs from its size")
    array = np.frombuffer(content, dtype, count, stream.tell() if count else 0)
    return array.reshape(shape, order="F" if fortran else "C")
