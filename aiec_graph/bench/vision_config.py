"""What the command `vision` is asked to do."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.artifacts.variants import AUX_ONLY, NAMED
from aiec_graph.bench.config import (
    Experiment,
    Override,
    check_jobs,
    check_overrides,
    distinct,
    overridden,
    replaced,
    variants_of,
)
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.names import BACKBONES, IMAGE_ACTIVATIONS, IMAGES
from aiec_graph.vision.settings import VisionSettings

if TYPE_CHECKING:
    from aiec_graph.artifacts.image_checkpoint import ImageSpec


CONFIRM_FROM = 100
"""The first trial that confirms a choice; those before it are for exploring and tuning."""
SPACE: dict[str, list[Any]] = {"lr": [0.00025, 0.0005, 0.001, 0.002]}
AIEC_SPACE: dict[str, list[Any]] = {"lambda_gate": [0.1, 1.0, 20.0, 200.0]}


OF_FIXED_CLASSES = frozenset({"digits", "cifar10", "cifar100"})


def shown_name(dataset: str) -> str:
    """A data set's name in tables: of a path its last part, on one line."""
    from aiec_graph.vision.listing import printable

    name = Path(dataset).name
    return printable(Path(name if name.strip(".") else Path(dataset).resolve().name))


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
    jobs: int = 1
    """Trainings at a time, sharing the processor's cores, and the GPU where there is one; 0: one
    for each core."""
    checkpoint: bool = False
    """Keep the weights of each trained network."""
    overrides: list[Override] = field(default_factory=list)
    """In a configuration file: settings for some of the runs, such as
    [{when: {backbone: deit_tiny, act: aiec}, set: {lambda_gate: 400}}]."""
    skip: list[dict[str, str]] = field(default_factory=list)
    """In a configuration file: runs to leave out, such as [{backbone: vit_tiny, act: cbam}]."""
    tune: bool = False
    """Let each activation choose its settings on validation images, confirm the choice on seeds
    that chose nothing, and compare in pairs: report/index.md."""
    tuning_seeds: int = 1
    """With --tune: trials over which a candidate's validation accuracy is averaged: 0, 1, 2, …"""
    space: dict[str, list[Any]] = field(default_factory=lambda: dict(SPACE))
    """With --tune: settings and their values, every combination of which is a candidate."""
    aiec_space: dict[str, list[Any]] = field(default_factory=lambda: dict(AIEC_SPACE))
    """With --tune: AIEC's candidates, in place of those of space, and as many."""
    reference: list[str] = field(default_factory=lambda: ["relu"])
    """With --tune: the activations, of those in act, that the others are compared with."""
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
        check_jobs(self.jobs)
        if self.devices > 1 and self.jobs != 1:
            raise InputError("a training on several devices has them to itself: leave out --jobs")
        known = {
            "dataset": {*IMAGES, *self.dataset},
            "backbone": set(BACKBONES),
            "act": {*IMAGE_ACTIVATIONS, *NAMED},
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

        self._check_places()
        if self.tune:
            self._check_tuning()

    def _check_places(self) -> None:
        from aiec_graph.vision.listing import find_parts

        if not any(True for _ in self.specs()):
            raise InputError("skip leaves out every run")
        if self.classes is not None and {*self.dataset} <= OF_FIXED_CLASSES:
            raise InputError(f"--classes is for folders, not for {', '.join(self.dataset)}")
        for name in self.dataset:
            place, out = Path(name).resolve(), self.folder.resolve()
            if name in IMAGES or not place.is_dir() or not out.is_relative_to(place):
                continue
            parts = [part.resolve() for part in find_parts(place).values()]
            if not parts or any(out.is_relative_to(part) for part in parts):
                raise InputError(
                    f"{self.folder}: lies among the pictures of {name}, where it would be taken "
                    "for a class; name another --out"
                )

    def _check_tuning(self) -> None:
        trial_seeds(self.tuning_seeds)
        if self.tuning_seeds > CONFIRM_FROM:
            raise InputError(f"tuning-seeds must be at most {CONFIRM_FROM}")
        if self.seeds < 2:
            raise InputError(f"seeds must be at least 2 for a paired comparison, not {self.seeds}")
        known = [f.name for f in fields(VisionSettings) if f.name != "corrupted"]
        for where, space in (("space", self.space), ("aiec_space", self.aiec_space)):
            for name, values in space.items():
                if name not in known:
                    raise InputError(
                        f"{where}: unknown setting {name!r}.{did_you_mean(name, known)}"
                    )
                if not isinstance(values, list) or not values:
                    raise InputError(f"{where}: {name} needs a list of values, not {values!r}")
        counts = [prod(map(len, space.values())) for space in (self.space, self.aiec_space)]
        if counts[0] != counts[1] and "aiec" in {spec.act_label for spec in self.specs()}:
            raise InputError(
                f"space has {counts[0]} candidates and aiec_space {counts[1]}: no activation may "
                "choose from more than another"
            )
        for name in self.reference:
            look_up(name, dict.fromkeys(self.act), "reference among --act")
        for group in self.groups():
            first = group.candidates[0]
            twice = set(first.changes) & set(group.chosen_by)
            if twice and first.act_label != AUX_ONLY:
                raise InputError(f"{first.act_label}: {min(twice)} is chosen by aiec_space already")
            for spec in group.candidates:
                spec.settings.check()

    def groups(self) -> "Iterator[ImageGroup]":
        """The specifications with the candidates that each may choose from.

        Raises:
            InputError: a setting has a value of another type.
        """
        for spec in self.specs():
            gated = spec.act == "aiec" and spec.act_label != AUX_ONLY
            space = self.aiec_space if gated else self.space
            choices = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
            candidates = (
                replace(spec, settings=replaced(spec.settings, choice, "space"))
                for choice in choices
            )
            yield ImageGroup(tuple(distinct(candidates)), tuple(space))

    def specs(self) -> "Iterator[ImageSpec]":
        """Every combination of data set, backbone and activation, in the order of the table."""
        from aiec_graph.artifacts.image_checkpoint import ImageSpec

        for dataset in dict.fromkeys(self.dataset):
            for backbone in dict.fromkeys(self.backbone):
                for variant in variants_of(self.act, IMAGE_ACTIVATIONS):
                    run = {"dataset": {dataset}, "backbone": {backbone}, "act": variant.names}
                    if any(Override(when, {}).is_for(run) for when in self.skip):
                        continue
                    settings = variant.apply(overridden(self.train, self.overrides, run))
                    yield ImageSpec(dataset, backbone, variant.act, settings, variant.changes)


@dataclass(frozen=True)
class ImageGroup:
    """A row of a report: candidates, of which the best on validation images is confirmed."""

    candidates: "tuple[ImageSpec, ...]"
    chosen_by: tuple[str, ...]
    """The settings in which they differ."""

    @property
    def key(self) -> dict[str, Any]:
        """What the report calls it."""
        spec = self.candidates[0]
        name = shown_name(spec.dataset)
        return {"dataset": name, "backbone": spec.backbone, "act": spec.act_label}
