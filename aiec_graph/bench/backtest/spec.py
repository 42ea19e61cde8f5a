"""The specification of a run of a backtest: a model at a cut."""

from dataclasses import asdict, dataclass, field
from typing import Any

from aiec_graph.artifacts.specs import RunSpec, hash_of, without_folders
from aiec_graph.artifacts.variants import label_of
from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.names import MODELS
from aiec_graph.train.settings import ClassifierSettings, TrainSettings

NO_ACT = "none"
"""In the place of an activation where a model has none."""


@dataclass(frozen=True)
class BacktestSpec:
    """Everything that a run of a backtest depends on but its seed."""

    dataset: str
    simulate: float | None
    features: str
    """A name in `FEATURES`, or `structural` or `own+structural`."""
    model: str
    """A name in `CLASSIFIERS`."""
    act: str
    settings: TrainSettings
    cut: Cut
    threshold: str
    """The rule that chooses the cut-off on the validation nodes."""
    is_leaking: bool = False
    """Whether features and edges are those of the whole time: what a backtest must not use."""
    is_random: bool = False
    """Whether the nodes of the cut are split at random instead: see `control`."""
    budget: float = ClassifierSettings().budget
    """Seconds that auto may take."""
    changes: dict[str, Any] = field(default_factory=dict)
    """What --act itself changed in the settings."""

    @property
    def public_dataset(self) -> str:
        """The data set as results name it."""
        return without_folders(self.dataset)

    @property
    def name(self) -> str:
        """The data set's name for tables."""
        from aiec_graph.data.datasets.registry import short_name

        return short_name(self.dataset)

    @property
    def is_network(self) -> bool:
        """Whether the model has an activation and settings."""
        return self.model in MODELS

    @property
    def options(self) -> dict[str, Any]:
        """What `make_classifier` takes beside the settings."""
        return {} if self.is_network else ClassifierSettings(budget=self.budget).options(self.model)

    @property
    def act_label(self) -> str:
        """The activation's name for the results."""
        return label_of(self.act, self.settings, self.changes) if self.is_network else NO_ACT

    @property
    def config_hash(self) -> str:
        """The hash of everything that the result depends on, beyond the seed."""
        settings = None
        if self.is_network:
            run = RunSpec(self.dataset, None, "backtest", self.model, self.act, self.settings)
            settings = run.relevant()["settings"]
        return hash_of(
            {
                "dataset": self.public_dataset,
                "simulate": self.simulate,
                "features": self.features,
                "model": self.model,
                "act": self.act if self.is_network else NO_ACT,
                "settings": settings,
                "cut": asdict(self.cut),
                "threshold": self.threshold,
                "is_leaking": self.is_leaking,
                "is_random": self.is_random,
                "options": self.options,
            }
        )
