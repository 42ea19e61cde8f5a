"""What happens to a picture between its file and a network: decoding, geometry, augmentation."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from PIL import Image, ImageOps
from timm.data.auto_augment import AugmentOp, RandAugment
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.data.transforms import MaybeToTensor
from timm.data.transforms_factory import create_transform
from torchvision import transforms as first_version  # what timm's transforms are made of
from torchvision.transforms import v2

RAND_AUGMENT = "rand-m9-mstd0.5-inc1"
ERASING, FLIP = 0.25, 0.5
LARGE = 96
"""From this size on, images are cut at random scales; below, padded and cut at random places."""
MEAN, STD = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
"""By which the channels of every image, within 0 and 1, are shifted and scaled."""
Transform = Callable[[Image.Image], Any]


def train_transform(size: int, augment: bool) -> Transform:
    """Makes what the training images pass through.

    Flip, RandAugment and erasing as timm gives them, in whose notation the paper's Table 7 states
    them: torchvision's RandAugment draws other operations at other strengths. The table also lists
    colour jitter 0.4, which timm leaves out wherever RandAugment is asked for; so does this.

    Args:
        size: height and width that come out.
        augment: whether to augment at all.
    """
    if not augment:
        return test_transform(size)
    made: Any = create_transform(
        input_size=(3, size, size),
        is_training=True,
        hflip=FLIP,
        auto_augment=RAND_AUGMENT,
        re_prob=ERASING,
        interpolation="random",
        mean=MEAN,
        std=STD,
    )
    for step in made.transforms:
        if isinstance(step, RandAugment):
            for operation in step.ops:
                _allow_no_bits(operation)
    if size < LARGE:  # as is usual for CIFAR: a small image keeps its scale
        first = [_whole(size), v2.RandomCrop(size, padding=size // 8)]
        made.transforms = [*first, *made.transforms[1:]]
    return cast(Transform, made)


def test_transform(size: int) -> Transform:
    """Makes what the other images pass through: small ones whole, larger ones their middle.

    Args:
        size: height and width that come out.
    """
    made: Any = create_transform(
        input_size=(3, size, size),
        is_training=False,
        crop_pct=1.0 if size < LARGE else 0.875,
        interpolation="bicubic",
        mean=MEAN,
        std=STD,
    )
    if size < LARGE:  # the same geometry as in training: the whole picture in a square
        kept = [s for s in made.transforms if not isinstance(s, _GEOMETRY)]
        made.transforms = [_whole(size), *kept]
    return cast(Transform, made)


def before_tensor(transform: Transform, step: Callable[[Image.Image], Image.Image]) -> Transform:
    """Adds a step to what `test_transform` gave, on the picture in its final size.

    Args:
        transform: is not changed.
        step: from a picture to a picture.
    """
    steps: list[Any] = list(cast(Any, transform).transforms)
    place = next(i for i, one in enumerate(steps) if isinstance(one, _TO_TENSOR))
    return cast(Transform, v2.Compose([*steps[:place], step, *steps[place:]]))


_TO_TENSOR = (MaybeToTensor, first_version.ToTensor)
_GEOMETRY = (first_version.Resize, first_version.CenterCrop)


def _whole(size: int) -> v2.Resize:
    return v2.Resize((size, size), v2.InterpolationMode.BICUBIC)


def _allow_no_bits(operation: AugmentOp) -> None:
    """Has posterize keep 0 bits, which Pillow refuses since version 13, by a black picture."""
    if operation.name.startswith("Posterize"):
        operation.aug_fn = partial(_posterize, operation.aug_fn)


def _posterize(
    posterize: Callable[..., Image.Image], image: Image.Image, bits: int, **options: Any
) -> Image.Image:
    if bits == 0:
        return Image.new(image.mode, image.size)
    return posterize(image, bits, **options)


def to_rgb(image: Image.Image) -> Image.Image:
    """Decodes a picture to three channels of 8 bits, as it is meant to be seen.

    The orientation that a camera noted is applied; what is transparent is laid on white; 16-bit
    and floating-point grey is scaled to 8 bits by its range, not cut off at 255.

    Raises:
        OSError: the file is damaged.
        ValueError: it is of a mode that has no colours that can be seen, or holds no numbers.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _grey(image).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """16-bit grey by its 65,536 levels; floating-point and 32-bit grey by their own range."""
    import numpy as np

    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values that are no numbers")
    if image.mode.startswith("I") and values.size and values.min() >= 0 and values.max() < 2**16:
        values = values / 257
    elif image.mode == "F" and values.size and values.min() >= 0 and values.max() <= 1:
        values = values * 255
    elif values.size and (values.min() < 0 or values.max() > 255):
        low, high = values.min(), values.max()
        values = (values - low) / (high - low or 1.0) * 255
    return Image.fromarray(np.rint(values).astype(np.uint8))
