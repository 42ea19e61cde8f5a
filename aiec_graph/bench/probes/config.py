"""What the commands `dynamics` and `planted` are asked to do."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.bench.config import BenchConfig
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import FEATURES
from aiec_graph.train.settings import TrainSettings


@dataclass(frozen=True)
class MechanismConfig:
    """A whole command; the text below each field is its help."""

    dataset: list[str] = field(default_factory=list)
    """Data sets: names, or paths of your own graphs."""
    model: list[str] = field(default_factory=lambda: ["gcn"])
    """Networks."""
    act: list[str] = field(default_factory=lambda: ["relu", "aux_only", "aiec"])
    """Activations."""
    features: list[str] = field(default_factory=lambda: ["raw", "standard"])
    """Kinds of input features; each is reported by itself."""
    seeds: int = 5
    """Number of trials; the seeds are 3407, 3417, 3427, …"""
    split: str = "supervised"
    """supervised, or semi: 20 anomalous and 80 normal nodes to train on."""
    simulate: float | None = None
    """Run on simulated data of the same form, at a share of the real size."""
    data_root: Path | None = None
    """Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else datasets/)."""
    out: Path | None = None
    """Folder for the results (default: results/<command>-<data sets>). The same command given
    again continues there where it stopped."""
    jobs: int = 0
    """Runs at a time, each on one thread; 0: one for each core."""
    text: TextGraph = field(default_factory=TextGraph)
    train: TrainSettings = field(default_factory=TrainSettings)

    def folder(self, command: str) -> Path:
        """Where the results go."""
        from aiec_graph.data.datasets.registry import short_name

        suffix = "" if self.simulate is None else f"-simulated-{self.simulate:g}"
        names = dict.fromkeys(short_name(name) for name in self.dataset)
        return self.out or Path("results") / f"{command}-{'+'.join(names)}{suffix}"

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        if not self.features:
            raise InputError("name at least one kind of features with --features")
        for kind in self.features:
            look_up(kind, dict.fromkeys(FEATURES), "kind of features")
            self._bench(kind).check()

    def trial_seeds(self) -> list[int]:
        """The seeds of the trials."""
        return self._bench("raw").trial_seeds()

    def cells(self) -> Iterator[RunSpec]:
        """Every combination of data set, features, network and activation."""
        for kind in dict.fromkeys(self.features):
            yield from self._bench(kind).cells()

    def _bench(self, kind: str) -> BenchConfig:
        return BenchConfig(
            **{"dataset": self.dataset, "model": self.model, "act": self.act},
            **{"seeds": self.seeds, "split": self.split, "simulate": self.simulate},
            **{"jobs": self.jobs, "text": self.text},
            train=replace(self.train, features=kind),
        )
