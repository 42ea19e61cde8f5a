"""The cuts of a backtest: what is trained on, validated on and scored at each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiec_graph.bench.backtest.moments import written
from aiec_graph.bench.backtest.timeline import Timeline
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import UNKNOWN, Split
from aiec_graph.wording import counted

MOST_BATCHES = 10
"""Parts of a horizon that are scored and measured each for itself."""
TESTED_SHARE = 0.6
"""Of the whole time: where the cuts stand unless it is said; before it models only learn."""


@dataclass(frozen=True)
class Cut:
    """A moment at which models are trained, and the moments around it.

    All bounds are inclusive. What came after `moment` is not there; labels of nodes that came
    after `known` are not known.
    """

    moment: int
    first: int
    """The first moment of the training nodes."""
    last: int
    """The last moment of the training nodes; validation begins after it."""
    known: int
    """The last moment whose labels are known at the cut: the last of the validation nodes."""
    horizon: int
    """Moments after the cut whose nodes are scored."""

    @property
    def batches(self) -> list[int]:
        """The moments at which nodes are scored: each batch holds those that are new at it."""
        count = min(self.horizon, MOST_BATCHES)
        ages = np.ceil(np.linspace(0, self.horizon, count + 1)[1:] - 1e-9).astype(int)
        return [self.moment + int(age) for age in ages]

    def split(self, y: NDArray[np.int64], moment: NDArray[np.int64]) -> Split:
        """The training and validation masks, and as test mask the horizon's labelled nodes.

        Args:
            y: labels [N].
            moment: when each node appeared [N].
        """
        labelled = y != UNKNOWN
        train = labelled & (moment >= self.first) & (moment <= self.last)
        val = labelled & (moment > self.last) & (moment <= self.known)
        test = labelled & (moment > self.moment) & (moment <= self.moment + self.horizon)
        return Split(train, val, test)

    def split_of(self, timeline: Timeline) -> Split:
        """The same of all nodes of a timeline, of whose labels training knows some."""
        known = self.split(timeline.labels(self.known), timeline.moment)
        test = self.split(timeline.y, timeline.moment).test_mask
        return Split(known.train_mask, known.val_mask, test)


class LeftOut(NamedTuple):
    """A cut that cannot be used."""

    cut: Cut
    why: str


class Plan(NamedTuple):
    """The cuts of a backtest."""

    cuts: list[Cut]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class Schedule:
    """Where the cuts stand; None for what is to be chosen."""

    cuts: int | None = None
    start: int | None = None
    """The first cut."""
    every: int | None = None
    horizon: int | None = None
    train_window: int | None = None
    """None: all that was before."""
    label_delay: int = 0
    validation: float = 0.25
    """The share of the moments with known labels, at their end, that validates."""

    def plan(self, timeline: Timeline) -> Plan:
        """The cuts on a timeline; those that lack a class somewhere are left out.

        Raises:
            InputError: no cut is left, or the times are too short for them.
        """
        first = int(timeline.moment[0])
        kept, left_out = [], []
        for moment, horizon in self._moments(timeline):
            known = moment - self.label_delay
            start = first if self.train_window is None else known - self.train_window + 1
            start = max(start, first)
            length = known - start + 1
            validated = max(round(self.validation * length), 1)
            cut = Cut(moment, start, known - validated, known, horizon)
            why = _what_is_missing(cut, timeline)
            kept += [] if why else [cut]
            left_out += [LeftOut(cut, why)] if why else []
        if not kept:
            first_of = {left.why: left.cut.moment for left in reversed(left_out)}
            reasons = "; ".join(
                f"{written(moment, timeline.unit)}: {why}" for why, moment in first_of.items()
            )
            raise InputError(f"{timeline.label}: no cut can be used ({reasons})")
        return Plan(kept, left_out)

    def _moments(self, timeline: Timeline) -> Iterator[tuple[int, int]]:
        """Each cut and its horizon."""
        first, last = int(timeline.moment[0]), int(timeline.moment[-1])
        self._check(timeline, first, last)
        count = self.cuts or 9
        if self.every is not None:
            every = self.every
        elif self.start is not None:
            span = last - self.start - (self.horizon or 0)
            every = span // (count - 1 if self.horizon and count > 1 else count)
        else:
            every = int(TESTED_SHARE * (last - first + 1)) // count
        every = max(every, 1)
        horizon = self.horizon or every
        end = last - horizon
        if self.start is None:
            start = end - every * (count - 1)
        else:
            start = self.start
            count = max((end - start) // every + 1, 1) if self.cuts is None else count
        if start < first or start + every * (count - 1) > end:
            begin = "" if self.start is None else f" from {written(start, timeline.unit)}"
            raise InputError(
                f"{_reach(timeline)}: too short for {counted(count, 'cut')}{begin} every "
                f"{every} {timeline.unit}s with a horizon of {horizon}; take fewer cuts, another "
                "first one or a shorter horizon"
            )
        return ((start + every * i, horizon) for i in range(count))

    def _check(self, timeline: Timeline, first: int, last: int) -> None:
        """Refuses times that are beyond those of the nodes."""
        length = last - first + 1
        if self.horizon is not None and self.horizon >= length:
            raise InputError(
                f"{_reach(timeline)}: --horizon must be less than these {length} "
                f"{timeline.unit}s, not {self.horizon}"
            )
        if self.start is not None and not first <= self.start < last:
            raise InputError(
                f"{_reach(timeline)}: the first cut must lie there and before the last of them, "
                f"not at {written(self.start, timeline.unit)} (--from)"
            )


def _reach(timeline: Timeline) -> str:
    begin, end = (written(int(timeline.moment[i]), timeline.unit) for i in (0, -1))
    return f"{timeline.label}: new nodes appear from {begin} to {end}"


def _what_is_missing(cut: Cut, timeline: Timeline) -> str:
    """Why a cut cannot be used; empty where it can."""
    unit = timeline.unit
    if cut.known < timeline.moment[0]:
        return f"no label is known yet, {cut.moment - cut.known} {unit}s being their delay"
    if cut.last < cut.first:
        length = cut.known - cut.first + 1
        return f"no {unit} to train on: validation takes all of the {length} with known labels"
    known = timeline.labels(cut.known)
    for part, mask in cut.split_of(timeline).masks().items():
        y = (timeline.y if part == "test" else known)[mask]
        for value, what in ((1, "anomalous"), (0, "normal")):
            if not (y == value).any():
                where = {"train": "train on", "val": "validate on", "test": "test on"}[part]
                return f"no {what} node to {where}"
    return ""
