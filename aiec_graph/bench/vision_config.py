"""What the command `vision` is asked to do."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.bench.config import Experiment, Override, check_overrides, overridden, variants_of
from aiec_graph.errors import InputError
from aiec_graph.names import BACKBONES, IMAGE_ACTIVATIONS, IMAGES
from aiec_graph.vision.settings import VisionSettings

if TYPE_CHECKING:
    from aiec_graph.artifacts.image_checkpoint import ImageSpec


@dataclass(frozen=True)
class VisionConfig(Experiment):
    """The whole command; the text below each field is its help."""

    dataset: list[str] = field(default_factory=lambda: ["digits"])
    """Image data sets: names, or folders with train/<class>/ and test/<class>/."""
    act: list[str] = field(default_factory=lambda: ["relu", "gelu", "aiec"])
    """Activations, all at the same places: every block of a transformer, the last block of a
    convolutional network."""
    out: Path | None = None
    """Folder for the results (default: results/vision-<data sets>). The same command given again
    continues there where it stopped, within a run at its last whole epoch."""
    backbone: list[str] = field(default_factory=lambda: ["vit_tiny", "resnet18"])
    """Networks."""
    seeds: int = 3
    """Number of trials: 3407, 3417, 3427, …"""
    download: bool = False
    """Fetch CIFAR where it is missing."""
    classes: Path | None = None
    """For imagenet100: a file with the names of its 100 classes, one a line."""
    devices: int = 1
    """Accelerators to train on, or processes where there is none."""
    checkpoint: bool = False
    """Keep the weights of each trained network."""
    overrides: list[Override] = field(default_factory=list)
    """In a configuration file: settings for some of the runs, such as
    [{when: {backbone: deit_tiny, act: aiec}, set: {lambda_gate: 400}}]."""
    skip: list[dict[str, str]] = field(default_factory=list)
    """In a configuration file: runs to leave out, such as [{backbone: vit_tiny, act: cbam}]."""
    train: VisionSettings = field(default_factory=VisionSettings)

    PREFIX: ClassVar[str] = "vision-"

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.vision.activations import MAPS_ONLY
        from aiec_graph.vision.backbones import BACKBONES as NETWORKS

        self.check_names({"backbone": BACKBONES})
        trial_seeds(self.seeds)
        if self.devices < 1:
            raise InputError(f"devices must be at least 1, not {self.devices}")
        known = {
            "dataset": {*IMAGES, *self.dataset},
            "backbone": set(BACKBONES),
            "act": set(IMAGE_ACTIVATIONS),
        }
        check_overrides([*self.overrides, *(Override(when, {}) for when in self.skip)], known)
        for spec in self.specs():
            spec.settings.check()
            if spec.act in MAPS_ONLY and NETWORKS[spec.backbone].gives_tokens:
                raise InputError(
                    f"{spec.act} convolves over maps and cannot stand in {spec.backbone}, which "
                    "gives tokens; leave it out of --act, or out of these runs by skip: "
                    f"[{{backbone: {spec.backbone}, act: {spec.act}}}] in a configuration file"
                )

    def specs(self) -> "Iterator[ImageSpec]":
        """Every combination of data set, backbone and activation, in the order of the table."""
        from aiec_graph.artifacts.image_checkpoint import ImageSpec

        for dataset in dict.fromkeys(self.dataset):
            for backbone in dict.fromkeys(self.backbone):
                for variant in variants_of(self.act, IMAGE_ACTIVATIONS):
                    setting = {"dataset": dataset, "backbone": backbone, "act": variant.act}
                    if any(when.items() <= setting.items() for when in self.skip):
                        continue
                    settings = variant.apply(overridden(self.train, self.overrides, setting))
                    yield ImageSpec(dataset, backbone, variant.act, settings, variant.changes)
