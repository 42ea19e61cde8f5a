"""Image classification: the paper's ten backbones, and AIEC in a model of the user's own."""

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
