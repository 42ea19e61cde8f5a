"""Which pictures a data set holds, without decoding one: folders of classes, in parts or without.

Nothing here needs torch, so that `check` knows pictures from graphs at once.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.vision.stratify import TEST_SHARE, stratified

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pbm", ".bmp", ".tif", ".tiff"}
    | {".webp", ".gif", ".avif"}
)
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""By part, the names that its folder may have, in capitals or not."""
SHOWN = 10
"""Faults of names and links in a message."""


@dataclass(frozen=True)
class Pictures:
    """The files of one part of a data set, by class.

    Attributes:
        folder: the part's folder, which the files are below.
        paths: files, in the order of classes and names.
        labels: the number of each one's class [N].
        class_names: by number.
        left_out: files that are not read, because their suffix is no picture's.
    """

    folder: Path
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    left_out: tuple[Path, ...] = ()

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Some of the files, in the given order."""
        paths = tuple(self.paths[row] for row in rows)
        return replace(self, paths=paths, labels=self.labels[rows], left_out=())

    def read(self, row: int) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read.
        """
        return self.paths[row].read_bytes()

    def stamp(self, row: int) -> str:
        """Changes whenever the file does: its size and the time of its last change."""
        stat = self.paths[row].stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def names(self) -> list[str]:
        """The files below the part's folder, as they can be printed."""
        below = [path.is_relative_to(self.folder) for path in self.paths]
        return [
            printable(path.relative_to(self.folder) if is_below else path)
            for path, is_below in zip(self.paths, below, strict=True)
        ]


class Listing(NamedTuple):
    """The pictures of a data set by part, train first."""

    parts: Mapping[str, Pictures]
    notes: tuple[str, ...] = ()
    """What is to be told."""
    faults: tuple[str, ...] = ()
    """Why it cannot be used as it is."""

    def raise_faults(self) -> None:
        """Refuses a data set with faults.

        Raises:
            InputError: there is one; names the first ten.
        """
        if self.faults:
            more = len(self.faults) - SHOWN
            listed = "; ".join(self.faults[:SHOWN])
            raise InputError(f"{listed}; and {more} more" if more > 0 else listed)


def list_parts(place: Path, wanted: Sequence[str] | None = None) -> Listing:
    """Lists a folder with train/ and test/ (or val/); without parts, a test is drawn by class.

    Args:
        place: the folder.
        wanted: classes to read, in this order; all by default, by name.

    Raises:
        InputError: it is no such folder.
    """
    if not place.is_dir():
        raise InputError(f"{place}: there is no such folder")
    found, notes, faults = find_parts(place), list[str](), list[str]()
    if found and ("train" not in found or len(found) == 1):
        raise InputError(
            f"{place}: must hold train/<class>/ and test/<class>/ (or val/<class>/) with images"
        )
    if not found:
        every = _list(place, wanted, faults)
        if len(every.class_names) > 1 and not faults:
            rows = np.arange(len(every.paths))
            train, test = stratified(every.labels, rows, 1 - TEST_SHARE)
            notes.append(
                f"no train/ and test/: {len(test)} of {len(rows)} pictures drawn for the test"
            )
            drawn = every.take(train)
            listed = {"train": replace(drawn, left_out=every.left_out), "test": every.take(test)}
        else:
            listed = {"train": every}
    else:
        if "test" not in found:
            notes.append(f"no test/: {found['val'].name}/ is the test")
            found["test"] = found.pop("val")
        order = [name for name in ("train", "val", "test") if name in found]
        read = {folder.name for folder in found.values()}
        others = [p.name for p in place.iterdir() if p.is_dir() and not p.name.startswith(".")]
        notes += [f"{printable(Path(name))}/ is not read" for name in sorted({*others} - read)]
        listed = {name: _list(found[name], wanted, faults) for name in order}
    names = listed["train"].class_names
    for name, part in listed.items():
        odd = sorted(set(part.class_names) ^ set(names))
        if odd:
            faults.append(f"{place}: train and {name} differ in the class {odd[0]!r}")
    if len(names) < 2:
        faults.append(
            f"{place}: one class alone, {', '.join(names)}; it must hold train/<class>/ and "
            "test/<class>/, or a folder for each class"
        )
    return Listing(listed, tuple(notes), tuple(faults))


