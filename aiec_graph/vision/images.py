"""Image data sets: scikit-learn's digits, CIFAR, ImageNet, pictures of the user's own."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset, Subset
from torchvision import datasets

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.vision.check import Progress, check_pictures
from aiec_graph.vision.folders import PictureData
from aiec_graph.vision.hugging_face import is_stored, list_stored
from aiec_graph.vision.listing import Listing, list_parts, printable, read_classes
from aiec_graph.vision.lists import read_list
from aiec_graph.vision.settings import VisionSettings
from aiec_graph.vision.stratify import TEST_SHARE, stratified
from aiec_graph.vision.transforms import Transform, test_transform, train_transform

VAL_SHARE = 0.1
KEPT_BYTES = 2**28
"""So much memory may validation images take in their final form: 20,000 of 32 × 32 pixels."""


class ImageData(NamedTuple):
    """A data set, ready to be trained on."""

    name: str
    train: Dataset[Any]
    val: Dataset[Any]
    """What settings and epochs are chosen by; of the training images where none are given."""
    test: Dataset[Any]
    """Looked at once, at the end."""
    class_names: Sequence[str]
    image_size: int
    checksum: str
    """Changes with the images, their names and classes."""
    notes: tuple[str, ...] = ()
    """What somebody should know who reads the results."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def files(self, part: str) -> list[str]:
        """The files of a part's images, relative to the part; numbers where they are in none.

        Args:
            part: "train", "val" or "test".
        """
        data: Any = getattr(self, part)
        data, rows = data.data if isinstance(data, Kept) else data, None
        if isinstance(data, Subset):
            data, rows = data.dataset, data.indices
        names = data.pictures.names() if isinstance(data, PictureData) else range(len(data))
        return [str(names[row]) for row in (range(len(data)) if rows is None else rows)]


@dataclass(frozen=True)
class Part:
    """Images of one part before any transform, by number."""

    make: Callable[[Transform], Dataset[Any]]
    labels: NDArray[np.int64]


class Kept(Dataset[Any]):
    """Images whose transform draws nothing, made once: an epoch's validation asks for them again.

    Args:
        data: the images; kept as tensors where they take at most `KEPT_BYTES`.
        image_size: their height and width.
    """

    def __init__(self, data: Dataset[Any], image_size: int) -> None:
        self.data = data
        size = len(self) * 3 * image_size**2 * 4
        self._made: dict[int, Any] | None = {} if size <= KEPT_BYTES else None

    def __len__(self) -> int:
        return len(cast(Any, self.data))

    def __getitem__(self, index: int) -> Any:
        if self._made is None:
            return self.data[index]
        if index not in self._made:
            self._made[index] = self.data[index]
        return self._made[index]


class Parts(NamedTuple):
    """A data set as it lies there; without val, one is drawn from train."""

    train: Part
    test: Part
    class_names: Sequence[str]
    checksum: str
    val: Part | None = None
    notes: tuple[str, ...] = ()


class Request(NamedTuple):
    """What a reader is asked for."""

    place: Path
    download: bool = False
    classes: Path | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class _Kind:
    image_size: int
    read: Callable[[Request], Parts]
    augmented: bool = True


