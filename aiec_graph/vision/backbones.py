"""The ten backbones in the settings of the paper's Table 6, for small and for large images.

Up to `LARGEST_SMALL` pixels a side, transformers cut patches of 4 pixels instead of 16, and
convolutional networks begin as is usual for CIFAR, so that they do not shrink a small image away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import timm
import torchvision
from timm.models.vgg import ConvMlp
from torch import Tensor, nn

from aiec_graph.errors import InputError, look_up

LARGEST_SMALL = 64
Maker = Callable[[int, int, float], nn.Module]


@dataclass(frozen=True)
class Backbone:
    """One network."""

    title: str
    """As in the paper's tables."""
    make: Maker
    """Takes the number of classes, the image size and the drop path rate."""
    parameters: tuple[float, float]
    """Millions of them in the paper's Table 6, for CIFAR and for ImageNet."""
    blocks: str = "all"
    """Where AIEC goes: "all", or a pattern of module names."""
    multiple: tuple[int, int] = (1, 1)
    """The size of small and of large images must be a multiple of it."""
    smallest: int = 8
    """Smaller images would vanish inside."""

    @property
    def gives_tokens(self) -> bool:
        """Whether it is a transformer; the others give maps [N, C, H, W]."""
        return self.blocks == "all"


def is_small(image_size: int) -> bool:
    return image_size <= LARGEST_SMALL


def make_backbone(
    name: str, num_classes: int, image_size: int, drop_path: float = 0.0
) -> nn.Module:
    """Makes a network with fresh weights.

    Args:
        name: one of `BACKBONES`.
        num_classes: K.
        image_size: height and width of the images, in pixels.
        drop_path: share of the residual branches that are dropped in training; networks without
            such branches take no notice.

    Returns:
        From images [N, 3, image_size, image_size] to logits [N, K].

    Raises:
        InputError: the name is unknown or the images do not fit the network.
    """
    check_image_size(name, image_size)
    return BACKBONES[name].make(num_classes, image_size, drop_path)


def check_image_size(name: str, image_size: int) -> None:
    """Checks that images of a size fit a network.

    Raises:
        InputError: they do not, or the name is unknown.
    """
    backbone = look_up(name, BACKBONES, "backbone")
    multiple = backbone.multiple[0 if is_small(image_size) else 1]
    if image_size < backbone.smallest or image_size % multiple:
        raise InputError(
            f"{name} takes images of at least {backbone.smallest} pixels a side"
            + (f", in multiples of {multiple}" if multiple > 1 else "")
            + f", not {image_size}"
        )


def _timm(name: str, classes: int, drop_path: float, **options: Any) -> Any:
    return timm.create_model(name, num_classes=classes, drop_path_rate=drop_path, **options)


def _transformer(name: str, **small: Any) -> Maker:
    def make(classes: int, image_size: int, drop_path: float) -> nn.Module:
        options: dict[str, Any] = {"img_size": image_size}
        if is_small(image_size):
            options |= {"patch_size": 4, **small}
        return _timm(name, classes, drop_path, **options)

    return make


class _Logits(nn.Module):
    """A network of the library transformers, giving its logits alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).logits


def _pvt(classes: int, image_size: int, drop_path: float) -> nn.Module:
    from transformers import PvtConfig, PvtForImageClassification

    # Patches of 4 for every size of image, as the paper's Table 6 has it.
    config = PvtConfig(image_size=image_size, num_labels=classes, drop_path_rate=drop_path)
    return _Logits(PvtForImageClassification(config))


def _alexnet(classes: int, image_size: int, _: float) -> nn.Module:
    network = torchvision.models.alexnet(num_classes=classes, dropout=0.0)
    if is_small(image_size):
        network.features[0] = nn.Conv2d(3, 64, kernel_size=3, stride=2, padding=1)
        for place in (2, 5, 12):
            network.features[place] = nn.MaxPool2d(kernel_size=2)
        network.avgpool = nn.AdaptiveAvgPool2d(2)
        network.classifier[1] = nn.Linear(256 * 2 * 2, 4096)
    return network


def _vgg(classes: int, image_size: int, _: float) -> nn.Module:
    network = timm.create_model("vgg11", num_classes=classes, drop_rate=0.0)
    if is_small(image_size):  # its last map is 1 × 1 at 32 pixels, too small for a 7 × 7 kernel
        kernel = image_size // 32
        cast(Any, network).pre_logits = ConvMlp(512, 4096, kernel_size=kernel, drop_rate=0.0)
    return network


def _mobilenet(classes: int, image_size: int, drop_path: float) -> nn.Module:
    network = _timm("mobilenetv1_100", classes, drop_path)
    if is_small(image_size):
        network.conv_stem.stride = (1, 1)
    return network


def _shufflenet(classes: int, image_size: int, _: float) -> nn.Module:
    network = torchvision.models.shufflenet_v2_x1_0(num_classes=classes)
    if is_small(image_size):
        cast(nn.Conv2d, network.conv1[0]).stride = (1, 1)
        cast(Any, network).maxpool = nn.Identity()
    return network


def _resnet(classes: int, image_size: int, drop_path: float) -> nn.Module:
    network = _timm("resnet18", classes, drop_path)
    if is_small(image_size):
        network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return network


PATCHES = (4, 16)
# The last block of a convolutional network: the last stage of VGG, the last convolution of AlexNet
# and ShuffleNet (whose units see half of the channels each), the last unit of the others.
BACKBONES = {
    "vit_tiny": Backbone(
        "ViT-Tiny", _transformer("vit_tiny_patch16_224"), (5, 5), multiple=PATCHES
    ),
    "deit_tiny": Backbone(
        "DeiT-Tiny", _transformer("deit_tiny_patch16_224"), (5, 5), multiple=PATCHES
    ),
    "cait_xxs": Backbone("CaiT-XXS", _transformer("cait_xxs24_224"), (11, 11), multiple=PATCHES),
    "pvt_tiny": Backbone("PVT-Tiny", _pvt, (13, 13), multiple=(32, 32), smallest=32),
    "tnt_small": Backbone(
        "TNT-Small",
        _transformer("tnt_s_patch16_224", first_stride=1),
        (23, 23),
        multiple=PATCHES,
    ),
    "alexnet": Backbone("AlexNet", _alexnet, (23, 61), r"features\.11", smallest=32),
    "vgg11": Backbone("VGG-11", _vgg, (28, 132), r"features\.1[79]", (32, 32), 32),
    "mobilenet": Backbone("MobileNet", _mobilenet, (3, 5), r"blocks\.4\.1\.bn[12]\.act"),
    "shufflenet": Backbone("ShuffleNet", _shufflenet, (1, 2), r"conv5\.2"),
    "resnet18": Backbone("ResNet-18", _resnet, (11, 11), r"layer4\.1\.act[12]"),
}