def find_parts(root: Path) -> dict[str, Path]:
    """The folders of train, val and test that are there.

    Raises:
        InputError: two folders would be one part.
    """
    folders = [p for p in sorted(root.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        present = [folder for folder in folders if folder.name.lower() in names]
        if len(present) > 1:
            raise InputError(f"{root}: both {present[0].name}/ and {present[1].name}/; keep one")
        if present:
            found[part] = present[0]
    return found


def list_pictures(folder: Path, wanted: Sequence[str] | None = None) -> Pictures:
    """Lists the pictures of a folder with a sub-folder for each class.

    Hidden files and folders, such as `.ipynb_checkpoints` and macOS's `._` files, are passed over.
    A link that leads back to a folder above is not followed.

    Args:
        folder: with the classes' folders.
        wanted: classes to read, in this order; all by default, by name.

    Raises:
        InputError: there is no class, one is without pictures, or a link is broken; all at once.
    """
    faults: list[str] = []
    found = _list(folder, wanted, faults)
    Listing({}, faults=tuple(faults)).raise_faults()
    return found


def walk_pictures(folder: Path) -> tuple[list[Path], list[Path], list[str]]:
    """All pictures below a folder, whatever its form.

    Returns:
        Pictures, files whose suffix is no picture's, and links that lead nowhere.
    """
    faults: list[str] = []
    files = list(_walk(folder, faults))
    are = [path.suffix.lower() in SUFFIXES for path in files]
    pictures = [path for path, is_one in zip(files, are, strict=True) if is_one]
    return pictures, [path for path, is_one in zip(files, are, strict=True) if not is_one], faults


def _list(folder: Path, wanted: Sequence[str] | None, faults: list[str]) -> Pictures:
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    names = found if wanted is None else list(wanted)
    faults += [
        f"{folder}: no folder for the class {name!r}.{did_you_mean(name, found)}"
        for name in names
        if name not in found
    ]
    if not names:
        faults.append(f"{folder}: no folder for any class in it")
    paths: list[Path] = []
    labels: list[int] = []
    left_out: list[Path] = []
    for number, name in enumerate(names):
        if name not in found:
            continue
        own, others, broken = walk_pictures(folder / name)
        paths += own
        labels += [number] * len(own)
        left_out += others
        faults += broken
        if not own and not broken:
            faults.append(f"{printable(folder / name)}: no picture in it")
    labelled = np.array(labels, np.int64)
    return Pictures(
        folder, tuple(paths), labelled, tuple(map(printable, map(Path, names))), tuple(left_out)
    )


def _walk(folder: Path, faults: list[str]) -> Iterator[Path]:
    """All files below a folder by name; links are followed, but never round in a circle."""
    above: dict[str, frozenset[str]] = {str(folder): frozenset({os.path.realpath(folder)})}

    def refuse(error: OSError) -> None:
        faults.append(f"{printable(Path(error.filename))}: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        seen = above[place]
        for name in list(folders):
            real = os.path.realpath(os.path.join(place, name))  # noqa: PTH118
            if name.startswith(".") or real in seen:
                folders.remove(name)
            else:
                above[os.path.join(place, name)] = seen | {real}  # noqa: PTH118
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith("."):
                continue
            if not path.exists():
                faults.append(f"{printable(path)}: a link that leads nowhere")
            elif not path.is_file():
                faults.append(f"{printable(path)}: neither a file nor a folder")
            else:
                yield path


def read_classes(path: Path) -> list[str]:
    """Reads a file with the name of a class on each line.

    Raises:
        InputError: it cannot be read, or does not hold at least two names, each once.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of classes ({error})") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(set(names)) != len(names) or len(names) < 2:
        raise InputError(f"{path}: must hold the name of a class on each line, each once")
    return sorted(names)


def printable(path: Path) -> str:
    """A path for a message, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode()


GRAPH_SUFFIXES = frozenset(
    {".csv", ".tsv", ".parquet", ".xlsx", ".graphml", ".gexf", ".pt", ".npz", ".mat", ".yaml"}
)
MARKS = ("dataset_dict.json", "state.json", "data_batch_1", "cifar-10-batches-py")
"""What lies in other data sets of pictures: Hugging Face's, and CIFAR's own files."""


def holds_pictures(path: Path) -> bool:
    """Whether a path is a data set of pictures, and not a graph.

    A folder is one where train/, val/ or test/ hold pictures; or folders of pictures lie in it and
    no table or file of a graph beside them. A table is one where it has the column path, and a
    picture's name in it.
    """
    if path.is_file():
        return _lists_pictures(path)
    if not path.is_dir():
        return False
    names = {name for usual in PARTS.values() for name in usual}
    folders = [child for child in path.iterdir() if child.is_dir()]
    if any(_has_picture(folder) for folder in folders if folder.name.lower() in names):
        return True
    if any((path / name).exists() for name in MARKS) or any(path.glob("data/*-of-*.parquet")):
        return True
    if any(file.suffix.lower() in GRAPH_SUFFIXES for file in path.iterdir()):
        return False
    return any(_has_picture(folder) for folder in folders)


def _has_picture(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in _walk(folder, []))


def _lists_pictures(path: Path) -> bool:
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return "path" in pq.read_schema(path).names
        if path.suffix.lower() != ".csv":
            return False
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next(csv.DictReader(stream), {})
    except (OSError, ValueError, csv.Error):
        return False
    return Path(first.get("path") or "").suffix.lower() in SUFFIXES
