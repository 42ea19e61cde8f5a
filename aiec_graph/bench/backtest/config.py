"""What a backtest is asked, and the runs that this comes to."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.artifacts.variants import Variant
from aiec_graph.bench.backtest.moments import BOTH, STRUCTURAL, moment_of, span
from aiec_graph.bench.config import check_jobs, variants_of
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import ACTIVATIONS, CLASSIFIERS, FEATURES, MODELS
from aiec_graph.plugins import load_plugins
from aiec_graph.train.budget import parse_seconds
from aiec_graph.train.settings import TrainSettings

if TYPE_CHECKING:
    from aiec_graph.bench.backtest.cuts import Cut, Schedule
    from aiec_graph.bench.backtest.spec import BacktestSpec

KINDS = (*FEATURES, STRUCTURAL, BOTH)
"""What --features takes."""


@dataclass(frozen=True)
class BacktestConfig:
    """A whole backtest; the text below each field is its help."""

    model: list[str] = field(default_factory=lambda: ["gcn"])
    """Models; the others are compared with the first, cut by cut."""
    act: list[str] = field(default_factory=lambda: ["relu", "aiec"])
    """Activations of the networks among them."""
    features: str = "standard"
    """Input features: the nodes' own, raw, standard (mean 0, variance 1 over the training nodes),
    robust or row; structural: degrees, neighbours' degrees, walks, core number, triangles and
    component of each node, in place of its own, then standard; own+structural: behind its own."""
    cuts: int | None = None
    """Number of cuts (default: 9, or as many as --from and --every come to)."""
    from_: str | None = None
    """The first cut: a time step, or a day such as 2024-01-31; all of it is known."""
    every: str | None = None
    """Time from one cut to the next, in steps or days; 2w means 14 days."""
    train_window: str | None = None
    """Train and validate on the nodes of so much time, which ends with the last known labels
    (default: on all before)."""
    horizon: str | None = None
    """How long after the cut nodes are scored (default: until the next cut)."""
    label_delay: str = "0"
    """Labels younger than this at the cut are not known; their nodes stay in the graph."""
    validation: float = 0.25
    """Share of the training window, at its end, that validates."""
    seeds: int = 3
    """Trainings of each model at each cut; they are averaged before anything is compared."""
    threshold: str = "f1"
    """Rule that chooses the cut-off on the validation nodes: f1, precision=0.9, recall=0.8,
    top=200 or cost=1:50."""
    skip_leakage: bool = False
    """Do not train once more on features and edges of the whole time, to see what that would
    flatter."""
    random_split: bool = False
    """Train once more for each seed on the same nodes split at random, with as many labels of each
    class: what then is gone is the difference between the past and what came after."""
    tune: int = 0
    """Cuts at the beginning that only tune: of an activation that is named several times with other
    settings, such as relu relu:dropout=0.5, the one with the best validation AP there is taken to
    the other cuts, which confirm it with fresh seeds. 0: all that is named is run at all cuts."""
    budget: str = "3m"
    """Time that auto may take for each fit: 90, 90s, 3m; by the clock, so run one job at a time."""
    plan: bool = False
    """Only say which cuts there are, how many trainings and about how long."""
    simulate: float | None = None
    """Run on simulated data of the same form, at a share of the real size."""
    data_root: Path | None = None
    """Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."""
    out: Path | None = None
    """Folder for the results (default: results/backtest-NAME). The same command given again
    continues there where it stopped."""
    jobs: int = 0
    """Trainings at a time, each on one thread; 0: one for each core."""
    ray_address: str | None = None
    """Make the runs on Ray, each on one CPU: local starts it on this machine, on --jobs CPUs;
    HOST:PORT or auto takes a cluster that runs, which shares out its own."""
    plugins: list[str] = field(default_factory=list)
    """Modules that add to what can be named here."""
    train: TrainSettings = field(default_factory=TrainSettings)

    def check(self, data: str) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.data.datasets.registry import check_dataset, is_text
        from aiec_graph.detect.rules import Rule
        from aiec_graph.train.models import check_settings

        load_plugins(self.plugins)
        check_dataset(data, self.simulate is not None)
        if is_text(data):
            raise InputError(f"{data} has no times, which a backtest needs")
        if not self.model:
            raise InputError("name at least one model with --model")
        for name in self.model:
            look_up(name, dict.fromkeys(CLASSIFIERS), "model")
        look_up(self.features, dict.fromkeys(KINDS), "kind of features")
        Rule.parse(self.threshold)
        trial_seeds(self.seeds)
        parse_seconds(self.budget)
        if self.cuts is not None and self.cuts < 1:
            raise InputError(f"cuts must be at least 1, not {self.cuts}")
        if self.tune < 0:
            raise InputError(f"tune must be at least 0, not {self.tune}")
        trial_seeds(2 * self.seeds)
        if not 0 < self.validation < 1:
            raise InputError(f"validation must be within 0 and 1, not {self.validation}")
        check_jobs(self.jobs)
        for variant in self.variants():
            check_settings(variant.apply(self.settings))

    @property
    def settings(self) -> TrainSettings:
        """Of the networks; structural features are standardised."""
        kind = "standard" if self.features in (STRUCTURAL, BOTH) else self.features
        return replace(self.train, features=kind)

    def variants(self) -> list[Variant]:
        """The activations.

        Raises:
            InputError: a name is unknown, or there is none for a network.
        """
        if any(name in MODELS for name in self.model) and not self.act:
            raise InputError("name at least one activation with --act")
        return variants_of(self.act, ACTIVATIONS)

    def schedule(self, unit: str) -> "Schedule":
        """Where the cuts stand.

        Args:
            unit: "step" or "day".

        Raises:
            InputError: a time cannot be read.
        """
        every, window, horizon = (
            None if text is None else span(text, unit, name, 1)
            for name, text in (
                ("every", self.every),
                ("train-window", self.train_window),
                ("horizon", self.horizon),
            )
        )
        from aiec_graph.bench.backtest.cuts import Schedule

        start = None if self.from_ is None else moment_of(self.from_, unit)
        delay = span(self.label_delay, unit, "label-delay", 0)
        return Schedule(self.cuts, start, every, horizon, window, delay, self.validation)

    def specs(
        self, data: str, cut: "Cut", is_leaking: bool = False, is_random: bool = False
    ) -> "Iterator[BacktestSpec]":
        """The models at a cut."""
        from aiec_graph.bench.backtest.spec import BacktestSpec

        budget = parse_seconds(self.budget)
        for model in dict.fromkeys(self.model):
            for variant in self.variants() if model in MODELS else [Variant("relu")]:
                yield BacktestSpec(
                    data,
                    self.simulate,
                    self.features,
                    model,
                    variant.act,
                    variant.apply(self.settings),
                    cut,
                    self.threshold,
                    is_leaking,
                    is_random,
                    budget,
                    variant.changes,
                )
