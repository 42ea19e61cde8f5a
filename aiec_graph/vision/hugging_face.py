"""Image data sets of Hugging Face: what `save_to_disk` wrote, or a download with Parquet files.

Both hold Arrow tables with a description in JSON, which pyarrow reads; no code of the data set is
run.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aiec_graph.errors import InputError
from aiec_graph.vision.classes import PART_OF
from aiec_graph.vision.listing import Listing, Pictures, draw_test

SPLITS, INFO, STATE = "dataset_dict.json", "dataset_info.json", "state.json"


@dataclass(frozen=True)
class StoredPictures(Pictures):
    """Pictures whose contents lie in Arrow files, memory-mapped."""

    column: Any = None
    """Of structs with the fields bytes and path [N of all]."""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.array([], np.int64))
    """Which of the column's rows these are [N]."""

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Some of the pictures, in the given order."""
        return replace(super().take(rows), rows=self.rows[rows])

    def read(self, row: int) -> bytes:
        """The content of a picture.

        Raises:
            OSError: it is in a file of its own, which cannot be read.
        """
        value = self.column[int(self.rows[row])].as_py() or {}
        if value.get("bytes") is not None:
            return value["bytes"]
        if value.get("path") is None:
            raise OSError("no picture in this row")
        path = self.folder / value["path"]
        try:
            return path.read_bytes()
        except OSError as error:
            raise OSError(f"neither its content nor its file, {path}: {error.strerror}") from None

    def stamp(self, row: int) -> str:
        """Changes whenever the files of the column do."""
        return _stamp(self.folder) if row == 0 else ""


def is_stored(place: Path) -> bool:
    """Whether a folder is what `save_to_disk` writes, or a download with Parquet files."""
    return any((place / name).is_file() for name in (SPLITS, STATE)) or bool(_shards(place))


def _shards(place: Path) -> dict[str, list[Path]]:
    """The Parquet files of each split, which are called data/SPLIT-00000-of-00002.parquet."""
    found: dict[str, list[Path]] = {}
    for path in sorted((place / "data").glob("*-of-*.parquet")):
        found.setdefault(path.name.split("-")[0], []).append(path)
    return found


def list_stored(place: Path) -> Listing:
    """Lists a data set with splits, or one without, of which a fifth is drawn for the test.

    Raises:
        InputError: a file is missing or damaged, or no column holds images or classes.
    """
    shards = _shards(place)
    if not (place / SPLITS).is_file() and not shards:
        return draw_test(_read(place), "no splits", place)
    found = list(shards) or _json(place / SPLITS).get("splits")
    names = [str(name) for name in found] if isinstance(found, list) else []
    known = [name for name in names if name in PART_OF]
    notes = [f"the split {name} is not read" for name in names if name not in PART_OF]
    twice = [name for name in known if [PART_OF[n] for n in known].count(PART_OF[name]) > 1]
    if twice:
        raise InputError(f"{place}: both the splits {twice[0]} and {twice[1]}; keep one")
    parts = {
        PART_OF[name]: _of_parquet(place, name, shards[name]) if shards else _read(place / name)
        for name in known
    }
    if "test" not in parts and "val" in parts:
        notes.append("no split test: validation is the test")
        parts["test"] = parts.pop("val")
    if "train" not in parts or "test" not in parts:
        raise InputError(f"{place}: must hold the splits train and test; found {', '.join(names)}")
    ordered = {name: parts[name] for name in ("train", "val", "test") if name in parts}
    classes = {part.class_names for part in ordered.values()}
    faults = [f"{place}: the splits have different classes"] if len(classes) > 1 else []
    return Listing(ordered, tuple(notes), tuple(faults))


def _of_parquet(place: Path, split: str, files: list[Path]) -> StoredPictures:
    count = files[0].stem.rpartition("-of-")[2]
    if count.isdigit() and len(files) != int(count):
        raise InputError(
            f"{place}: {len(files)} of the {int(count)} files data/{split}-*-of-{count}.parquet "
            "are there; download the others"
        )
    try:
        table = pa.concat_tables([pq.read_table(path) for path in files])
        described = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described["info"]["features"]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(
            f"{files[0]}: no Parquet file of a data set of Hugging Face ({reason})"
        ) from None
    return _pictures(place / split, features, table)


def _read(folder: Path) -> StoredPictures:
    state = _json(folder / STATE)
    if state.get("_indices_data_files"):
        raise InputError(f"{folder}: holds a selection of rows; save it after flatten_indices()")
    return _pictures(folder, _json(folder / INFO).get("features"), _table(folder, state))


def _pictures(folder: Path, features: Any, table: pa.Table) -> StoredPictures:
    features = features if isinstance(features, dict) else {}
    kinds = {
        name: f.get("_type") for name, f in features.items() if isinstance(f, dict)
    }  # a list or a sequence is neither
    there = set(table.schema.names)
    images = [name for name, kind in kinds.items() if kind == "Image" and name in there]
    classes = [name for name, kind in kinds.items() if kind == "ClassLabel" and name in there]
    if len(images) != 1 or len(classes) != 1:
        raise InputError(
            f"{folder}: must have one column of images and one of classes (ClassLabel); found "
            f"{', '.join(f'{name} ({kind})' for name, kind in kinds.items()) or 'none'}"
        )
    kind = table.schema.field(images[0]).type
    if not (pa.types.is_struct(kind) and {"bytes", "path"} <= {f.name for f in kind}):
        raise InputError(f"{folder}: the column {images[0]} holds no images, but {kind}")
    labels = table.column(classes[0]).to_numpy()
    names = tuple(map(str, features[classes[0]].get("names") or ()))
    wrong = np.flatnonzero(~((labels >= 0) & (labels < len(names))))
    if len(wrong) or not len(labels):
        what = f"row {wrong[0]} has no class" if len(wrong) else "without a row"
        raise InputError(f"{folder}: {what}")
    labels = labels.astype(np.int64)
    shown = tuple(folder / f"{row:06}" for row in range(len(labels)))
    rows = np.arange(len(labels))
    return StoredPictures(folder, shown, labels, names, (), table.column(images[0]), rows)


def _table(folder: Path, state: dict[str, Any]) -> pa.Table:
    try:
        files = [str(entry["filename"]) for entry in state["_data_files"]]
        if any(Path(name).name != name for name in files):
            raise ValueError("a file outside of the folder")
        tables = []
        for name in files:
            with pa.memory_map(str(folder / name)) as source:
                tables.append(pa.ipc.open_stream(source).read_all())
        return pa.concat_tables(tables)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{folder}: its Arrow files cannot be read ({reason})") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        reason = "no JSON object"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no JSON"
    raise InputError(f"{path}: {reason}")


def _stamp(folder: Path) -> str:
    files = sorted(folder.glob("*.arrow")) or sorted(folder.parent.glob("data/*.parquet"))
    stats = [(path.name, path.stat()) for path in files]
    return " ".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
