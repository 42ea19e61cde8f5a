"""Image classification: the paper's ten backbones, and AIEC in a model of the user's own.

Names are imported when they are first asked for, so that help and slips are answered without
PyTorch.
"""

from typing import TYPE_CHECKING

from aiec_graph.lazy import import_on_demand

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
    "IMAGE_ACTIVATIONS": "activations",
    "BACKBONES": "backbones",
    "Backbone": "backbones",
    "check_image_size": "backbones",
    "make_backbone": "backbones",
    "IMAGES": "images",
    "ImageData": "images",
    "load_images": "images",
    "VisionSettings": "settings",
    "convert": "sites",
}

__getattr__ = import_on_demand(__name__, _MODULES)