def load_images(
    name: str,
    settings: VisionSettings,
    root: Path,
    download: bool = False,
    classes: Path | None = None,
    progress: Progress | None = None,
) -> ImageData:
    """Loads a data set by name, or pictures of the user's own.

    Pictures of the user's own are checked first, every file: `aiec_graph.vision.check`.

    Args:
        name: one of `IMAGES`; or the path of a folder with train/ and test/ (or val/), of a folder
            of classes, or of a table of files and labels.
        settings: image size, augmentation and limit.
        root: the folder that holds a folder for each data set.
        download: fetch CIFAR where it is missing.
        classes: a file with the names of the classes to read, one a line.
        progress: is called with the number of files checked and of all.

    Raises:
        InputError: the name is unknown, or files are missing or damaged.
    """
    if not name.strip():
        raise InputError("a data set without a name; give a name or a path")
    is_own = name not in IMAGES and (os.sep in name or Path(name).exists())
    if name not in IMAGES and not is_own:
        raise InputError(
            f"unknown image data set {name!r}.{did_you_mean(name, IMAGES)} Known: "
            f"{', '.join(IMAGES)}, or the path of a folder with train/ and test/"
        )
    kind = FOLDER if is_own else IMAGES[name]
    place = Path(name) if is_own else root / name
    parts = kind.read(Request(place, download, classes, progress))
    size = settings.image_size or kind.image_size
    augment = settings.augment == "full" or (settings.augment == "auto" and kind.augmented)
    rows, val_rows = _training_rows(parts, settings.limit_train)
    notes = list(parts.notes)
    if settings.limit_train > len(rows):
        notes.append(f"limit_train {settings.limit_train}: there are {len(rows)}, all are taken")
    plain = test_transform(size)
    of_train = parts.train.make(train_transform(size, augment))
    if parts.val is not None:
        val = parts.val.make(plain)
    else:
        val = Subset(parts.train.make(plain), val_rows.tolist())
    everything = len(rows) == len(parts.train.labels)
    return ImageData(
        printable(Path(place.resolve().stem)) if is_own else name,
        of_train if everything else Subset(of_train, rows.tolist()),
        Kept(val, size),
        parts.test.make(plain),
        parts.class_names,
        size,
        parts.checksum,
        tuple(notes),
    )


