"""What was declared about a user's own graph: which columns have which role, and their meaning.

A declaration is plain texts, lists and mappings, so that it can be kept in JSON beside a model.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from aiec_graph.data.user.columns import Options
from aiec_graph.errors import InputError, did_you_mean, look_up
from aiec_graph.graph.column import Column

MISSING = ("median", "mean", "most_frequent", "zero")
AGGREGATES = ("count", "sum", "mean", "std", "min", "max", "median", "nunique", "counts", "shares")
UNITS = ("accounts", "transactions")
JOINS = ("flow", "source", "target")
HUBS = ("cap", "drop", "weigh")
ENDS = ("source", "target", "both")
LISTS = (
    "anomalous",
    "normal",
    "unknown",
    "features",
    "categorical",
    "numeric",
    "drop",
    "edge_types",
    "join",
    "link_by",
)
LISTS_OR_TEXTS = ("nodes", "edges", "transactions", "id", "source", "target", "time")
MOST_JOINED = 1000
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
SIGNS = {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"}


@dataclass(frozen=True)
class Declaration:
    """Names of files and columns, and how to read them; everything has a default."""

    nodes: str | list[str] | None = None
    """Table of the nodes, or accounts (default: nodes or accounts, with any suffix that is
    read); a list of tables with the same columns is read as one."""
    edges: str | list[str] | None = None
    """Table of the edges (default: edges), or a list of them."""
    transactions: str | list[str] | None = None
    """Table of the transactions (default: transactions), or a list of them."""
    graph: str | None = None
    """File of a whole graph, such as a .pt or DGL file, in place of tables."""
    edge_types: list[str] | None = None
    """Of a graph file with several edge types: those to take, or all (default: there is one)."""
    labels: str | None = None
    """Table with ids and labels, where the labels stand apart (default: labels)."""
    id: str | list[str] = "id"
    """Column of the nodes that names them; several columns together are one id."""
    label: str = "label"
    split: str = "split"
    time_step: str = "time_step"
    """Columns of the nodes; all but the id may be missing."""
    anomalous: list[str] | None = None
    """Labels that mean anomalous (default: usual words such as 1, true, yes, fraud)."""
    normal: list[str] | None = None
    """Labels that mean normal (default: usual words such as 0, false, no, ok)."""
    unknown: list[str] | None = None
    """Labels that mean unknown, as an empty one does (default: -1, unknown and the like)."""
    features: list[str] | None = None
    """Columns of the nodes to use, in this order (default: all others)."""
    categorical: list[str] = field(default_factory=list)
    """Columns that are categories though they look like something else."""
    numeric: list[str] = field(default_factory=list)
    """Columns that are numbers though they look like codes, such as 007."""
    drop: list[str] = field(default_factory=list)
    """Columns to leave out."""
    missing: str = "median"
    """What a missing number becomes: median, mean, most_frequent or zero."""
    missing_of: dict[str, str] = field(default_factory=dict)
    """The same for single columns, which a table that is to be scored may then lack."""
    missing_values: list[str] = field(default_factory=list)
    """Words that mean an empty cell, such as NA or (null)."""
    as_of: str = ""
    """What is known: transactions and edges of a later time do not enter, and dates among the
    features become an age in days on this day. A day, of which all is known, or a number where the
    times are numbers."""
    date_format: str | dict[str, str] = ""
    """How dates are written, in the letters of strptime, such as %d/%m/%Y; or one for a column."""
    decimal: str | dict[str, str] = ""
    thousands: str | dict[str, str] = ""
    """The signs in numbers where they cannot be told from the column; or one for a column."""
    source: str | list[str] = "source"
    target: str | list[str] = "target"
    weight: str = "weight"
    """Columns of the edges; the weight may be missing. In transactions, the weight of an edge is
    the number of transactions, or the sum of this column where there is one."""
    undirected: bool = False
    """Whether each edge goes both ways."""
    amount: str = "amount"
    time: str | list[str] = "time"
    """Columns of the transactions; both may be missing. A date and a time of the day in two
    columns are named as a list."""
    aggregate: dict[str, list[str]] | None = None
    """For each column of the transactions, what to compute of it for each account and direction
    (default: sum, mean and max of the amount). `counts` and `shares` make a column of each of the
    values of a category."""
    transaction_label: str | None = None
    """Column of the transactions that labels them."""
    label_of: str = "source"
    """Whom a labelled transaction labels: source, target or both."""

    nodes_are: str = "accounts"
    """What a row of the list is, where there is a table of transactions: accounts or
    transactions."""
    join: list[str] = field(default_factory=lambda: ["flow", "source"])
    """How transactions as nodes are joined, each with earlier ones: flow (money that its sender got
    before), source (what its sender sent before), target (what its receiver got before)."""
    join_window: str = ""
    """How long before, such as 7d, 12h or 30min (default: any time)."""
    join_cap: int = 10
    """The latest so many are joined, of each kind."""
    link_by: list[str] = field(default_factory=list)
    """Columns of the nodes, such as device or address: nodes that share a value are joined."""
    link_cap: int = 20
    """Neighbours of a node by one value, of those that more nodes share."""
    hubs: str = "cap"
    """What becomes of values that more nodes share: cap, drop, or weigh (capped, and links weigh
    less the more nodes share the value)."""
    edge_type: str | None = None
    """Column of the edges that says of which kind each is."""
    tell_apart: bool = False
    """Whether features tell the kinds of edges apart: by each kind, the number of a node's
    neighbours and the means of their numbers. All kinds are merged in the edges."""

    def __post_init__(self) -> None:
        for key in ("anomalous", "normal", "unknown", "missing_values"):
            words = getattr(self, key)
            if words is not None:
                object.__setattr__(self, key, [_write(word) for word in _as_list(words)])
        for key in ("features", "categorical", "numeric", "drop"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, [str(name) for name in _as_list(getattr(self, key))])
        if self.as_of:
            object.__setattr__(self, "as_of", _to_as_of(str(self.as_of)))
        look_up(self.missing, dict.fromkeys(MISSING), "way to fill missing")
        look_up(self.label_of, dict.fromkeys(ENDS), "label_of")
        look_up(self.nodes_are, dict.fromkeys(UNITS), "nodes_are")
        look_up(self.hubs, dict.fromkeys(HUBS), "hubs")
        for kind in self.join:
            look_up(kind, dict.fromkeys(JOINS), "join")
        for key, least in (("join_cap", 1), ("link_cap", 2)):
            if not least <= getattr(self, key) <= MOST_JOINED:
                raise InputError(
                    f"{key} must be from {least} to {MOST_JOINED}, not {getattr(self, key)}"
                )
        for kind in self.missing_of.values():
            look_up(kind, dict.fromkeys(MISSING), "way to fill missing_of")
        for kinds in (self.aggregate or {}).values():
            for kind in kinds:
                look_up(kind, dict.fromkeys(AGGREGATES), "aggregate")

    def to_dict(self) -> dict[str, Any]:
        """Returns what differs from the defaults, as plain values."""
        plain = Declaration()
        return {k: v for k, v in asdict(self).items() if v != getattr(plain, k)}

    @property
    def as_of_day(self) -> str:
        """The day of `as_of`; empty where it is a number or there is none."""
        return "" if NUMBER.fullmatch(self.as_of) else self.as_of

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Declaration":
        """Makes a declaration of plain values, such as `to_dict` or a YAML file gives.

        Raises:
            InputError: a key is unknown, or a value is not of the kind that it takes.
        """
        known = [f.name for f in fields(cls)]
        values = {}
        for key, value in content.items():
            if key not in known:
                raise InputError(
                    f"unknown key {key!r}.{did_you_mean(key, known)} Known: {', '.join(known)}"
                )
            values[key] = _coerce(key, value)
        return cls(**values)

    def columns_of(self, key: str) -> list[str]:
        """Returns the names of the column or columns that have a role."""
        value = getattr(self, key)
        return [] if value is None else _as_list(value)

    def is_default(self, key: str) -> bool:
        """Says whether nothing was declared for a key."""
        return getattr(self, key) == getattr(Declaration(), key)

    def options_of(self, name: str, trained: Column | None = None, *, yaml: str) -> Options:
        """Returns what was declared about one column."""

        def pick(value: str | dict[str, str]) -> str:
            found = value.get(name, "") if isinstance(value, dict) else value
            return SIGNS.get(found, found)

        def is_for(value: str | dict[str, str]) -> bool:
            return isinstance(value, dict) and name in value

        return Options(
            name=name,
            is_categorical=name in self.categorical,
            is_numeric=name in self.numeric or is_for(self.decimal) or is_for(self.thousands),
            as_of=self.as_of_day,
            date_format=pick(self.date_format),
            is_date=is_for(self.date_format),
            decimal=pick(self.decimal),
            thousands=pick(self.thousands),
            missing_values=tuple(self.missing_values),
            trained=trained,
            yaml=yaml,
        )


def check_declaration(value: object) -> None:
    """Refuses what is no declaration, such as a dict of its keys.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, Declaration):
        kind = type(value).__name__
        raise InputError(f"a Declaration is expected, such as Declaration(label='y'), not a {kind}")


