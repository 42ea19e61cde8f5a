"""Whether what is scored still looks like what the model was trained on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2, ks_2samp, kstwobign

from aiec_graph.artifacts.scores import describe_weights
from aiec_graph.data import Graph

BINS = 10
NOTABLE = 0.2
"""A population stability index above this is, by custom, a shift that matters."""
NOTABLE_KS = 0.18
"""A Kolmogorov–Smirnov distance above this: what a normal quantity has whose mean has moved so far
that its population stability index is `NOTABLE`."""
SAMPLE = 200
"""Values that stand for the distribution of the training; the distance is off by 1/400 at most."""
UNSEEN = 0.05
"""A share of unseen categories above this is worth a warning."""
CONFIDENCE = 0.999


@dataclass(frozen=True)
class Profile:
    """How one quantity was distributed over the nodes of the training graph."""

    name: str
    edges: tuple[float, ...] | None
    """Inner edges of the bins of a number; None for a category."""
    categories: tuple[str, ...] | None
    """The values of a category."""
    share: tuple[float, ...]
    """Of each bin or category; the last is that of missing values."""
    nodes: int
    sample: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), compare=False)
    """Of a number, quantiles at even steps [≤ SAMPLE]."""

    @classmethod
    def of_number(cls, name: str, values: NDArray[np.floating]) -> "Profile":
        """From values [N], of which some may be NaN."""
        known = values[~np.isnan(values)].astype(np.float64)
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        # Edges at values that occur, so that a value that half of the nodes have is a bin.
        edges = np.unique(np.quantile(known, inner, method="lower")) if len(known) else []
        empty = cls(name, tuple(map(float, edges)), None, (), len(values), _sample(known))
        return replace(empty, share=_shares(empty.count(values)))

    @classmethod
    def of_category(
        cls, name: str, codes: NDArray[np.floating], categories: Sequence[str]
    ) -> "Profile":
        """From codes [N] into categories, of which some may be NaN."""
        empty = cls(name, None, tuple(categories), (), len(codes))
        return replace(empty, share=_shares(empty.count(codes)))

    def count(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """Nodes in each bin or category, and at last of missing values and unseen categories."""
        known = values[~np.isnan(values)]
        if self.edges is not None:
            place = np.searchsorted(self.edges, known, side="left")
            counts = np.bincount(place, minlength=len(self.edges) + 1)
        else:
            known = known[known >= 0]
            counts = np.bincount(known.astype(np.int64), minlength=len(self.categories or ()))
        return np.append(counts, len(values) - len(known))

    def stability(self, counts: NDArray[np.int64]) -> tuple[float, float]:
        """The population stability index Σ (q − p) ln(q / p), and what chance alone makes of it.

        Without a shift the index times n m / (n + m) is about χ² with a degree of freedom less
        than there are bins; its `CONFIDENCE` quantile is the second number.
        """
        mine = np.asarray(self.share)
        there = int(counts.sum())
        # Half a node in each bin, so that an empty one does not make the index infinite.
        expected = (mine * self.nodes + 0.5) / (self.nodes + len(mine) / 2)
        found = (counts + 0.5) / (there + len(counts) / 2)
        index = float(((found - expected) * np.log(found / expected)).sum())
        freedom = max(int(((mine > 0) | (counts > 0)).sum()) - 1, 1)
        return index, float(chi2.ppf(CONFIDENCE, freedom)) * (1 / self.nodes + 1 / there)

    def distance(self, values: NDArray[np.floating]) -> tuple[float, float]:
        """The Kolmogorov–Smirnov distance of known values, and what chance alone makes of it.

        The second number is the asymptotic `CONFIDENCE` quantile of two samples of these sizes
        from one continuous distribution. Both are NaN where there is nothing to compare, as for a
        category.
        """
        known = values[~np.isnan(values)]
        if len(self.sample) == 0 or len(known) == 0:
            return float("nan"), float("nan")
        there = self.nodes * (1 - self.share[-1])
        chance = float(kstwobign.ppf(CONFIDENCE)) * float(np.sqrt(1 / there + 1 / len(known)))
        found: Any = ks_2samp(self.sample, known, method="asymp")
        return float(found.statistic), chance


@dataclass(frozen=True)
class Drift:
    """The comparison of a graph with the training graph."""

    table: pd.DataFrame
    """A row for each quantity, the largest shift first: what; psi (the population stability index)
    and psi_chance (what chance explains of it); ks (the Kolmogorov–Smirnov distance of numbers) and
    ks_chance; unseen (share of unseen categories); notable."""
    weights: str | None = None
    """A line where edges have weights on one side alone."""

    @property
    def warnings(self) -> list[str]:
        """A line for each notable shift, by name."""
        lines = [_in_words(row) for row in self.table[self.table["notable"]].to_dict("records")]
        return lines if self.weights is None else [self.weights, *lines]

    def describe(self) -> str:
        """Says in one line how large the largest shifts are."""
        first = self.table.iloc[0]
        line = f"the largest shift since the training: {first['what']} (PSI {first['psi']:.2f}"
        numbers = self.table.dropna(subset="ks")
        if len(numbers):
            far = numbers.sort_values("ks").iloc[-1]
            line += f"), by distribution {far['what']} (KS {far['ks']:.2f}"
        count = int(self.table["notable"].sum())
        return f"{line}); {count} of {len(self.table)} quantities have shifted notably"


@dataclass(frozen=True)
class Reference:
    """The profiles of the inputs, the degrees and the scores of the training graph."""

    profiles: tuple[Profile, ...]
    is_weighted: bool
    """Whether its edges had weights."""

    @classmethod
    def of(
        cls, graph: Graph, score: NDArray[np.floating], untrained: NDArray[np.bool_]
    ) -> "Reference":
        """Of the training graph.

        Args:
            graph: as the model was trained on it.
            score: its nodes' scores [N].
            untrained: nodes that were not trained on [N]; the scores of the others are more
                extreme than those of new nodes.
        """
        profiles = []
        for i, name in enumerate(column_names(graph)):
            values = graph.x[:, i].numpy()
            categories = None if graph.columns is None else graph.columns[i].categories
            if categories is None:
                profiles.append(Profile.of_number(name, values))
            else:
                profiles.append(Profile.of_category(name, values, categories))
        profiles += [Profile.of_number(name, d) for name, d in _degrees(graph).items()]
        fair = score[untrained] if untrained.any() else score
        profiles.append(Profile.of_number("score", fair))
        return cls(tuple(profiles), graph.edges.weight is not None)

    def compare(self, graph: Graph, score: NDArray[np.floating], unseen: dict[str, float]) -> Drift:
        """Compares another graph, with the training's columns in the training's codes.

        Args:
            graph: with the columns of the training graph in their order and codes.
            score: its nodes' scores [N].
            unseen: by category column, the share of nodes whose category was not there before;
                they stand as missing in the graph.
        """
        found = [graph.x[:, i].numpy() for i in range(graph.x.shape[1])]
        found += [*_degrees(graph).values(), score]
        rows = []
        for profile, values in zip(self.profiles, found, strict=True):
            index, chance = profile.stability(profile.count(values))
            distance, by_chance = profile.distance(values)
            new = unseen.get(profile.name, 0.0)
            is_far = index > NOTABLE + chance or distance > NOTABLE_KS + by_chance
            row = (profile.name, index, chance, distance, by_chance, new, is_far or new > UNSEEN)
            rows.append(row)
        names = ["what", "psi", "psi_chance", "ks", "ks_chance", "unseen", "notable"]
        table = pd.DataFrame(rows, columns=names)
        table = table.sort_values("psi", ascending=False, ignore_index=True)
        return Drift(table, describe_weights(graph, self.is_weighted))

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """As plain values and arrays."""
        plain = [asdict(replace(profile, sample=np.empty(0))) for profile in self.profiles]
        for part in plain:
            del part["sample"]
        samples = {str(i): profile.sample for i, profile in enumerate(self.profiles)}
        content = {"is_weighted": self.is_weighted, "profiles": plain}
        return content, {i: sample for i, sample in samples.items() if len(sample)}

    @classmethod
    def from_state(cls, content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> "Reference":
        """The inverse of `to_state`."""
        profiles = []
        for i, part in enumerate(content["profiles"]):
            values = {key: _tuple(value) for key, value in part.items()}
            profiles.append(Profile(**values, sample=arrays.get(str(i), np.empty(0))))
        return cls(tuple(profiles), bool(content["is_weighted"]))


def column_names(graph: Graph) -> list[str]:
    """Names of a graph's columns; by number where they have none."""
    if graph.columns is not None:
        return [column.name for column in graph.columns]
    return [f"feature {i}" for i in range(graph.x.shape[1])]


def _degrees(graph: Graph) -> dict[str, NDArray[np.float64]]:
    edges = graph.edges
    received = np.diff(edges.indptr).astype(np.float64)
    sent = np.bincount(edges.indices, minlength=edges.num_nodes).astype(np.float64)
    return {"in-degree": received, "out-degree": sent}


def _sample(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `SAMPLE` of the values, at even steps of their order."""
    if len(known) <= SAMPLE:
        return np.sort(known)
    return np.quantile(known, (np.arange(SAMPLE) + 0.5) / SAMPLE, method="inverted_cdf")


def _shares(counts: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(float(share) for share in counts / max(int(counts.sum()), 1))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _in_words(row: dict[Any, Any]) -> str:
    by = f"PSI {row['psi']:.2f}" + ("" if np.isnan(row["ks"]) else f", KS {row['ks']:.2f}")
    line = f"{row['what']} has shifted since the training ({by})"
    if row["unseen"] > UNSEEN:
        line += f"; {row['unseen']:.0%} of the nodes have a category that was not there then"
    return line
