"""Folders of pictures, a sub-folder a class: which files belong to them, and reading one."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.vision.transforms import Transform, to_rgb

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pbm", ".bmp", ".tif", ".tiff"}
    | {".webp", ".gif", ".avif"}
)
PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""By part, the names that its folder may have."""


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

    def take(self, rows: NDArray[np.integer]) -> "Pictures":
        """Some of the files, in the given order."""
        paths = tuple(self.paths[row] for row in rows)
        return Pictures(self.folder, paths, self.labels[rows], self.class_names)


class PictureData(Dataset[tuple[Any, int]]):
    """Pictures as a data set of torch: decoded when they are asked for.

    Args:
        pictures: the files.
        transform: from a picture to what the network takes.
    """

    def __init__(self, pictures: Pictures, transform: Transform) -> None:
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures.paths)

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.pictures.labels

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = read_picture(self.pictures.paths[index])
        return self.transform(image), int(self.pictures.labels[index])


def read_picture(path: Path) -> Image.Image:
    """Reads a picture as RGB.

    Raises:
        InputError: it is damaged, no picture, or so large that it may be an attack.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return to_rgb(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"{printable(path)}: too many pixels ({error})") from None
    except Exception as error:  # Pillow's readers raise nearly every kind on damaged files
        if isinstance(error, MemoryError):
            raise
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{printable(path)}: cannot be read as a picture ({reason})") from None


def find_parts(root: Path) -> dict[str, Path]:
    """The folders of train, val and test that are there.

    Raises:
        InputError: two folders would be one part.
    """
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        present = [root / name for name in names if (root / name).is_dir()]
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
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    names = found if wanted is None else list(wanted)
    faults = [
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
        before = len(paths)
        for path in _walk(folder / name, faults):
            if path.suffix.lower() in SUFFIXES:
                paths.append(path)
                labels.append(number)
            else:
                left_out.append(path)
        if len(paths) == before:
            faults.append(f"{printable(folder / name)}: no picture in it")
    if faults:
        raise InputError("; ".join(faults[:10]))
    return Pictures(folder, tuple(paths), np.array(labels), tuple(names), tuple(left_out))


def _walk(folder: Path, faults: list[str]) -> Iterator[Path]:
    """All files below a folder by name; links are followed, but never round in a circle."""
    above: dict[str, frozenset[str]] = {str(folder): frozenset({os.path.realpath(folder)})}
    for place, folders, files in os.walk(folder, followlinks=True):
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
