"""What the commands that run experiments are asked to do, and the runs that this comes to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from aiec_graph.artifacts.specs import ClassifierSpec, RunSpec, trial_seeds
from aiec_graph.artifacts.variants import NAMED, Variant, parse_variant
from aiec_graph.data.datasets.cards import DATASETS
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.names import ACTIVATIONS, CLASSIFIERS, FEATURES, MODELS, SPLITS
from aiec_graph.plugins import load_plugins
from aiec_graph.train.budget import parse_seconds
from aiec_graph.train.settings import ClassifierSettings, TrainSettings
from aiec_graph.wording import kind_in_words

S = TypeVar("S", bound=Any)


@dataclass(frozen=True)
class Override:
    """Settings for some of the runs."""

    when: dict[str, str]
    """Which runs: any of dataset, model (for images backbone) and act, each with the value it must
    have; `act: aiec` means every variant of AIEC, `act: aux_only` and its like that ablation."""
    set: dict[str, Any]
    """Training settings and their values there."""

    def is_for(self, run: Mapping[str, Collection[str]]) -> bool:
        """Whether it is for a run.

        Args:
            run: by what a run is chosen by, the values that choose this one.
        """
        return all(value in run[key] for key, value in self.when.items())


@dataclass(frozen=True)
class Experiment:
    """What every command asks that runs an experiment; the text below a field is its help."""

    dataset: list[str] = field(default_factory=list)
    """Data sets: names, or paths of your own."""
    act: list[str] = field(default_factory=lambda: ["relu", "gelu", "aiec"])
    """Activations."""
    data_root: Path | None = None
    """Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."""
    out: Path | None = None
    """Folder for the results (default: one below results/, named by the data sets). The same
    command given again continues there where it stopped."""

    PREFIX: ClassVar[str] = ""
    """Of the folder's name."""

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        from aiec_graph.data.datasets.registry import short_name

        names = "+".join(dict.fromkeys(short_name(name) for name in self.dataset))
        simulate = getattr(self, "simulate", None)
        suffix = "" if simulate is None else f"-simulated-{simulate:g}"
        return self.out or Path("results") / f"{self.PREFIX}{names}{suffix}"

    def check_names(self, known: Mapping[str, Iterable[str]]) -> None:
        """Checks lists of names, and that no two data sets share one.

        Args:
            known: by field, the names that it may hold.

        Raises:
            InputError: a list is empty, or a name is unknown or taken twice.
        """
        from aiec_graph.data.datasets.registry import short_name

        for option in ("dataset", "act", *known):
            if not getattr(self, option):
                raise InputError(f"name at least one {option} with --{option}")
        for option, names in known.items():
            what = {"features": "kind of features"}.get(option, option)
            for name in getattr(self, option):
                look_up(name, dict.fromkeys(names), what)
        names = [short_name(name) for name in dict.fromkeys(self.dataset)]
        if len(set(names)) < len(names):
            raise InputError(f"two of the data sets have one name: {', '.join(names)}")


def check_jobs(jobs: int | None) -> None:
    """Checks a number of runs at a time; 0 means one for each core.

    Raises:
        InputError: it is below 0.
    """
    if jobs is not None and jobs < 0:
        raise InputError(f"jobs must be at least 0, not {jobs}")


