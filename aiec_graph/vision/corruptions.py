"""Corrupted test pictures: noise, blur, contrast and JPEG at five strengths each.

The strengths are those of CIFAR-10-C (Hendrycks and Dietterich, 2019); torchvision corrupts.
"""

import copy
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset
from torchvision.transforms.v2 import functional as F

from aiec_graph.vision.images import ImageData
from aiec_graph.vision.predict import predict_images, top_k_accuracy
from aiec_graph.vision.settings import VisionSettings
from aiec_graph.vision.stratify import stratified
from aiec_graph.vision.transforms import before_tensor

BLUR_REACH = 4
"""Standard deviations of the blur that its kernel reaches on each side."""


def _noise(image: Tensor, sigma: float) -> Tensor:
    # By the picture alone: every network sees the same noise, in whatever order.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(image.numpy().tobytes()))
        return F.gaussian_noise(image / 255, sigma=sigma).mul(255).round().to(torch.uint8)


def _blur(image: Tensor, sigma: float) -> Tensor:
    reach = min(round(BLUR_REACH * sigma), min(image.shape[1:]) - 1)
    return F.gaussian_blur(image, [2 * reach + 1] * 2, [sigma] * 2)


CORRUPTIONS: dict[str, tuple[Callable[[Tensor, Any], Tensor], tuple[float, ...]]] = {
    "noise": (_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
    "blur": (_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),
    "contrast": (F.adjust_contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
    "jpeg": (F.jpeg, (80, 65, 58, 50, 40)),
}
"""By kind, what is done to a picture [3, H, W] of 8 bits, and its five strengths: the noise's
standard deviation as a share of white, the blur's in pixels, the share of contrast that is left,
and the quality of the JPEG."""


def corrupt(image: Image.Image, kind: str, strength: int) -> Image.Image:
    """Corrupts a picture, the same way every time.

    Args:
        image: RGB, in the size that the network takes.
        kind: one of `CORRUPTIONS`.
        strength: 1 to 5.
    """
    function, strengths = CORRUPTIONS[kind]
    return F.to_pil_image(function(F.pil_to_tensor(image), strengths[strength - 1]))


def corrupted_accuracy(
    network: nn.Module, data: ImageData, settings: VisionSettings
) -> pd.DataFrame:
    """Measures a trained network on corrupted test images, and on the same ones as they are.

    Args:
        network: in eval mode.
        data: with the test images.
        settings: `corrupted` of them are drawn by class, the same ones for every network.

    Returns:
        Columns kind, strength (0 where nothing is corrupted), images, top1 in percent.
    """
    rows = _rows(data.test, settings.corrupted)
    found = []
    for kind, strength in [("none", 0), *((k, s) for k in CORRUPTIONS for s in range(1, 6))]:
        seen = data.test if kind == "none" else _through(data.test, kind, strength)
        part = Subset(seen, rows.tolist())
        logits, labels = predict_images(network, part, settings.batch_size, settings.workers)
        found.append((kind, strength, len(rows), top_k_accuracy(logits, labels, 1)))
    return pd.DataFrame(found, columns=["kind", "strength", "images", "top1"])


def _rows(test: Dataset[Any], count: int) -> NDArray[np.integer]:
    labels = test.labels  # pyright: ignore[reportAttributeAccessIssue]
    rows = np.arange(len(labels))
    return rows if count >= len(rows) else stratified(labels, rows, count)[0]


class _Corrupting:
    """A transform of pictures; a class of its own, for it travels to the processes that load."""

    def __init__(self, kind: str, strength: int) -> None:
        self.kind, self.strength = kind, strength

    def __call__(self, image: Image.Image) -> Image.Image:
        return corrupt(image, self.kind, self.strength)


def _through(data: Any, kind: str, strength: int) -> Dataset[Any]:
    """The same images, corrupted between their geometry and the network."""
    changed = copy.copy(data)
    changed.transform = before_tensor(data.transform, _Corrupting(kind, strength))
    return changed
