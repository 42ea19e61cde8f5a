"""Whether a path is a data set of pictures or a graph, found without decoding anything."""

import re
from pathlib import Path

from aiec_graph.vision.classes import PART_OF
from aiec_graph.vision.listing import SUFFIXES, files_below, folders_in

GRAPH_SUFFIXES = frozenset(
    {".csv", ".tsv", ".parquet", ".xlsx", ".graphml", ".gexf", ".pt", ".npz", ".mat", ".yaml"}
)
LONGEST_LINE = 10_000
MARKS = ("dataset_dict.json", "state.json", "data_batch_1", "cifar-10-batches-py")
"""What lies in other data sets of pictures: Hugging Face's, and CIFAR's own files."""


def holds_pictures(path: Path) -> bool:
    """Whether a path is a data set of pictures, and not a graph.

    A folder is one where train/, val/ or test/ hold pictures; or pictures lie in it or its folders
    and no table or file of a graph beside them. A table is one where its first rows name a
    picture.
    """
    if path.is_file():
        return _lists_pictures(path)
    if not path.is_dir():
        return False
    folders = folders_in(path)
    if any(_has_picture(folder) for folder in folders if folder.name.lower() in PART_OF):
        return True
    if any((path / name).exists() for name in MARKS) or any(path.glob("data/*-of-*.parquet")):
        return True
    suffixes = {file.suffix.lower() for file in path.iterdir()}
    if suffixes & GRAPH_SUFFIXES:
        return False
    return bool(suffixes & SUFFIXES) or any(_has_picture(folder) for folder in folders)


def _has_picture(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in files_below(folder, []))


def _lists_pictures(path: Path) -> bool:
    """Whether a table has a column path, or a picture's name in its first two lines."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            file = pq.ParquetFile(path)
            first = next(file.iter_batches(1, use_threads=False), None)
            names, values = file.schema_arrow.names, [] if first is None else first.to_pylist()
            cells = [str(value) for row in values for value in row.values()]
        elif path.suffix.lower() in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig") as stream:
                lines = [stream.readline(LONGEST_LINE) for _ in range(2)]
            rows = [[cell.strip(" \"'\r\n") for cell in re.split("[,;\t|]", x)] for x in lines]
            names, cells = rows[0], rows[0] + rows[1]
        else:
            return False
    except (OSError, ValueError):
        return False
    if {"source", "target"} <= {name.lower() for name in names}:
        return False
    return {"path", "label"} <= {*names} or any(
        Path(cell).suffix.lower() in SUFFIXES for cell in cells
    )
