"""What the numbers of a graph's arrays mean: codes of labels and splits, and feature columns.

Nothing here needs torch, so that tables can be checked without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

UNKNOWN = -1
"""Label of a node of unknown class: part of the graph, of no mask, and never a negative."""

NO_PART, TRAIN, VAL, TEST = range(4)
PARTS = {"train": TRAIN, "val": VAL, "test": TEST}


@dataclass(frozen=True)
class Column:
    """One input column of a graph whose columns are not all plain numbers."""

    name: str
    categories: tuple[str, ...] | None = None
    """What the codes 0, 1, … of a categorical column mean; None for a number."""
    missing: str = "median"
    """What a missing number becomes: the median, mean or most_frequent of the training nodes, or
    zero. A missing category is a category of its own."""
    kind: str = ""
    """number, category, boolean or date (its age in days); by default by the categories."""
    notation: str = ""
    """How its numbers or dates were written where that had to be found out, for the next table:
    the order of a date, such as dmy; the decimal sign and that between thousands, and after a bar
    the currency or percent sign, such as `.,|EUR`; the unit of times that were numbers."""
    is_optional: bool = False
    """Whether a table that is to be scored may lack it; all its values then count as missing."""

    def __post_init__(self) -> None:
        if not self.kind:
            kind = "number" if self.categories is None else "category"
            object.__setattr__(self, "kind", kind)

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> "Column":
        """Returns the column that `asdict` made `parts` of, after they were in a file."""
        known = {f.name: parts[f.name] for f in fields(cls) if f.name in parts}
        categories = known.get("categories")
        return cls(**{**known, "categories": None if categories is None else tuple(categories)})
