"""Reads one column of cells in one role, and says in one line what became of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aiec_graph.data.user.column_values import Fault
from aiec_graph.data.user.columns import read_column
from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.ids import read_ids
from aiec_graph.data.user.labels import read_labels, read_split, read_time_step
from aiec_graph.data.user.links import read_number_column, read_weights
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import read_times
from aiec_graph.graph.column import PARTS

USUAL = {
    "id": ("a1", "a2", "a3"),
    "label": ("1", "0", "1"),
    "split": ("train", "val", "test"),
    "time_step": ("1", "2", "4"),
    "weight": ("1.5", "2", "4"),
    "amount": ("1.5", "2", "4"),
    "time": ("2026-01-01", "2026-01-02", "2026-01-05"),
    "seconds": ("1767225600", "1767225660", "1767225720"),
    "number": ("1.5", "2", "4"),
    "category": ("Rome", "Oslo", "Rome"),
    "date": ("2026-01-01", "2026-01-02", "2026-01-05"),
}
"""For each role, cells that nobody doubts. Source and target are ids; seconds are times; numbers,
categories and dates are features."""
SPLIT_NAMES = {0: "-", **{code: name for name, code in PARTS.items()}}


def read_meaning(role: str, cells: Sequence[str]) -> str:
    """Returns the values of a column, and what is noted, warned of or refused, in one line."""
    column = pd.Series([cell if cell else None for cell in cells], dtype="str")
    reading = Reading(Declaration(as_of="2026-01-11"))
    name = {"seconds": "time", "number": "c", "category": "c", "date": "c"}.get(role, role)
    table = Table(pd.DataFrame({name: column}), "t", lambda row: row + 2, yaml="graph.yaml")
    said = _read(role, name, table, reading)
    findings = reading.findings
    if findings.faults:
        return "refused: " + " | ".join(findings.faults)
    told = [f"note: {n}" for n in findings.notes] + [f"warning: {w}" for w in findings.warnings]
    return " | ".join([said, *told])


def _read(role: str, name: str, table: Table, reading: Reading) -> str:
    column, options = table.frame[name], reading.options(table, name)
    faults: Sequence[Fault] = []
    if role == "id":
        return " ".join(map(repr, map(str, read_ids(table, [name], [], reading.findings))))
    if role == "weight":
        return _numbers(read_weights(table, reading))
    if role == "amount":
        return _numbers(read_number_column(table, reading, name, role))
    if role in ("time", "seconds"):
        times = read_times(table, reading)
        assert times is not None
        return _numbers(times)
    if role == "label":
        values, faults = read_labels(column, reading.declared, options)
        said = " ".join(map(str, values))
    elif role == "split":
        values, faults = read_split(column, options)
        said = " ".join(SPLIT_NAMES.get(int(code), "?") for code in values)
    elif role == "time_step":
        values, faults, _ = read_time_step(column, options)
        said = " ".join(map(str, values))
    else:
        found = read_column(column, options)
        faults, names = found.faults, found.categories
        reading.findings.notes += found.notes
        reading.findings.warnings += found.warnings
        said = f"{found.kind} {_numbers(found.values)}"
        if names is not None and not faults:
            shown = ["-" if np.isnan(v) else repr(names[int(v)]) for v in found.values]
            said = f"{found.kind} {' '.join(shown)}"
    reading.fault(table, name, faults)
    return said


def _numbers(values: np.ndarray) -> str:
    return " ".join("-" if np.isnan(v) else f"{v:.12g}" for v in values)
