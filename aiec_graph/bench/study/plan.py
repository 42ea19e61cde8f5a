"""What a study asks: which groups stand in its report, and which candidates each may choose from.

A group is a data set, its features, a network and an activation (and the value of a factor, where
the study varies one). All groups of networks choose from the same candidates, so that none is
tuned harder than another.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from aiec_graph.artifacts.specs import (
    FIRST_SEED,
    ONLY_AIEC,
    REFIT,
    SEED_STEP,
    ClassifierSpec,
    RunSpec,
    trial_seeds,
)
from aiec_graph.artifacts.variants import Variant
from aiec_graph.bench.config import GraphExperiment, replaced, variants_of
from aiec_graph.data.transforms.perturbations import Perturbations
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.extras import check_extra
from aiec_graph.names import ACTIVATIONS, CLASSIFIERS, FEATURES, MODELS
from aiec_graph.train.budget import parse_seconds
from aiec_graph.train.settings import ClassifierSettings, TrainSettings

CONFIRM_FROM = 100
"""The first trial that confirms. Those before it are for exploring and tuning."""
SPACE: dict[str, list[Any]] = {
    "lr": [0.003, 0.01, 0.03],
    "dropout": [0.0, 0.2, 0.5],
    "hidden": [16, 32, 64],
}
AIEC_SPACE: dict[str, list[Any]] = {"lambda_gate": [0.1, 0.3, 1.0, 5.0]}
TREE_SPACE: dict[str, list[Any]] = {
    "min_samples_leaf": [1, 3, 10, 30],
    "max_features": [0.05, 0.1, 0.3, 0.6],
}


@dataclass(frozen=True)
class StudyConfig(GraphExperiment):
    """A whole study; the text below each field is its help."""

    act: list[str] = field(default_factory=lambda: ["relu", "gelu", "aux_only", "aiec"])
    """Activations; aux_only, AIEC without its gate loss, belongs beside every AIEC."""
    features: list[str] = field(default_factory=lambda: ["raw", "standard"])
    """Kinds of input features; each is tuned and reported by itself."""
    classifiers: list[str] = field(default_factory=list)
    """Models that have no activation, such as rf (on a node's features), rf_graph (and its
    neighbours') and auto; rf_graph:refit is fitted on the validation nodes as well."""
    baselines: list[str] = field(default_factory=list)
    """Those of classifiers that the others of them are compared with."""
    budget: str = "3m"
    """Time that auto may take for each fit: 90, 90s, 3m."""
    reference: list[str] = field(default_factory=lambda: ["relu", "gelu", "aux_only"])
    """Activations that the others are compared with, of those in act."""
    candidates: int = 8
    """Settings that each group may choose from by its validation AP: the first are the defaults,
    the others are drawn from space. 1: nothing is tuned."""
    prune: bool = False
    """Stop hopeless candidates early: half of them run on all tuning trials, each of the others as
    long as its mean validation AP is not below the median of theirs after as many. Fewer runs; a
    candidate that starts badly can no longer be chosen."""
    tuning_seeds: int = 3
    """Trials over which the validation AP of a candidate is averaged: 0, 1, 2, …"""
    seeds: int = 10
    """Trials that confirm; they take part in nothing else."""
    confirm_from: int = CONFIRM_FROM
    """The first of them; 100 or more."""
    difference: float = 1.0
    """The report says how many seeds it takes to find a difference of so many points of AP."""
    factor: dict[str, list[Any]] = field(default_factory=dict)
    """In a configuration file: one setting or perturbation that the study varies, with its values,
    such as {hidden: [16, 64, 256]} or {noise: [0, 4, 16]}."""
    space: dict[str, list[Any]] = field(default_factory=lambda: dict(SPACE))
    """In a configuration file: the values that candidates are drawn from, by setting."""
    aiec_space: dict[str, list[Any]] = field(default_factory=lambda: dict(AIEC_SPACE))
    """The same for AIEC's own settings, drawn beside the others."""
    tree_space: dict[str, list[Any]] = field(default_factory=lambda: dict(TREE_SPACE))
    """The same for rf, rf_graph and rf_rich."""

    PREFIX: ClassVar[str] = "study-"

    @property
    def tuning_trials(self) -> list[int]:
        """Seeds to tune with."""
        return trial_seeds(self.tuning_seeds)

    @property
    def confirmation_trials(self) -> list[int]:
        """Seeds to confirm with."""
        return [FIRST_SEED + SEED_STEP * (self.confirm_from + i) for i in range(self.seeds)]

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.train.models import check_settings

        self.check_graphs(features=FEATURES)
        _read_classifiers(self.classifiers)
        for name in self.baselines:
            look_up(name, dict.fromkeys(self.classifiers), "baseline among the classifiers")
        if self.seeds < 2:
            raise InputError(f"seeds must be at least 2 for a paired comparison, not {self.seeds}")
        if not 1 <= self.tuning_seeds <= CONFIRM_FROM:
            raise InputError(f"tuning-seeds must be 1 to {CONFIRM_FROM}, not {self.tuning_seeds}")
        if self.confirm_from < CONFIRM_FROM:
            raise InputError(
                f"confirm-from must be at least {CONFIRM_FROM}, not {self.confirm_from}: the "
                "trials before it are for exploring and tuning"
            )
        if self.prune:
            check_extra("search")
        if self.candidates < 1:
            raise InputError(f"candidates must be at least 1, not {self.candidates}")
        if not self.difference > 0:
            raise InputError(f"difference must be above 0, not {self.difference}")
        self._check_spaces()
        acts = [act for act in self.reference if act not in self.act]
        if acts:
            raise InputError(
                f"reference: {acts[0]!r} is not in act: {', '.join(self.act)}; say with "
                "--reference what the others are compared with"
            )
        for group in self.groups():
            for spec in group.candidates:
                if isinstance(spec, RunSpec):
                    check_settings(spec.settings)
                    spec.perturbations.check()

    def _check_spaces(self) -> None:
        if len(self.factor) > 1:
            raise InputError(f"factor takes one setting, not {', '.join(self.factor)}")
        perturbing = {f.name for f in fields(Perturbations)}
        networks = {f.name for f in fields(TrainSettings)} - {"features"}
        for where, space, known in (
            ("factor", self.factor, networks | perturbing),
            ("space", self.space, networks - set(ONLY_AIEC)),
            ("aiec_space", self.aiec_space, set(ONLY_AIEC)),
            ("tree_space", self.tree_space, {"trees", "min_samples_leaf", "max_features"}),
        ):
            for name, values in space.items():
                if name not in known:
                    raise InputError(
                        f"{where}: unknown setting {name!r}.{did_you_mean(name, known)} Known: "
                        f"{', '.join(sorted(known))}"
                    )
                if not isinstance(values, list) or not values:
                    raise InputError(f"{where}: {name} needs a list of values, not {values!r}")

    def groups(self) -> Iterator["Group"]:
        """Every row of the report, with its candidates.

        Raises:
            InputError: a setting has a value of another type.
        """
        levels: list[Any] = next(iter(self.factor.values()), [None])
        for dataset in dict.fromkeys(self.dataset):
            for level in levels:
                base = self._setting(dataset, level)
                for kind in dict.fromkeys(self.features):
                    for model in dict.fromkeys(self.model):
                        for variant in variants_of(self.act, ACTIVATIONS):
                            yield self._group(replace(base, model=model), kind, variant, level)
                for name, refit in _read_classifiers(self.classifiers):
                    yield Group(tuple(self._classifiers(base, name, refit)), level)

    def _group(self, base: RunSpec, features: str, variant: Variant, level: Any) -> "Group":
        candidates = [
            replace(
                base,
                act=variant.act,
                settings=variant.apply(replace(settings, features=features)),
                changes=variant.changes,
            )
            for settings in self._networks(base.settings)
        ]
        unique = {spec.config_hash: spec for spec in candidates}
        return Group(tuple(unique.values()), level)

    def _setting(self, dataset: str, level: Any) -> RunSpec:
        """A specification with all but the network; the factor at one of its values."""
        from aiec_graph.data.datasets.registry import is_text

        text = self.text if is_text(dataset) else None
        spec = RunSpec(dataset, self.simulate, self.split, "", "", self.train, text)
        for name in self.factor:
            if name in {f.name for f in fields(Perturbations)}:
                return replace(
                    spec, perturbations=replaced(spec.perturbations, {name: level}, "factor")
                )
            return replace(spec, settings=replaced(spec.settings, {name: level}, "factor"))
        return spec

    def _networks(self, base: TrainSettings) -> list[TrainSettings]:
        varied = set(self.factor)
        common = {name: values for name, values in self.space.items() if name not in varied}
        own = {name: values for name, values in self.aiec_space.items() if name not in varied}
        drawn = _draw(common, self.candidates - 1)
        # AIEC's own settings take turns, so that each value has its share of the candidates.
        turns = _draw(own, len(drawn)) or [{}]
        return [base] + [
            replaced(base, changes | turns[i % len(turns)], "space")
            for i, changes in enumerate(drawn)
        ]

    def _classifiers(self, setting: RunSpec, name: str, refit: bool) -> list[ClassifierSpec]:
        base = ClassifierSettings(budget=parse_seconds(self.budget), refit=refit)
        is_forest = name.split("_")[0] == "rf"
        drawn = _draw(self.tree_space, self.candidates - 1) if is_forest else []
        found = [base] + [replaced(base, changes, "tree_space") for changes in drawn]
        parts = (setting.dataset, setting.simulate, setting.split, name)
        rest = (setting.text, setting.perturbations)
        return [ClassifierSpec(*parts, settings, *rest) for settings in dict.fromkeys(found)]


def _read_classifiers(names: Iterable[str]) -> list[tuple[str, bool]]:
    """Names of models and whether each is fitted on validation nodes as well.

    Raises:
        InputError: a name is unknown, or that of a network, which needs an activation.
    """
    known = dict.fromkeys(name for name in CLASSIFIERS if name not in MODELS)
    found = []
    for text in dict.fromkeys(names):
        name, _, how = text.partition(":")
        look_up(name, known, "classifier")
        if how not in ("", REFIT):
            raise InputError(f"classifiers: after {name}: can stand {REFIT}, not {how!r}")
        found.append((name, how == REFIT))
    return found


def _draw(space: Mapping[str, list[Any]], count: int) -> list[dict[str, Any]]:
    """Different points of a grid, all of it where it has no more than `count`."""
    from sklearn.model_selection import ParameterSampler

    size = 1
    for values in space.values():
        size *= len(values)
    if not space or count < 1:
        return []
    return list(ParameterSampler(dict(space), min(count, size), random_state=0))


@dataclass(frozen=True)
class Group:
    """A row of the report: candidates, of which the best by validation AP is confirmed."""

    candidates: tuple[RunSpec | ClassifierSpec, ...]
    level: Any
    """The factor's value; None without a factor."""

    @property
    def dataset(self) -> str:
        return self.candidates[0].name

    @property
    def features(self) -> str:
        return self.candidates[0].features

    @property
    def model(self) -> str:
        return self.candidates[0].model

    @property
    def act(self) -> str:
        """The label of the activation; of a model that has none, what stands in its place."""
        return self.candidates[0].act_label

    @property
    def key(self) -> dict[str, Any]:
        """What the report calls it."""
        parts = {"dataset": self.dataset, "features": self.features, "model": self.model}
        return parts | {"level": self.level, "act": self.act}
