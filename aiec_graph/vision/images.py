"""Image data sets: scikit-learn's digits, CIFAR, ImageNet, a folder of the user's own."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import xxhash
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch.utils.data import Dataset, Subset
from torchvision import datasets, transforms

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.vision.settings import VisionSettings

DIGITS_TEST_SHARE = 0.2
RAND_AUGMENT = "rand-m9-mstd0.5-inc1"
ERASING, JITTER, FLIP = 0.25, 0.4, 0.5
LARGE = 96
"""From this size on, images are cut at random scales; below, padded and cut at random places."""
Transform = Callable[[Image.Image], Any]


class ImageData(NamedTuple):
    """A data set, ready to be trained on."""

    name: str
    train: Dataset[Any]
    test: Dataset[Any]
    class_names: Sequence[str]
    image_size: int
    checksum: str
    """Changes with the images; of a folder, with the names and sizes of its files."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


class _Read(NamedTuple):
    train: Any
    test: Any
    class_names: Sequence[str]
    checksum: str


@dataclass(frozen=True)
class _Kind:
    image_size: int
    read: Callable[..., "_Read"]
    """Takes (root, download, classes, train transform, test transform)."""
    augmented: bool = True


def load_images(
    name: str,
    settings: VisionSettings,
    root: Path,
    download: bool = False,
    classes: Path | None = None,
) -> ImageData:
    """Loads a data set by name, or a folder with `train/<class>/` and `test/<class>/`.

    Args:
        name: one of `IMAGES`, or a path.
        settings: image size, augmentation and limit.
        root: the folder that holds a folder for each data set.
        download: fetch CIFAR where it is missing.
        classes: for imagenet100: a file with the names of its classes, one a line.

    Raises:
        InputError: the name is unknown, or files are missing or damaged.
    """
    is_folder = name not in IMAGES and (os.sep in name or Path(name).is_dir())
    if name not in IMAGES and not is_folder:
        raise InputError(
            f"unknown image data set {name!r}.{did_you_mean(name, IMAGES)} Known: "
            f"{', '.join(IMAGES)}, or the path of a folder with train/ and test/"
        )
    kind = FOLDER if is_folder else IMAGES[name]
    size = settings.image_size or kind.image_size
    full = settings.augment == "full" or (settings.augment == "auto" and kind.augmented)
    place = Path(name) if is_folder else root / name
    both = _train_transform(size, full), _test_transform(size)
    train, test, names, checksum = kind.read(place, download, classes, *both)
    if settings.limit_train:
        rng = np.random.default_rng(0)
        keep = rng.permutation(len(train))[: settings.limit_train]
        train = Subset(train, keep.tolist())
    shown = place.resolve().name if is_folder else name
    return ImageData(shown, train, test, names, size, checksum)


