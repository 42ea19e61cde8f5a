"""One graph in one file, of whichever kind."""

from collections.abc import Callable
from pathlib import Path

from aiec_graph.errors import InputError
from aiec_graph.graph.formats import dgl_file, npz_file, pyg_file
from aiec_graph.graph.formats.options import FileOptions
from aiec_graph.graph.graph import Graph

READERS: dict[str, Callable[[str, Path, FileOptions], Graph]] = {
    ".pt": pyg_file.read,
    ".pth": pyg_file.read,
    ".zip": pyg_file.read,
    ".npz": npz_file.read,
    ".bin": dgl_file.read,
    ".dgl": dgl_file.read,
    "": dgl_file.read,
}


def read(name: str, path: Path, options: FileOptions = FileOptions()) -> Graph:  # noqa: B008
    """Reads a graph file by its suffix; a file without one is DGL's.

    Raises:
        InputError: the suffix is unknown, or the file cannot be used.
    """
    if path.suffix.lower() not in READERS:
        known = ", ".join(suffix for suffix in READERS if suffix)
        raise InputError(
            f"{path}: not a known kind of graph file; known are {known}, .graphml and .gexf, and "
            "tables: save it as one of them"
        )
    return READERS[path.suffix.lower()](name, path, options)