@dataclass(frozen=True)
class GraphExperiment(Experiment):
    """What every command asks that trains networks on graphs."""

    model: list[str] = field(default_factory=lambda: ["gcn", "sage"])
    """Networks."""
    split: str = "supervised"
    """supervised, or semi: 20 anomalous and 80 normal nodes to train on."""
    simulate: float | None = None
    """Run on simulated data of the same form instead of the real files, at a share of the real
    size; 0.1 where no number is given. Results are labelled as simulated."""
    jobs: int | None = None
    """Runs at a time, each on one thread; 0: one for each core (default: 0)."""
    ray_address: str | None = None
    """Make the runs on Ray, each on one CPU: local starts it on this machine, on --jobs CPUs;
    HOST:PORT or auto takes a cluster that runs, which shares out its own."""
    plugins: list[str] = field(default_factory=list)
    """Modules that add to what can be named here; research.variants has variants of AIEC."""
    text: TextGraph = field(default_factory=TextGraph)
    train: TrainSettings = field(default_factory=TrainSettings)

    MODELS: ClassVar[tuple[str, ...]] = MODELS

    @property
    def jobs_at_a_time(self) -> int:
        """The value of jobs, or the default."""
        return self.jobs or 0

    def check_graphs(self, **known: Iterable[str]) -> None:
        """Checks what all commands on graphs share.

        Raises:
            InputError: a name is unknown or a number out of range.
        """
        from aiec_graph.data.datasets.registry import check_dataset

        load_plugins(self.plugins)
        self.check_names({"model": self.MODELS, **known})
        for name in self.dataset:
            check_dataset(name, self.simulate is not None)
        look_up(self.split, dict.fromkeys(SPLITS), "split")
        check_jobs(self.jobs)
        self.text.check()

    def specs_with(
        self, features: str, overrides: Iterable[Override] = (), dataset: str | None = None
    ) -> Iterator[RunSpec]:
        """Every combination of data set, network and activation; other models are left out.

        Args:
            features: the kind of input features.
            overrides: settings for some of them.
            dataset: one data set alone; by default all.
        """
        from aiec_graph.data.datasets.registry import is_text

        for name in dict.fromkeys(self.dataset if dataset is None else [dataset]):
            for model in dict.fromkeys(self.model):
                if model not in MODELS:
                    continue
                for variant in variants_of(self.act, ACTIVATIONS):
                    run = {"dataset": {name}, "model": {model}, "act": variant.names}
                    base = replace(self.train, features=features)
                    settings = variant.apply(overridden(base, overrides, run))
                    text = self.text if is_text(name) else None
                    parts = (name, self.simulate, self.split, model, variant.act, settings)
                    yield RunSpec(*parts, text, variant.changes)

    def classifier_specs(
        self, dataset: str, models: Iterable[str], settings: ClassifierSettings
    ) -> Iterator[ClassifierSpec]:
        """The models, of those that are named, that are no networks."""
        from aiec_graph.data.datasets.registry import is_text

        text = self.text if is_text(dataset) else None
        for model in dict.fromkeys(models):
            if model not in MODELS:
                yield ClassifierSpec(dataset, self.simulate, self.split, model, settings, text)


