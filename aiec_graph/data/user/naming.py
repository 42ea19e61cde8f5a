"""Which tables of a folder are likely the nodes and the edges, where their names do not tell."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aiec_graph.data.user.column_values import advise
from aiec_graph.data.user.roles import SYNONYMS, simplify
from aiec_graph.data.user.words import split_words
from aiec_graph.errors import InputError
from aiec_graph.graph.formats.table_file import read_file

DECLARATION = "graph.yaml"
LARGEST = 2**26
"""Bytes above which a table is not looked at for a mere hint."""
MOST_TABLES = 6


def describe_tables(paths: Sequence[Path], lacks: Sequence[str]) -> str:
    """Says what tables hold, and how to declare those that a graph lacks.

    Args:
        paths: the tables of a folder that have no role yet.
        lacks: the roles that are missing, of "nodes" and "edges".
    """
    found, told = [], []
    for path in paths[:MOST_TABLES]:
        try:
            if path.is_file() and path.stat().st_size <= LARGEST:
                found.append(_Looked(path))
        except InputError as error:
            told.append(f"{str(error).replace(str(path), path.name)}.")
    lines = []
    if "nodes" in lacks:
        able = sorted((t for t in found if t.id), key=lambda t: t.rank, reverse=True)
        if able:
            lines += able[0].declare("nodes", ["id", "label"])
            found.remove(able[0])
    ends = [t for t in found if t.role("source") and t.role("target")]
    if "edges" in lacks and ends:
        lines += ends[0].declare("edges", ["source", "target"])
    if lines:
        told.append(f"Likely you want {' and '.join(lines)}.")
    if "edges" in lacks and not ends:
        told += [
            f"{table.path.name} has the columns {', '.join(table.names)[:100]}; edges need a "
            "column for each of their two ends (source:, target:)."
            for table in found[:1]
        ]
    return " ".join(told)


class _Looked:
    """A table, and what its columns could be."""

    def __init__(self, path: Path) -> None:
        frame = read_file(path).frame
        self.path = path
        self.names = [str(name).strip() for name in frame.columns]
        named = {name for name in self.names if self._is(name, "id")}
        first = set(self.names[:1]) | named
        self.id = next(
            (
                name
                for i, name in enumerate(self.names)
                if name in first and len(frame) > 1 and _is_unique(frame.iloc[:, i])
            ),
            "",
        )

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The larger, the likelier it holds the nodes: labels, an id by name, many columns."""
        return bool(self.role("label")), self._is(self.id, "id"), len(self.names)

    def role(self, role: str) -> str:
        """The column that likely has a role; empty where there is none."""
        if role == "id":
            return self.id
        return next((name for name in self.names if self._is(name, role)), "")

    def declare(self, table: str, roles: Sequence[str]) -> list[str]:
        """The lines that declare the table, and those of its columns that have other names."""
        columns = [(role, self.role(role)) for role in roles]
        wanted = [(table, self.path.name), *(c for c in columns if c[1] and c[0] != c[1])]
        return [advise(DECLARATION, key, name) for key, name in wanted]

    @staticmethod
    def _is(name: str, role: str) -> bool:
        return simplify(name) == role or simplify(name) in SYNONYMS[role]


def _is_unique(values: pd.Series) -> bool:
    return len(split_words(values).text) == len(values)
