"""A table as it stands in a file, before anybody asks what it means."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class FileTable:
    """A table as it stands in a file: every row, columns under the names given there."""

    frame: pd.DataFrame
    """Its columns may have the same name twice, or none."""
    locate: Callable[[int], int] | None = None
    """Gives the line of a row that is counted from 0, in a text or a sheet."""
    notes: tuple[str, ...] = ()