@dataclass(frozen=True)
class BenchConfig(GraphExperiment):
    """The whole command; the text below each field is its help."""

    dataset: list[str] = field(default_factory=list)
    """Data sets: names, or paths of your own graphs (docs/guides/own-graphs.md)."""
    act: list[str] = field(default_factory=list)
    """Activations (default: relu gelu aiec; for a graph of your own, aiec)."""
    model: list[str] = field(default_factory=list)
    """Networks, or models that have no activation and appear once, such as auto and rf_graph
    (default: gcn sage; for a graph of your own, sage)."""
    budget: str = "3m"
    """Time that auto may take for each fit: 90, 90s, 3m."""
    seeds: int | None = None
    """Number of trials, each with weights and (where the data set has none) a split of its own;
    the seeds are 3407, 3417, 3427, … (default: 10; for a graph of your own, 3)."""
    features: str | None = None
    """Input features: raw (as given), standard (mean 0, variance 1 over the training nodes) or
    row (each row divided by its sum of magnitudes) (default: raw, as in the protocol; for a graph
    of your own, standard)."""
    save_scores: bool = False
    """Also write each run's node scores, as CSV."""
    checkpoint: bool = False
    """Also write each run's trained network; `score` reads it."""
    jobs: int | None = None
    """Runs at a time, each on its share of the cores; 0: one for each core (default: 1; on Ray 0).
    Metrics do not depend on it; the seconds and the memory of a run are its own where it has the
    machine to itself."""
    overrides: list[Override] = field(default_factory=list)
    """In a configuration file: settings for some of the runs, such as
    [{when: {dataset: reddit, model: gcn}, set: {lambda_gate: 1.0}}]."""

    MODELS: ClassVar[tuple[str, ...]] = CLASSIFIERS

    @property
    def jobs_at_a_time(self) -> int:
        """The value of jobs, or the default."""
        default = 1 if self.ray_address is None else 0
        return default if self.jobs is None else self.jobs

    def filled(self) -> "BenchConfig":
        """The same with a value for every option that depends on whose the data are.

        On data of the user's own one network is trained three times; the benchmark's own data sets
        keep the protocol.
        """
        from aiec_graph.data.datasets.registry import is_own

        own = bool(self.dataset) and all(is_own(name) for name in self.dataset)
        return replace(
            self,
            act=self.act or (["aiec"] if own else ["relu", "gelu", "aiec"]),
            model=self.model or (["sage"] if own else ["gcn", "sage"]),
            seeds=self.seeds if self.seeds is not None else 3 if own else 10,
        )

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.train.models import check_settings

        filled = self.filled()
        filled.check_graphs()
        filled.trials()
        if self.features is not None:
            look_up(self.features, dict.fromkeys(FEATURES), "kind of features")
        datasets = {*DATASETS, *self.dataset}
        known = {"dataset": datasets, "model": set(MODELS), "act": {*ACTIVATIONS, *NAMED}}
        check_overrides(self.overrides, known)
        others = [model for model in filled.model if model not in MODELS]
        if self.checkpoint and others:
            raise InputError(
                f"checkpoints hold networks alone, not {others[0]}: leave it out, or "
                "keep it with the command fit"
            )
        for spec in filled.specs():
            if isinstance(spec, ClassifierSpec):
                continue
            look_up(spec.features, dict.fromkeys(FEATURES), "kind of features")
            check_settings(spec.settings)

    def specs(self) -> Iterator[RunSpec | ClassifierSpec]:
        """Every combination of data set, network and activation, then the other models."""
        from aiec_graph.data.datasets.registry import is_own

        filled = self.filled()
        for name in dict.fromkeys(self.dataset):
            features = self.features or ("standard" if is_own(name) else self.train.features)
            yield from filled.specs_with(features, self.overrides, name)
            settings = ClassifierSettings(budget=parse_seconds(self.budget))
            yield from filled.classifier_specs(name, filled.model, settings)

    def trials(self) -> list[int]:
        """The seeds of the trials."""
        return trial_seeds(self.filled().seeds or 0)


def distinct(specs: Iterable[S]) -> list[S]:
    """The specifications that differ in more than the name that --act gives them.

    `aiec` and `aiec:lambda_gate=0.1`, its default, do not.
    """
    found: dict[str, S] = {}
    for spec in specs:
        found.setdefault(spec.config_hash, spec)
    return list(found.values())


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


def check_overrides(overrides: list[Override], known: Mapping[str, Iterable[str]]) -> None:
    """Checks which runs overrides are for.

    Args:
        overrides: from a configuration file.
        known: by what a run is chosen by, the values it can have.

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


def overridden(settings: S, overrides: Iterable[Override], run: Mapping[str, Collection[str]]) -> S:
    """The settings of a run.

    Args:
        settings: those of every run.
        overrides: from a configuration file.
        run: see Override.is_for.

    Raises:
        InputError: an override sets something unknown, or to a value of another type.
    """
    for override in overrides:
        if override.is_for(run):
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
            raise InputError(
                f"{where}: {name} must be {kind_in_words(type(current))}, not {value!r}"
            )
    floats = {n: float(v) for n, v in changes.items() if isinstance(getattr(settings, n), float)}
    return replace(settings, **{**changes, **floats})
