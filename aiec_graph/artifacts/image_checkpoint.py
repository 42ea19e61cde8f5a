"""A trained image network on disk: tensors and plain values only."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from aiec_graph.artifacts.checkpoint import read_content, refused
from aiec_graph.artifacts.specs import ONLY_AIEC, hash_of
from aiec_graph.artifacts.variants import label_of
from aiec_graph.files import write_whole
from aiec_graph.vision import ImageData, VisionSettings
from aiec_graph.vision.training import build_network

FORMAT = "image-1"


@dataclass(frozen=True)
class ImageSpec:
    """One backbone with one activation on one data set."""

    dataset: str
    backbone: str
    act: str
    settings: VisionSettings
    changes: dict[str, Any] = field(default_factory=dict)
    """What --act itself changed in the settings; it names the results."""

    @property
    def act_label(self) -> str:
        """The activation's name for the results."""
        return label_of(self.act, self.settings, self.changes)

    @property
    def config_hash(self) -> str:
        """Of everything that the result depends on, beyond the seed."""
        parts = asdict(self)
        del parts["changes"], parts["settings"]["workers"]
        if self.act not in ("relu_l0", "gelu_l0"):
            del parts["settings"]["lambda_l0"]
        if self.act != "aiec":
            for name in ONLY_AIEC:
                del parts["settings"][name]
        return hash_of(parts)


@dataclass(frozen=True)
class ImageCheckpoint:
    """A network with all that it takes to feed it again."""

    network: nn.Module
    """In eval mode."""
    cell: ImageSpec
    seed: int
    class_names: list[str]
    image_size: int
    classes: Path | None
    """The file of classes that the data set was read with."""


def save_image_checkpoint(
    path: Path,
    network: nn.Module,
    cell: ImageSpec,
    seed: int,
    data: ImageData,
    classes: Path | None,
) -> None:
    """Writes a network.

    Raises:
        InputError: the folder cannot be written.
    """
    content = {
        "format": FORMAT,
        "cell": asdict(cell),
        "seed": seed,
        "class_names": list(data.class_names),
        "image_size": data.image_size,
        "classes": None if classes is None else str(classes),
        "state_dict": network.state_dict(),
    }
    write_whole(path, lambda draft: torch.save(content, draft))


def is_of_images(content: dict[str, Any]) -> bool:
    return str(content.get("format")).startswith("image-")


def load_image_checkpoint(path: Path) -> ImageCheckpoint:
    """Reads a checkpoint that `vision --checkpoint` wrote.

    Raises:
        InputError: the file is missing, damaged, or something else.
    """
    content = read_content(path, FORMAT)
    with refused(path):
        parts = dict(content["cell"])
        cell = ImageSpec(**{**parts, "settings": VisionSettings(**parts["settings"])})
        cell.settings.check()
        names = [str(name) for name in content["class_names"]]
        size = int(content["image_size"])
        network = build_network(cell.backbone, cell.act, len(names), size, cell.settings)
        network.load_state_dict(content["state_dict"])
        classes = content["classes"]
        return ImageCheckpoint(
            network.eval(),
            cell,
            int(content["seed"]),
            names,
            size,
            None if classes is None else Path(classes),
        )
