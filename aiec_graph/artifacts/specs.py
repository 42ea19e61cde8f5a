"""Run specifications: everything that a run on a graph depends on but its seed."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiec_graph.artifacts.variants import label_of
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.data.transforms.perturbations import Perturbations
from aiec_graph.errors import InputError
from aiec_graph.train.settings import ClassifierSettings, TrainSettings

if TYPE_CHECKING:  # a specification is made before the libraries that run it are imported
    from aiec_graph.graph.graph import Graph, Split

FIRST_SEED, SEED_STEP = 3407, 10  # GADBench's trials
MOST_SEEDS = 10_000
NO_ACT = "none"
"""Stands in the place of an activation where a model has none."""
REFIT = "refit"
"""The same, of a model that is fitted on the validation nodes as well."""
OWN_FEATURES = "raw"  # what is no network scales its inputs itself where it has to
ONLY_AIEC = ("lambda_aux", "lambda_gate", "act_options")
"""Settings that no other activation uses."""


def trial_of(seed: int) -> int:
    """The number of the trial that a seed belongs to, from 0."""
    return (seed - FIRST_SEED) // SEED_STEP


def trial_seeds(count: int) -> list[int]:
    """The seeds of the first trials.

    Raises:
        InputError: the count is out of range.
    """
    if not 1 <= count <= MOST_SEEDS:
        raise InputError(f"seeds must be at least 1 and at most {MOST_SEEDS}, not {count}")
    return [FIRST_SEED + SEED_STEP * trial for trial in range(count)]


def hash_of(parts: dict[str, Any]) -> str:
    """A short name for all that a result depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]


def without_folders(dataset: str) -> str:
    """A data set as what leaves this machine names it: of an absolute path the last part alone."""
    path = Path(dataset)
    return f"./{path.name}" if path.is_absolute() else dataset


def find_again(dataset: str, data_root: Path) -> str:
    """A data set of a checkpoint: a path that is not there is looked for below the data's root."""
    path = Path(dataset)
    moved = data_root / path.name
    return str(moved) if "/" in dataset and not path.exists() and moved.exists() else dataset


@dataclass(frozen=True)
class GraphSpec:
    """What a run on a graph depends on, whatever model it trains."""

    dataset: str
    simulate: float | None
    """The share of the real size of simulated data; None for real data."""
    split: str
    """A name in `aiec_graph.data.SPLITS`."""
    model: str

    @property
    def name(self) -> str:
        """The data set's name for tables and files."""
        from aiec_graph.data.datasets.registry import short_name

        return short_name(self.dataset)

    @property
    def public_dataset(self) -> str:
        """The data set as results and checkpoints name it."""
        return without_folders(self.dataset)


@dataclass(frozen=True)
class RunSpec(GraphSpec):
    """Everything that the run of a graph network depends on but its seed."""

    act: str
    settings: TrainSettings
    text: TextGraph | None = None
    """How texts become a graph; None for a data set that is a graph already."""
    changes: dict[str, Any] = field(default_factory=dict)
    """What --act itself changed in the settings; it names the results."""
    perturbations: Perturbations = field(default_factory=Perturbations)
    """What the run changes about its data."""

    def relevant(self) -> dict[str, Any]:
        """All that the result depends on; a setting that this run does not use is left out."""
        parts = asdict(self)
        parts["dataset"] = self.public_dataset
        del parts["changes"]
        settings = parts["settings"]
        if self.text is None:
            del parts["text"]
        if self.perturbations == Perturbations():
            del parts["perturbations"]
        if self.model != "sage":
            del settings["aggr"]
        if settings["weight_decay"] == 0:
            del settings["weight_decay"]
        if self.settings.batch_size in ("auto", "full"):
            del settings["batch_size"], settings["fanout"]
        else:
            settings["fanout"] = self.settings.fanouts
        if self.act == "aiec":
            from aiec_graph.core.activations import changed_options

            settings["act_options"] = changed_options(settings["act_options"])
        else:
            for name in ONLY_AIEC:
                del settings[name]
        return parts

    @property
    def config_hash(self) -> str:
        """The hash of everything that the result depends on, beyond the seed."""
        return hash_of(self.relevant())

    def with_settings(self, settings: TrainSettings) -> "RunSpec":
        """The same with other settings."""
        return replace(self, settings=settings)

    @property
    def features(self) -> str:
        """The kind of input features."""
        return self.settings.features

    @property
    def act_label(self) -> str:
        """The activation's name for the results."""
        return label_of(self.act, self.settings, self.changes)


@dataclass(frozen=True)
class ClassifierSpec(GraphSpec):
    """Everything that the run of a model that is no network depends on but its seed."""

    settings: ClassifierSettings
    text: TextGraph | None = None
    perturbations: Perturbations = field(default_factory=Perturbations)

    def relevant(self) -> dict[str, Any]:
        """All that the result depends on; a setting that this model does not use is left out."""
        options = self.settings.options(self.model) | {"refit": self.settings.refit}
        return asdict(self) | {"dataset": self.public_dataset, "settings": options}

    @property
    def config_hash(self) -> str:
        """The hash of everything that the result depends on, beyond the seed."""
        return hash_of(self.relevant())

    @property
    def act_label(self) -> str:
        """What stands in the place of an activation."""
        return REFIT if self.settings.refit else NO_ACT

    @property
    def features(self) -> str:
        """The kind of input features."""
        return OWN_FEATURES


def split_of(spec: RunSpec | ClassifierSpec, seed: int, graph: "Graph") -> "Split":
    """The split of one run.

    Raises:
        InputError: a part would be without an anomalous or without a normal node.
    """
    from aiec_graph.data import fractions, make_split

    split = make_split(graph, spec.split, seed, fractions(spec.dataset), trial_of(seed))
    return spec.perturbations.subsample(split, graph.y, seed)
