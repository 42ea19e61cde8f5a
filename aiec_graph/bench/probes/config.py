"""What the commands `dynamics` and `planted` are asked to do."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiec_graph.artifacts.specs import RunSpec, trial_seeds
from aiec_graph.bench.config import GraphExperiment
from aiec_graph.names import FEATURES


@dataclass(frozen=True)
class ProbeConfig(GraphExperiment):
    """A whole command; the text below each field is its help."""

    act: list[str] = field(default_factory=lambda: ["relu", "aux_only", "aiec"])
    """Activations."""
    model: list[str] = field(default_factory=lambda: ["gcn"])
    """Networks."""
    features: list[str] = field(default_factory=lambda: ["raw", "standard"])
    """Kinds of input features; each is reported by itself."""
    seeds: int = 5
    """Number of trials; the seeds are 3407, 3417, 3427, …"""

    def named(self, command: str) -> "ProbeConfig":
        """The same, checked, with the folder of a command's results.

        Raises:
            InputError: as `check`.
        """
        self.check()
        path = Path(self.folder)
        return self if self.out else replace(self, out=path.with_name(f"{command}-{path.name}"))

    def check(self) -> None:
        """Checks names and ranges before anything is loaded.

        Raises:
            InputError: one is unknown or out of range.
        """
        from aiec_graph.train.models import check_settings

        self.check_graphs(features=FEATURES)
        trial_seeds(self.seeds)
        for spec in self.specs():
            check_settings(spec.settings)

    def specs(self) -> Iterator[RunSpec]:
        """Every combination of data set, features, network and activation."""
        for kind in dict.fromkeys(self.features):
            yield from self.specs_with(kind)
