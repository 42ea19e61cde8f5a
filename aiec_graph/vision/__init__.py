"""Image classification: the paper's ten backbones, and AIEC in a model of the user's own.

Names are imported when they are first asked for, so that help and slips are answered without
PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiec_graph.vision.activations import IMAGE_ACTIVATIONS
    from aiec_graph.vision.backbones import BACKBONES, Backbone, check_image_size, make_backbone
    from aiec_graph.vision.images import IMAGES, ImageData, load_images
    from aiec_graph.vision.settings import VisionSettings
    from aiec_graph.vision.sites import convert

__all__ = [
    "BACKBONES",
    "IMAGES",
    "IMAGE_ACTIVATIONS",
    "Backbone",
    "ImageData",
    "VisionSettings",
    "check_image_size",
    "convert",
    "load_images",
    "make_backbone",
]

_MODULES = {
    "IMAGE_ACTIVATIONS": "aiec_graph.vision.activations",
    "BACKBONES": "aiec_graph.vision.backbones",
    "Backbone": "aiec_graph.vision.backbones",
    "check_image_size": "aiec_graph.vision.backbones",
    "make_backbone": "aiec_graph.vision.backbones",
    "IMAGES": "aiec_graph.vision.images",
    "ImageData": "aiec_graph.vision.images",
    "load_images": "aiec_graph.vision.images",
    "VisionSettings": "aiec_graph.vision.settings",
    "convert": "aiec_graph.vision.sites",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