def _train_transform(size: int, full: bool) -> Transform:
    if not full:
        return _test_transform(size)
    made: Any = create_transform(
        input_size=(3, size, size),
        is_training=True,
        hflip=FLIP,
        color_jitter=JITTER,
        auto_augment=RAND_AUGMENT,
        re_prob=ERASING,
        interpolation="random",
    )
    if size < LARGE:  # as is usual for CIFAR: a small image keeps its scale
        first = [transforms.Resize((size, size)), transforms.RandomCrop(size, padding=size // 8)]
        made.transforms = [*first, *made.transforms[1:]]
    return cast(Transform, made)


def _test_transform(size: int) -> Transform:
    return cast(
        Transform,
        create_transform(
            input_size=(3, size, size),
            is_training=False,
            crop_pct=1.0 if size < LARGE else 0.875,
            interpolation="bicubic",
        ),
    )


class _Digits(Dataset[tuple[Any, int]]):
    """Hand-written digits of 8 × 8 pixels."""

    def __init__(self, images: Any, labels: Any, transform: Transform) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.images[index]).convert("RGB")
        return self.transform(image), int(self.labels[index])


def _digits(
    _: Path, download: bool, classes: Path | None, train: Transform, test: Transform
) -> _Read:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = cast(Any, load_digits())
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    rows = np.arange(len(images))
    # One split for all seeds, stratified by digit: there is no official one.
    left, right = train_test_split(
        rows, test_size=DIGITS_TEST_SHARE, random_state=0, stratify=bunch.target
    )
    made = [_Digits(images[r], bunch.target[r], t) for r, t in ((left, train), (right, test))]
    return _Read(made[0], made[1], [str(i) for i in range(10)], _checksum(images.tobytes()))


def _cifar(make: Any) -> Callable[..., _Read]:
    def read(
        place: Path, download: bool, classes: Path | None, train: Transform, test: Transform
    ) -> _Read:
        archive = make.url.rpartition("/")[2]
        hint = (
            f"{place}: no {make.base_folder} in it. Give --download, or fetch {make.url} by hand "
            f"(MD5 {make.tgz_md5}) and unpack {archive} there"
        )
        try:
            made = [
                make(str(place), train=is_train, transform=transform, download=download)
                for is_train, transform in ((True, train), (False, test))
            ]
        except (RuntimeError, OSError) as error:  # URLError is an OSError
            reason = " ".join(str(error).split())[:150] if download else ""
            raise InputError(hint + (f" ({reason})" if reason else "")) from None
        checksum = _checksum(*(part.data.tobytes() for part in made))
        return _Read(made[0], made[1], made[0].classes, checksum)

    return read


def _folder(
    place: Path, download: bool, classes: Path | None, train: Transform, test: Transform
) -> _Read:
    wanted = None if classes is None else _read_classes(classes)
    tests = [place / part for part in ("test", "val") if (place / part).is_dir()]
    if not (place / "train").is_dir() or not tests:
        raise InputError(
            f"{place}: must hold train/<class>/ and test/<class>/ (or val/<class>/) with images"
        )
    made = []
    for part, transform in ((place / "train", train), (tests[0], test)):
        try:
            made.append(_ClassFolder(part, wanted, transform))
        except OSError as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{part}: {reason}") from None
    if made[0].classes != made[1].classes:
        odd = sorted(set(made[0].classes) ^ set(made[1].classes))
        raise InputError(f"{place}: train and {tests[0].name} differ in the class {odd[0]!r}")
    if len(made[0].classes) < 2:
        raise InputError(f"{place / 'train'}: one class alone, {made[0].classes[0]!r}")
    files = [Path(path) for part in made for path, _ in part.samples]
    listed = (f"{file.relative_to(place)} {file.stat().st_size}" for file in files)
    return _Read(made[0], made[1], made[0].classes, _checksum("\n".join(listed).encode()))


def _checksum(*parts: bytes) -> str:
    digest = xxhash.xxh3_64()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]


class _ClassFolder(datasets.ImageFolder):
    """Folders of images by class; some classes only, where they are named."""

    def __init__(self, root: Path, wanted: Sequence[str] | None, transform: Transform) -> None:
        self._wanted = wanted
        super().__init__(str(root), transform=transform)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        found, numbers = super().find_classes(directory)
        if self._wanted is None:
            return found, numbers
        missing = [name for name in self._wanted if name not in found]
        if missing:
            hint = did_you_mean(missing[0], found)
            raise InputError(f"{directory}: no folder for the class {missing[0]!r}.{hint}")
        return list(self._wanted), {name: i for i, name in enumerate(self._wanted)}


def _read_classes(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of classes ({error})") from None
    if len(set(lines)) != len(lines) or len(lines) < 2:
        raise InputError(f"{path}: must hold the name of a class on each line, each once")
    return sorted(lines)


def _imagenet100(
    place: Path, download: bool, classes: Path | None, train: Transform, test: Transform
) -> _Read:
    if classes is None and not (place / "train").is_dir():
        raise InputError(
            "imagenet100: no folder with these 100 classes, and no --classes FILE that lists them "
            f"for a folder of ImageNet-1K; looked for {place / 'train'}"
        )
    if classes is not None and not (place / "train").is_dir():
        place = place.with_name("imagenet1k")
    return _folder(place, download, classes, train, test)


FOLDER = _Kind(224, _folder)
IMAGES = {
    "digits": _Kind(32, _digits, augmented=False),
    "cifar10": _Kind(32, _cifar(datasets.CIFAR10)),
    "cifar100": _Kind(32, _cifar(datasets.CIFAR100)),
    "imagenet1k": _Kind(224, _folder),
    "imagenet100": _Kind(224, _imagenet100),
}
