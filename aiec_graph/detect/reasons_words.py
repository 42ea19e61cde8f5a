"""Reasons as values, and in the words of an analyst."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aiec_graph.detect.added_columns import LOG
from aiec_graph.detect.reasons_channels import ChannelReason
from aiec_graph.wording import counted


@dataclass(frozen=True)
class ColumnReason:
    """What one column contributes to a score."""

    column: str
    contribution: float
    """In units of the score of a single model; of a mixture, see `contributions`. Above 0 it makes
    the node more anomalous."""
    value: float
    typical: float
    """The median over the nodes of the data that are not flagged; NaN where none has a value."""
    is_category: bool = False
    notation: str = ""
    """seconds for a span of time, log1p for log(1 + count), which is told as the count."""

    def __str__(self) -> str:
        if self.notation == LOG:
            value, typical = np.expm1([self.value, self.typical]).tolist()
            name = self.column.removeprefix("log ")
            return str(ColumnReason(name, self.contribution, value, typical))
        show = duration if self.notation == "seconds" else number
        if self.is_category:
            return self.column if self.value else f"not: {self.column}"
        if np.isnan(self.value):
            return f"{self.column}: missing, typical {show(self.typical)}"
        value, typical = (show(value) for value in (self.value, self.typical))
        for digits in range(4, 8):
            if value != typical or self.value == self.typical or self.notation:
                break
            value, typical = (f"{value:.{digits}g}" for value in (self.value, self.typical))
        return f"{self.column} {value}, typical {typical}"


@dataclass(frozen=True)
class NeighbourReason:
    """What one neighbour does to a score."""

    id: str
    node: int
    """Its number."""
    change: float
    """The score less what it is once the edges with this neighbour are gone."""
    without: float
    """The score once they are gone."""
    probability: tuple[float, float] | None
    """Calibrated, with the neighbour and without; None of a detector that is not calibrated."""
    score: float
    """The neighbour's own."""
    is_flagged: bool

    def __str__(self) -> str:
        flagged = ", itself flagged" if self.is_flagged else ""
        return f"{self.id} ({self.change:+.3g}{flagged})"

    def sentence(self) -> str:
        """What becomes of the score without it, in words."""
        verb = "falls" if self.change > 0 else "rises"
        before = self.without + self.change
        text = f"without {self.id} the score {verb} from {before:.3g} to {self.without:.3g}"
        if self.probability is not None:
            first, then = self.probability
            text += f", the probability from {first:.2f} to {then:.2f}"
        flagged = " and is flagged" if self.is_flagged else ""
        return f"{text} ({self.id} itself scores {self.score:.3g}{flagged})"


class Part(NamedTuple):
    """A neighbourhood that had to be cut."""

    nodes: int
    score: float
    """Of the node, where networks see this neighbourhood alone."""


@dataclass(frozen=True)
class NodeReasons:
    """Why one node scores as it does."""

    id: str
    node: int
    """Its number in the graph."""
    score: float
    columns: list[ColumnReason]
    """Those that carry most of the score, whichever way, the strongest first."""
    neighbours: list[NeighbourReason]
    """Those whose removal changes the score most, whichever way, of those that were removed."""
    num_neighbours: int
    """Of the node, in any direction."""
    num_removed: int
    """How many of them were removed, each for itself."""
    hops: int
    """How far the model looks."""
    reach: int
    """Nodes within so many hops, itself among them."""
    part: Part | None
    """What reasons were computed in, where a network looks further than `MOST_REACHED` nodes."""
    is_described: bool
    """Whether columns were made of the graph, which stay as they are without a neighbour."""
    channels: ChannelReason | None
    """Of a network with AIEC."""

    def __str__(self) -> str:
        """One line for a cell of a table: what makes the node more anomalous."""
        parts = [str(c) for c in self.columns if c.contribution > 0]
        near = [str(n) for n in self.neighbours if n.change > 0]
        if near:
            parts.append(f"neighbours {', '.join(near[:3])}")
        return "; ".join(parts) or "nothing stands out"

    def lines(self) -> Iterator[str]:
        """For people, in several lines."""
        yield f"{self.id}: score {self.score:.4g}"
        yield "  columns, by what they contribute to the score:"
        for column in self.columns:
            yield f"    {column.contribution:+.3g}  {column}"
        if self.channels is not None:
            yield f"  {self.channels}"
        if not self.hops:
            yield "  the model looks at no neighbour"
            return
        yield (
            f"  neighbours, by what the score loses without them ({self.num_removed:,} of "
            f"{self.num_neighbours:,} were removed, one by one):"
        )
        for neighbour in self.neighbours:
            yield f"    {neighbour.change:+.3g}  {neighbour.sentence()}"
        yield f"  {self.scope()}"

    def scope(self) -> str:
        """Says which nodes the score depends on, and which of them the reasons look at."""
        within = f"{counted(self.reach, 'node')} within {counted(self.hops, 'hop')}"
        line = f"the score depends on no others than the {within}"
        if self.is_described:
            line = (
                f"the model looks at {within}; columns that were made of the graph depend on "
                "more, and stay as they are where a neighbour is removed"
            )
        if self.part is None:
            return line
        return (
            f"{line}; the reasons are those of {self.part.nodes:,} of them, the nearest first, "
            f"among which alone the score is {self.part.score:.4g}"
        )


def number(value: float) -> str:
    """A number as people write it."""
    if np.isnan(value):
        return "unknown"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """A span of time as people write it."""
    for unit, in_unit in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if abs(seconds) >= 2 * in_unit:
            return f"{number(round(seconds / in_unit, 1))} {unit}"
    return number(seconds) if np.isnan(seconds) else f"{number(seconds)} s"
