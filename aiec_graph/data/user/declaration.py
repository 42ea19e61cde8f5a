"""What the file graph.yaml of a user's own graph may declare."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from aiec_graph.data.user.tables import Table
from aiec_graph.errors import InputError, did_you_mean, look_up, named

MISSING = ("median", "mean", "most_frequent", "zero")
AGGREGATES = ("count", "sum", "mean", "std", "min", "max", "median", "nunique")
ENDS = ("source", "target", "both")


@dataclass(frozen=True)
class Declaration:
    """Names of files and columns, and how to read them; everything has a default."""

    nodes: str | None = None
    """File of the nodes, or accounts (default: nodes or accounts, .csv or .parquet)."""
    edges: str | None = None
    """File of the edges (default: edges.csv or edges.parquet)."""
    transactions: str | None = None
    """File of the transactions (default: transactions.csv or transactions.parquet)."""
    graph: str | None = None
    """File of a whole graph, such as a .pt or DGL file, in place of tables."""
    edge_types: list[str] | None = None
    """Of a graph file with several edge types: those to take, or all (default: there is one)."""
    id: str = "id"
    label: str = "label"
    split: str = "split"
    time_step: str = "time_step"
    """Columns of the nodes; all but the id may be missing."""
    anomalous: list[str] = field(default_factory=lambda: ["1", "true"])
    """Labels that mean anomalous."""
    normal: list[str] = field(default_factory=lambda: ["0", "false"])
    """Labels that mean normal."""
    unknown: list[str] = field(default_factory=lambda: ["-1", "unknown"])
    """Labels that mean unknown, as an empty one does."""
    features: list[str] | None = None
    """Columns of the nodes to use, in this order (default: all others)."""
    categorical: list[str] = field(default_factory=list)
    """Columns that are categories though they hold numbers."""
    drop: list[str] = field(default_factory=list)
    """Columns to leave out."""
    missing: str = "median"
    """What a missing number becomes: median, mean, most_frequent or zero."""
    missing_of: dict[str, str] = field(default_factory=dict)
    """The same for single columns."""
    source: str = "source"
    target: str = "target"
    weight: str = "weight"
    """Columns of the edges; the weight may be missing. In transactions, the weight of an edge is
    the number of transactions, or the sum of this column where there is one."""
    undirected: bool = False
    """Whether each edge goes both ways."""
    amount: str = "amount"
    time: str = "time"
    """Columns of the transactions; both may be missing."""
    aggregate: dict[str, list[str]] | None = None
    """For each column of the transactions, what to compute of it for each account and direction
    (default: sum, mean and max of the amount)."""
    transaction_label: str | None = None
    """Column of the transactions that labels them."""
    label_of: str = "source"
    """Whom a labelled transaction labels: source, target or both."""

    def __post_init__(self) -> None:
        look_up(self.missing, dict.fromkeys(MISSING), "way to fill missing")
        look_up(self.label_of, dict.fromkeys(ENDS), "label_of")
        for kind in self.missing_of.values():
            look_up(kind, dict.fromkeys(MISSING), "way to fill missing_of")
        for kinds in (self.aggregate or {}).values():
            for kind in kinds:
                look_up(kind, dict.fromkeys(AGGREGATES), "aggregate")
        both = {*self.anomalous} & {*self.normal} or {*self.unknown} & {
            *self.anomalous,
            *self.normal,
        }
        if both:
            raise InputError(f"the label {both.pop()!r} is declared to mean two things")


def check_declared(declared: Declaration, keys: Iterable[str], table: Table) -> None:
    """Sees to it that the columns that somebody declared are there.

    Args:
        declared: what was declared.
        keys: fields of it that name columns which may be missing, unless they were declared.
        table: where they should be.

    Raises:
        InputError: a column is not there, or is there in capitals where nothing was declared.
    """
    for key in keys:
        name = getattr(declared, key)
        if name != getattr(Declaration, key):
            table.check(name, key)
        elif name not in table.names:
            for other in table.names:
                if other.lower() == name:
                    raise InputError(
                        f"{table.where}: is the column {other!r} the {key}? Then say '{key}: "
                        f"{other}' in graph.yaml; if not, rename it"
                    )


def read_declaration(path: Path) -> Declaration:
    """Reads a graph.yaml; where there is none, everything is as by default.

    Raises:
        InputError: it is no YAML, or a key or a value is not one that it may hold.
    """
    try:
        if not path.is_file():
            return Declaration()
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: not a YAML file ({' '.join(str(error).split())[:200]})"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold keys and values, such as 'label: is_fraud'")
    known = [f.name for f in fields(Declaration)]
    for key in content:
        if key not in known:
            raise InputError(
                f"{path}: unknown key {key!r}.{did_you_mean(key, known)} Known: {', '.join(known)}"
            )
    if isinstance(content.get("edge_types"), str):  # one of them, or all
        content["edge_types"] = [content["edge_types"]]
    for key in ("anomalous", "normal", "unknown"):
        if isinstance(content.get(key), list):  # 1 and true are written without quotes
            content[key] = [to_word(value) for value in content[key]]
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Declaration)
    with named(path):
        try:
            return Declaration(**vars(parser.parse_object(content)))
        except ArgumentError as error:
            raise InputError(" ".join(str(error).split())[:300]) from None


def to_word(value: object) -> str:
    """A label as it is compared: 1, 1.0 and "1" are one, and so are True and "true"."""
    return re.sub(r"\.0+$", "", str(value).strip().lower())
