"""NumPy archives of the heterophilous benchmark (Platonov et al. 2023): tolokers and questions."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.edges import Edges
from aiec_graph.data.formats.node_arrays import make_graph
from aiec_graph.data.graph import Graph
from aiec_graph.data.storage.safe_load import MAX_UNZIPPED
from aiec_graph.errors import InputError, named

NAMES = ("node_features", "node_labels", "edges")
MASKS = ("train_masks", "val_masks", "test_masks")  # [trials, N]


def read(name: str, path: Path) -> Graph:
    """Reads `node_features` [N, F], `node_labels` [N], `edges` [E, 2] and the masks [trials, N].

    The edges are undirected, each given once; a node of no mask is of unknown class.

    Raises:
        InputError: the file is damaged, holds Python objects, or something is missing.
    """
    arrays = _load(path)
    missing = [part for part in NAMES if part not in arrays]
    if missing:
        raise InputError(
            f"{path}: no {missing[0]} in it; expected {', '.join(NAMES)}, found "
            f"{', '.join(sorted(arrays)) or 'nothing'}"
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
    return make_graph(name, path, features, labels, edges, masks)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_UNZIPPED:
            raise InputError(f"{path}: unzips to {size / 2**30:.0f} GiB, more than is accepted")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in (*NAMES, *MASKS) if key in archive.files}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'damaged'}") from None
    except Exception as error:  # noqa: BLE001 (a damaged archive can raise anything)
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: damaged, or not a NumPy archive ({reason})") from None
