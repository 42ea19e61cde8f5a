"""What the command `vision` is asked to do."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.bench.config import Override, check_overrides, overridden, variants_of
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import BACKBONES, IMAGE_ACTIVATIONS, IMAGES
from aiec_graph.vision.settings import VisionSettings

if TYPE_CHECKING:
    from aiec_graph.artifacts.image_checkpoint import ImageSpec


@dataclass(frozen=True)
class VisionConfig:
    """The whole command; the text below each field is its help."""

    dataset: list[str] = field(default_factory=lambda: ["digits"])
    """Image data sets: names, or folders with train/<class>/ and test/<class>/."""
    backbone: list[str] = field(default_factory=lambda: ["vit_tiny", "resnet18"])
    """Networks."""
    act: list[str] = field(default_factory=lambda: ["relu", "gelu", "aiec"])
    """Activations, all at the same places: every block of a transformer, the last block of a
    convolutional network."""
    seeds: int = 3
    """Number of trials: 3407, 3417, 3427, …"""
    data_root: Path | None = None
    """Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."""
    out: Path | None = None
    """Folder for the results (default: results/vision-<data sets>). The same command given again
    continues there where it stopped, within a run at its last whole epoch."""
    download: bool = False
    """Fetch CIFAR where it is missing."""
    classes: Path | None = None
    """For imagenet100: a file with the names of its 100 classes, one a line."""
    devices: int = 1
    """Accelerators to train on, or processes where there is none."""
    checkpoint: bool = False
    """Keep the weights of each trained network."""
    overrides: list[Override] = field(default_factory=list)
    """In a configuration file: settings for some of the cells, such as
    [{when: {backbone: deit_tiny, act: aiec}, set: {lambda_gate: 400}}]."""
    skip: list[dict[str, str]] = field(default_factory=list)
    """In a configuration file: cells to leave out, such as [{backbone: vit_tiny, act: cbam}]."""
    train: VisionSettings = field(default_factory=VisionSettings)

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.vision.activations import MAPS_ONLY
        from aiec_graph.vision.backbones import BACKBONES as NETWORKS

        for option in ("dataset", "backbone", "act"):
            if not getattr(self, option):
                raise InputError(f"name at least one {option} with --{option}")
        for name in self.backbone:
            look_up(name, dict.fromkeys(BACKBONES), "backbone")
        trial_seeds(self.seeds)
        names = [Path(name).name for name in dict.fromkeys(self.dataset)]
        if len(set(names)) < len(names):
            raise InputError(f"two of the data sets have one name: {', '.join(names)}")
        if self.devices < 1:
            raise InputError(f"devices must be at least 1, not {self.devices}")
        known = {
            "dataset": {*IMAGES, *self.dataset},
            "backbone": set(BACKBONES),
            "act": set(IMAGE_ACTIVATIONS),
        }
        check_overrides([*self.overrides, *(Override(when, {}) for when in self.skip)], known)
        for cell in self.cells():
            cell.settings.check()
            if cell.act in MAPS_ONLY and NETWORKS[cell.backbone].gives_tokens:
                raise InputError(
                    f"{cell.act} convolves over maps and cannot stand in {cell.backbone}, which "
                    "gives tokens; leave it out of --act, or out of these cells by skip: "
                    f"[{{backbone: {cell.backbone}, act: {cell.act}}}] in a configuration file"
                )

    @property
    def folder(self) -> Path:
        """Where the results go."""
        names = "-".join(dict.fromkeys(Path(name).name for name in self.dataset))
        return self.out or Path("results") / f"vision-{names}"

    def cells(self) -> "Iterator[ImageSpec]":
        """Every combination of data set, backbone and activation, in the order of the table."""
        from aiec_graph.artifacts.image_checkpoint import ImageSpec

        for dataset in dict.fromkeys(self.dataset):
            for backbone in dict.fromkeys(self.backbone):
                for variant in variants_of(self.act, IMAGE_ACTIVATIONS):
                    place = {"dataset": dataset, "backbone": backbone, "act": variant.act}
                    if any(when.items() <= place.items() for when in self.skip):
                        continue
                    settings = variant.apply(overridden(self.train, self.overrides, place))
                    yield ImageSpec(dataset, backbone, variant.act, settings, variant.changes)
