"""What reading tables found: faults, warnings and notes, gathered before anything is refused."""

from collections import Counter
from dataclasses import dataclass, field

from aiec_graph.errors import InputError

MOST_OF_ONE = 4
"""Faults of one column that are told; further ones are counted."""


class DataError(InputError):
    """Tables that cannot be used, with every fault that was found in them."""

    def __init__(self, faults: list[str]) -> None:
        """Makes one line of the faults, numbered where there are several."""
        self.faults = tuple(faults)
        if len(faults) == 1:
            super().__init__(faults[0])
        else:
            listed = " ".join(f"({i}) {fault}" for i, fault in enumerate(faults, 1))
            super().__init__(f"{len(faults)} faults: {listed}")


@dataclass
class Findings:
    """Gathers what is to be told about some tables."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What reading had to decide."""
    facts: list[str] = field(default_factory=list)
    """What the data are, for who asks."""
    _counts: Counter[str] = field(default_factory=Counter)

    def add_fault(self, message: str, about: str = "") -> None:
        """Adds a fault; of those about one column only the first few are kept."""
        if about:
            self._counts[about] += 1
            if self._counts[about] > MOST_OF_ONE:
                return
        if message not in self.faults:
            self.faults.append(message)

    def add_warning(self, message: str) -> None:
        """Adds a warning, once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def raise_faults(self) -> None:
        """Refuses the tables where there is a fault.

        Raises:
            DataError: lists all of them.
        """
        if self.faults:
            raise DataError(self.faults)