def _training_rows(parts: Parts, limit: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Which training images to train on, and which to validate on where no part is for that.

    Both are drawn by class, and alike for all seeds.
    """
    labels = parts.train.labels
    rows, val = np.arange(len(labels)), np.array([], int)
    if parts.val is None:
        share = min((1 - VAL_SHARE) * len(rows), len(rows) - 1)
        rows, val = stratified(labels, rows, max(share, 1))
        if not len(val):
            raise InputError(
                f"{len(rows)} training images of {len(rows)} classes: none is left to validate on; "
                "take more, or give val/"
            )
    if limit and limit < len(rows):
        counts = np.bincount(labels[rows], minlength=len(parts.class_names))
        if limit < len(counts):
            raise InputError(
                f"limit_train {limit} leaves classes without an image: there are {len(counts)}"
            )
        rows, _ = stratified(labels, rows, limit)
    return rows, val


class _Arrays(Dataset[tuple[Any, int]]):
    """Images in memory [N, H, W] or [N, H, W, 3]."""

    def __init__(self, images: Any, labels: Any, transform: Transform) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.images[index]).convert("RGB")
        return self.transform(image), int(self.labels[index])


def _part(images: Any, labels: Any) -> Part:
    labels = np.asarray(labels, np.int64)
    return Part(lambda transform: _Arrays(images, labels, transform), labels)


def _digits(_: Request) -> Parts:
    from sklearn.datasets import load_digits

    bunch = cast(Any, load_digits())
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    rows = np.arange(len(images))
    # One split for all seeds, stratified by digit: there is no official one.
    left, right = train_test_split(
        rows, test_size=TEST_SHARE, random_state=0, stratify=bunch.target
    )
    train, test = (_part(images[part], bunch.target[part]) for part in (left, right))
    return Parts(train, test, [str(i) for i in range(10)], _checksum(images.tobytes()))


def _cifar(make: Any) -> Callable[[Request], Parts]:
    def read(request: Request) -> Parts:
        place, archive = request.place, make.url.rpartition("/")[2]
        advice = f"fetch {make.url} by hand (MD5 {make.tgz_md5}) and unpack {archive} there"
        try:
            made = [
                make(str(place), train=is_train, download=request.download)
                for is_train in (True, False)
            ]
        except (RuntimeError, OSError) as error:  # URLError is an OSError
            folder = place / make.base_folder
            if folder.is_dir():
                raise InputError(
                    f"{folder}: there, but not as published: {_damaged(make, folder)}; {advice}"
                ) from None
            reason = f" ({' '.join(str(error).split())[:150]})" if request.download else ""
            raise InputError(
                f"{place}: no {make.base_folder} in it. Give --download, or {advice}{reason}"
            ) from None
        checksum = _checksum(*(part.data.tobytes() for part in made))
        train, test = (_part(part.data, part.targets) for part in made)
        return Parts(train, test, made[0].classes, checksum)

    return read


def _damaged(make: Any, folder: Path) -> str:
    """Names the first file of CIFAR that is missing or has another checksum."""
    from torchvision.datasets.utils import check_integrity

    listed = [*make.train_list, *make.test_list, (make.meta["filename"], make.meta["md5"])]
    for name, md5 in listed:
        if not (folder / name).is_file():
            return f"{name} is missing"
        if not check_integrity(str(folder / name), md5):
            return f"{name} has another MD5 than {md5}"
    return "it cannot be read"


def list_images(place: Path, classes: Path | None = None) -> Listing:
    """Lists the pictures of a folder, a table, or a data set that Hugging Face's library saved.

    Raises:
        InputError: it is none of them.
    """
    wanted = None if classes is None else read_classes(classes)
    stored = place.is_dir() and is_stored(place)
    if wanted is not None and (stored or place.is_file()):
        raise InputError(f"{place}: names its classes itself; --classes is for folders of pictures")
    if stored:
        listing = list_stored(place)
    else:
        listing = read_list(place) if place.is_file() else list_parts(place, wanted)
    return listing.with_missing(place)


def _folder(request: Request) -> Parts:
    batches = own_batches(request.place)
    if batches is not None:
        return batches(request)
    listed = list_images(request.place, request.classes)
    listed.raise_faults()
    report = check_pictures(listed, request.progress)
    report.raise_faults()
    made = {
        name: Part(lambda transform, p=p: PictureData(p, transform), p.labels)
        for name, p in listed.parts.items()
    }
    return Parts(
        made["train"],
        made["test"],
        listed.parts["train"].class_names,
        report.checksum,
        made.get("val"),
        (*listed.notes, *report.notes()),
    )


def own_batches(place: Path) -> Callable[[Request], Parts] | None:
    """How to read CIFAR's own files where a folder holds them, whatever it is called.

    They are refused where they are not as published, for only then is it known what they run.
    """
    for make, first in ((datasets.CIFAR10, "data_batch_1"), (datasets.CIFAR100, "train")):
        for folder in (place, place / make.base_folder):
            if (folder / first).is_file() and (folder / make.meta["filename"]).is_file():
                named = type(make.__name__, (make,), {"base_folder": folder.name})
                return lambda request, f=folder, m=named: _cifar(m)(
                    request._replace(place=f.resolve().parent)
                )
    return None


def _checksum(*parts: bytes) -> str:
    digest = xxhash.xxh3_64()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]


def _imagenet100(request: Request) -> Parts:
    train = request.place / "train"
    if request.classes is None and not train.is_dir():
        raise InputError(
            "imagenet100: no folder with these 100 classes, and no --classes FILE that lists them "
            f"for a folder of ImageNet-1K; looked for {train}"
        )
    if request.classes is not None and not train.is_dir():
        request = request._replace(place=request.place.with_name("imagenet1k"))
    return _folder(request)


FOLDER = _Kind(224, _folder)
IMAGES = {
    "digits": _Kind(32, _digits, augmented=False),
    "cifar10": _Kind(32, _cifar(datasets.CIFAR10)),
    "cifar100": _Kind(32, _cifar(datasets.CIFAR100)),
    "imagenet1k": _Kind(224, _folder),
    "imagenet100": _Kind(224, _imagenet100),
}
