"""What a benchmark run is asked to do, and the single cells that it falls into."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from aiec_graph.artifacts.specs import RunSpec, trial_seeds
from aiec_graph.artifacts.variants import Variant, parse_variant
from aiec_graph.data.datasets.cards import DATASETS
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.names import ACTIVATIONS, FEATURES, MODELS, SPLITS
from aiec_graph.plugins import load_plugins
from aiec_graph.train.settings import TrainSettings

S = TypeVar("S", bound=Any)


def distinct(cells: list[S]) -> list[S]:
    """The cells that differ in more than the name that --act gives them.

    `aiec` and `aiec:lambda_gate=0.1`, its default, do not.
    """
    return list({cell.config_hash: cell for cell in reversed(cells)}.values())[::-1]


@dataclass(frozen=True)
class Override:
    """Settings for some of the cells."""

    when: dict[str, str]
    """Which cells: any of dataset, model (for images backbone) and act, each with the value it must
    have; `act: aiec` means every form of AIEC."""
    set: dict[str, Any]
    """Training settings and their values there."""


@dataclass(frozen=True)
class BenchConfig:
    """The whole command; the text below each field is its help."""

    dataset: list[str]
    """Data sets: names, or paths of your own graphs (docs/own-graphs.md)."""
    model: list[str] = field(default_factory=lambda: ["gcn", "sage"])
    """Networks."""
    act: list[str] = field(default_factory=lambda: ["relu", "gelu", "aiec"])
    """Activations."""
    seeds: int = 10
    """Number of trials, each with weights and (where the data set has none) a split of its own;
    the seeds are 3407, 3417, 3427, …"""
    split: str = "supervised"
    """supervised, or semi: 20 anomalous and 80 normal nodes to train on."""
    simulate: float | None = None
    """Run on simulated data of the same form instead of the real files, at a share of the real
    size; 0.1 where no number is given. Results are labelled as simulated."""
    data_root: Path | None = None
    """Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."""
    out: Path | None = None
    """Folder for the results (default: results/<data sets>). The same command given again
    continues there where it stopped."""
    save_scores: bool = False
    """Also write each run's node scores, as CSV."""
    checkpoint: bool = False
    """Also write each run's trained network; `score` reads it."""
    plugins: list[str] = field(default_factory=list)
    """Modules that add to what can be named here; research.variants has variants of AIEC."""
    jobs: int = 1
    """Runs at a time, each on its share of the cores; 0: one for each core. Metrics do not depend
    on it; the seconds and the memory of a run are its own where it has the machine to itself."""
    overrides: list[Override] = field(default_factory=list)
    """In a configuration file: settings for some of the cells, such as
    [{when: {dataset: reddit, model: gcn}, set: {lambda_gate: 1.0}}]."""
    text: TextGraph = field(default_factory=TextGraph)
    train: TrainSettings = field(default_factory=TrainSettings)

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.data.datasets.registry import check_dataset, short_name

        load_plugins(self.plugins)
        for option in ("dataset", "model", "act"):
            if not getattr(self, option):
                raise InputError(f"name at least one {option} with --{option}")
        for name in self.dataset:
            check_dataset(name, self.simulate is not None)
        for name in self.model:
            look_up(name, dict.fromkeys(MODELS), "model")
        look_up(self.split, dict.fromkeys(SPLITS), "split")
        trial_seeds(self.seeds)
        if self.jobs < 0:
            raise InputError(f"jobs must be at least 0, not {self.jobs}")
        names = [short_name(name) for name in dict.fromkeys(self.dataset)]
        if len(set(names)) < len(names):
            raise InputError(f"two of the data sets have one name: {', '.join(names)}")
        self.text.check()
        datasets = {*DATASETS, *self.dataset}
        known = {"dataset": datasets, "model": set(MODELS), "act": set(ACTIVATIONS)}
        check_overrides(self.overrides, known)
        from aiec_graph.train.models import check_settings

        for cell in self.cells():
            look_up(cell.settings.features, dict.fromkeys(FEATURES), "kind of features")
            check_settings(cell.settings)

    def cells(self) -> Iterator[RunSpec]:
        """Every combination of data set, model and activation, in the order of the table."""
        from aiec_graph.data.datasets.registry import is_text

        for dataset in dict.fromkeys(self.dataset):
            for model in dict.fromkeys(self.model):
                for variant in variants_of(self.act, ACTIVATIONS):
                    place = {"dataset": dataset, "model": model, "act": variant.act}
                    settings = variant.apply(overridden(self.train, self.overrides, place))
                    text = self.text if is_text(dataset) else None
                    parts = (dataset, self.simulate, self.split, model, variant.act, settings)
                    yield RunSpec(*parts, text, variant.changes)

    def trial_seeds(self) -> list[int]:
        return trial_seeds(self.seeds)

    @property
    def folder(self) -> Path:
        """Where the results go."""
        from aiec_graph.data.datasets.registry import short_name

        suffix = "" if self.simulate is None else f"-simulated-{self.simulate:g}"
        names = dict.fromkeys(short_name(name) for name in self.dataset)
        return self.out or Path("results") / ("+".join(names) + suffix)


def variants_of(acts: list[str], known: Iterable[str]) -> list[Variant]:
    """Reads --act; what is named twice comes once.

    Raises:
        InputError: a name is unknown or a value is out of its set.
    """
    variants: list[Variant] = []
    for text in acts:
        variant = parse_variant(text, known)
        if variant not in variants:
            variants.append(variant)
    return variants


def check_overrides(overrides: list[Override], known: dict[str, set[str]]) -> None:
    """Checks the conditions of overrides.

    Args:
        overrides: from a configuration file.
        known: by name of a condition, the values it can have.

    Raises:
        InputError: a name or value is unknown.
    """
    for override in overrides:
        for key, value in override.when.items():
            if key not in known:
                raise InputError(
                    f"overrides: when knows {', '.join(known)}, not {key!r}."
                    f"{did_you_mean(key, known)}"
                )
            look_up(value, dict.fromkeys(known[key]), key)


def overridden(settings: S, overrides: list[Override], place: dict[str, str]) -> S:
    """The settings of a cell.

    Raises:
        InputError: an override sets something unknown, or to a value of another type.
    """
    for override in overrides:
        if override.when.items() <= place.items():
            settings = replaced(settings, override.set, "overrides")
    return settings


def replaced(settings: S, changes: Mapping[str, Any], where: str) -> S:
    """A dataclass of settings with some of them changed.

    Args:
        settings: not changed.
        changes: new values by name.
        where: the part of a configuration that they come from, for the error.

    Raises:
        InputError: a name is unknown, or a value of another type than the present one.
    """
    known = {f.name: f.type for f in fields(settings)}
    for name, value in changes.items():
        if name not in known:
            raise InputError(
                f"{where}: unknown setting {name!r}.{did_you_mean(name, known)} Known: "
                f"{', '.join(known)}"
            )
        current = getattr(settings, name)
        fits = isinstance(value, (int, float) if isinstance(current, float) else type(current))
        if not fits or isinstance(value, bool) != isinstance(current, bool):
            raise InputError(f"{where}: {name} must be a {type(current).__name__}, not {value!r}")
    floats = {n: float(v) for n, v in changes.items() if isinstance(getattr(settings, n), float)}
    return replace(settings, **{**changes, **floats})
