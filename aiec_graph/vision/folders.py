"""Pictures as a data set of torch."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from aiec_graph.errors import InputError
from aiec_graph.vision.listing import Pictures, printable
from aiec_graph.vision.transforms import Transform, to_rgb


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
        name = printable(self.pictures.paths[index])
        try:
            content = self.pictures.read(index)
        except OSError as error:
            raise InputError(f"{name}: {error.strerror or error}") from None
        image = decode_picture(content, name).image
        return self.transform(image), int(self.pictures.labels[index])


def read_picture(path: Path) -> Image.Image:
    """Reads a file as an RGB picture.

    Raises:
        InputError: it cannot be read, is damaged, no picture, or so large that it may be an attack.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{printable(path)}: {error.strerror or error}") from None
    return decode_picture(content, printable(path)).image


class Decoded(NamedTuple):
    """A picture and what is to be known of its file."""

    image: Image.Image
    """As RGB."""
    mode: str
    """Pillow's, of the file."""
    is_first: bool
    """Whether more pages or frames follow it in the file."""


def decode_picture(content: bytes, name: str) -> Decoded:
    """Decodes a picture.

    Args:
        content: of its file.
        name: for the error.

    Raises:
        InputError: it is damaged, no picture, or so large that it may be an attack.
    """
    if not content:
        raise InputError(f"{name}: an empty file")
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode = image.mode
            image.load()
            several = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
            return Decoded(to_rgb(image), mode, several)  # cameras keep previews in MPO files
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: too many pixels ({error})") from None
    except Image.UnidentifiedImageError:
        raise InputError(f"{name}: no picture that can be read{_guess(content)}") from None
    except Exception as error:  # Pillow's readers raise nearly every kind on damaged files
        if isinstance(error, MemoryError):
            raise
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{name}: cannot be read as a picture ({reason})") from None


def _guess(content: bytes) -> str:
    """What a file is in place of a picture, where that is plain to see."""
    start = content[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return ", but a web page"
    if start.startswith((b"<?xml", b"<svg")):
        return ", but XML or SVG"
    if start.startswith(b"version https://git-lfs"):
        return ", but a pointer of Git LFS; fetch the file itself"
    return ""
