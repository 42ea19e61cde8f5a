"""What a user's tables hold: each column's role and kind, faults and warnings, and counts."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.advice import gather_lines
from aiec_graph.data.user.columns import Options
from aiec_graph.data.user.declaration import Declaration, check_declaration
from aiec_graph.data.user.findings import Findings
from aiec_graph.data.user.tables import Table, clean
from aiec_graph.graph.column import UNKNOWN, Column
from aiec_graph.graph.progress import count

ROLES = (
    "id",
    "label",
    "split",
    "time_step",
    "weight",
    "source",
    "target",
    "amount",
    "time",
    "feature",
    "link",
    "edge_type",
    "ignored",
)
KINDS = ("number", "category", "date", "text", "boolean")


@dataclass(frozen=True)
class ColumnProfile:
    """One column of one file."""

    file: str
    name: str
    role: str
    """One of `ROLES`."""
    kind: str
    """One of `KINDS`."""


@dataclass(frozen=True)
class DataProfile:
    """What is to be told about a user's tables."""

    columns: tuple[ColumnProfile, ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    nodes: int | None = None
    edges: int | None = None
    labelled: int | None = None
    anomalous: int | None = None
    """Counts; None where a fault stands before them."""
    lines: tuple[str, ...] = ()
    """What faults and warnings advise to write into graph.yaml."""
    tables: "GraphTables | None" = None
    """The arrays of the graph, where there is no fault."""

    @classmethod
    def refused(cls, fault: str) -> "DataProfile":
        """Of data that cannot be read at all."""
        return cls(columns=(), faults=(fault,), warnings=(), notes=())

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the arrays, as plain values for JSON."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "faults": list(self.faults),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "nodes": self.nodes,
            "edges": self.edges,
            "labelled": self.labelled,
            "anomalous": self.anomalous,
            "lines": list(self.lines),
        }


@dataclass(frozen=True)
class Feature:
    """One input column and its values."""

    column: Column
    values: NDArray[np.float64]
    """[N]; NaN where missing."""


@dataclass(frozen=True)
class NodeTable:
    """What a table of nodes holds."""

    ids: pd.Index
    """[N], text."""
    features: list[Feature]
    y: NDArray[np.int64]
    """1 anomalous, 0 normal, -1 unknown [N]."""
    parts: NDArray[np.int8] | None = None
    """Split codes [N]."""
    time_step: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class GraphTables:
    """A graph in NumPy arrays, before it is a `Graph`; made without torch."""

    nodes: NodeTable
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    """Ends of the edges as numbers of nodes [E]."""
    weight: NDArray[np.float64] | None
    """[E]; None where every edge weighs 1."""
    kinds: NDArray[np.int64] | None = None
    """The number of each edge's kind, -1 for none [E]; None where nothing was declared."""
    kind_names: tuple[str, ...] = ()


@dataclass
class Reading:
    """Goes through the tables of one graph, and gathers what is found."""

    declared: Declaration = field(default_factory=Declaration)
    trained: tuple[Column, ...] | None = None
    """The columns of the training data, where tables are to be scored."""
    elsewhere: frozenset[str] = frozenset()
    """Columns of the tables beside that of the nodes, which `drop` may name."""
    hides_later: bool = False
    """Whether dates after `as_of` count as missing."""
    needs_features: bool = True
    """Whether nodes without a column of their own are refused."""
    findings: Findings = field(default_factory=Findings)
    columns: list[ColumnProfile] = field(default_factory=list)
    notations: dict[str, str] = field(default_factory=dict)
    """How columns of transactions are written, see `Column.notation`; that of their time, under an
    empty name, is its unit."""

    def __post_init__(self) -> None:
        check_declaration(self.declared)

    def measure_of_training(self, column: str) -> Column | None:
        """What a column of transactions was, as far as the features that were made of it tell."""
        starts = (f"out_{column}_", f"in_{column}_")
        for trained in self.trained or ():
            if trained.name == column or trained.name.startswith(starts):
                return Column(column, kind="number", notation=trained.notation)
        return None

    def record(self, table: Table, name: str, role: str, kind: str) -> None:
        """Keeps what a column turned out to be; the last word on a column counts."""
        self.columns = [c for c in self.columns if (c.file, c.name) != (table.where, name)]
        self.columns.append(ColumnProfile(table.where, name, role, kind))
        done = sum(c.file == table.where and c.name != "" for c in self.columns)
        what = f"reading the columns of {table.where} ({len(table.frame):,} rows)"
        count(what, done, max(len(table.names), done))

    def clean(self, table: Table) -> Table:
        """Gives a table its clean names, see `tables.clean`."""
        is_new, table = not table.is_clean, clean(table, self.findings)
        if is_new:
            self.columns += [ColumnProfile(table.where, "", "ignored", "number")] * table.nameless
        return table

    def options(self, table: Table, name: str, trained: Column | None = None) -> Options:
        """Returns what was declared about a column of a table."""
        found = self.declared.options_of(name, trained, yaml=table.yaml)
        return replace(found, hides_later=self.hides_later)

    def fault(self, table: Table, column: str, faults: Any) -> None:
        """Adds the faults of one column."""
        for one in faults:
            self.findings.add_fault(table.explain(column, one), f"{table.where} {column}")

    def profile(self, tables: GraphTables | None) -> DataProfile:
        """Returns all that was found."""
        found = self.findings
        counts: dict[str, Any] = {}
        if tables is not None:
            y = tables.nodes.y
            counts = {
                "nodes": len(y),
                "edges": len(tables.source),
                "labelled": int((y != UNKNOWN).sum()),
                "anomalous": int((y == 1).sum()),
            }
        return DataProfile(
            columns=tuple(self.columns),
            faults=tuple(found.faults),
            warnings=tuple(found.warnings),
            notes=(*found.notes, *found.facts),
            lines=tuple(gather_lines([*found.faults, *found.warnings])),
            tables=None if found.faults else tables,
            **counts,
        )