def _as_list(value: Any) -> list[Any]:
    """A list as it is, and one value as a list of it."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _to_as_of(text: str) -> str:
    """A day or a number, as text.

    Raises:
        InputError: it is neither.
    """
    if NUMBER.fullmatch(text):
        return text
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.time() != dt.time():
            raise InputError(
                f"as_of is a day, all of which is known, and not a time of the day; not {text!r}"
            )
        return moment.date().isoformat()
    except InputError:
        raise
    except ValueError:
        raise InputError(
            f"as_of must be a day such as 2026-01-31, or a number where times are numbers; not "
            f"{text!r}"
        ) from None


def _write(word: object) -> str:
    if isinstance(word, bool):
        return "true" if word else "false"
    return str(word)


def _coerce(key: str, value: Any) -> Any:
    """A value of the kind that a key takes.

    Raises:
        InputError: it is of another kind, or empty.
    """
    wrong = InputError(f"{key}: cannot be {str(value)[:80]!r}")
    if value is None or value == "":
        raise InputError(f"{key}: has no value; leave the key out, or give it one")
    if key in LISTS or key == "missing_values":
        return _texts(_as_list(value), wrong) if not isinstance(value, dict) else _fail(wrong)
    if key in LISTS_OR_TEXTS and isinstance(value, list):
        return _texts(value, wrong)
    if key == "aggregate":
        if not isinstance(value, dict):
            raise wrong
        return {str(k): _texts(_as_list(v), wrong) for k, v in value.items()}
    if key == "missing_of" or (
        key in ("date_format", "decimal", "thousands") and isinstance(value, dict)
    ):
        if not isinstance(value, dict):
            raise wrong
        return {str(k): _texts([v], wrong)[0] for k, v in value.items()}
    if key in ("join_cap", "link_cap"):
        word = _write(value)
        return int(word) if re.fullmatch(r"\d{1,9}", word) else _fail(wrong)
    if key in ("undirected", "tell_apart"):
        word = _write(value).lower()
        return word in TRUE if word in (*TRUE, *FALSE) else _fail(wrong)
    return _texts([value], wrong)[0]


def _texts(values: list[Any], wrong: InputError) -> list[str]:
    if any(isinstance(value, list | dict | tuple | set) for value in values):
        raise wrong
    return [_write(value) for value in values]


def _fail(error: InputError) -> Any:
    raise error
