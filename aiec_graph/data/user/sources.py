"""Which files a user's own graph is made of."""

from dataclasses import dataclass, field
from pathlib import Path

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.graph_yaml import read_declaration
from aiec_graph.data.user.naming import describe_tables
from aiec_graph.errors import InputError
from aiec_graph.graph.formats.table_file import SUFFIXES, UNREAD, suffix_of

DECLARATION = "graph.yaml"
NODES, EDGES, TRANSACTIONS = ("nodes", "accounts"), ("edges",), ("transactions",)


@dataclass(frozen=True)
class Sources:
    """The tables of one graph, by role; a role may have several files."""

    nodes: list[Path] = field(default_factory=list)
    edges: list[Path] = field(default_factory=list)
    transactions: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)
    graph: Path | None = None
    """A whole graph in one file, in place of tables."""
    declaration: Path | None = None
    yaml: str = DECLARATION
    """Name that the declaration has, or would have."""
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> list[Path]:
        """All files, those in folders of parts one by one."""
        found = [path for path in (self.declaration, self.graph) if path is not None]
        for path in (*self.transactions, *self.nodes, *self.edges, *self.labels):
            if path.is_dir():
                found += sorted(p for p in path.rglob("*.parquet") if p.is_file())
            else:
                found.append(path)
        return found


def folder_of(path: Path) -> Path:
    """Returns the folder where a path names one table of nodes and edges, else the path."""
    if not path.is_file() or not suffix_of(path):
        return path
    stem = path.name[: -len(suffix_of(path))].lower()
    others = {"nodes": EDGES, "accounts": (*EDGES, *TRANSACTIONS), "edges": NODES}.get(stem, ())
    beside = [p.name.lower() for p in path.parent.iterdir() if suffix_of(p)]
    if any(name.startswith(f"{other}.") for name in beside for other in others):
        return path.parent
    return path


def find_sources(path: Path, declaration: Declaration | None = None) -> Sources:
    """Finds the tables of the graph at a path, a folder or a table of transactions.

    Args:
        path: a folder, or a file.
        declaration: names the tables of a folder without a graph.yaml of its own.

    Raises:
        InputError: there are none, or it is not clear which of several is meant.
    """
    given, path = path, folder_of(path)
    if path.is_file():
        return _find_file(path, path.with_suffix(f".{DECLARATION}"))
    if not path.is_dir():
        raise InputError(f"{path}: there is no such file or folder")
    file = _find_declaration(path / DECLARATION)
    declared = declaration or Declaration() if file is None else read_declaration(file)
    if declared.graph is not None:
        return _find_file(_find_graph(path, declared.graph), path / DECLARATION)
    transactions = _find(path, declared, "transactions", *TRANSACTIONS)
    nodes = _find(path, declared, "nodes", *NODES)
    labels = _find(path, declared, "labels", "labels")
    edges = [] if transactions else _find(path, declared, "edges", *EDGES)
    has_nodes = bool(nodes or (edges and labels))  # those that edges name
    if not transactions and not (has_nodes and (edges or declared.link_by)):
        raise InputError(_explain_missing(path, nodes, edges))
    used = {p.name for p in (*transactions, *nodes, *edges, *labels)}
    notes = [] if given == path else [f"{given}: read with the other tables in {path}"]
    unused = [
        p.name for p in sorted(path.iterdir()) if suffix_of(p) in SUFFIXES and p.name not in used
    ]
    if unused:
        notes.append(
            f"{path}: {', '.join(unused[:5])} {'is' if len(unused) == 1 else 'are'} not read"
        )
    return Sources(
        nodes=nodes,
        edges=edges,
        transactions=transactions,
        labels=labels,
        declaration=file,
        notes=tuple(notes),
    )


def _find_declaration(file: Path) -> Path | None:
    """The file where it is there.

    Raises:
        InputError: there is one of nearly that name instead, which would not be read.
    """
    if file.is_file():
        return file
    stem = file.name.removesuffix(".yaml").lower()
    near = {f"{stem}{suffix}" for suffix in (".yaml", ".yml", ".yaml.txt", ".yml.txt", ".json")}
    for path in sorted(file.parent.iterdir()):
        if path.name.lower() in near:
            raise InputError(f"{path}: what is declared of tables is read from {file.name}; rename")
    return None


def _find_file(path: Path, beside: Path) -> Sources:
    declaration = _find_declaration(beside)
    if suffix_of(path):
        return Sources(transactions=[path], declaration=declaration, yaml=beside.name)
    return Sources(graph=path, declaration=declaration, yaml=beside.name)


def _find_graph(folder: Path, name: str) -> Path:
    path = folder / name
    if Path(name).name != name or not path.is_file() or suffix_of(path):
        raise InputError(f"{folder / DECLARATION}: graph: {name} must be a graph file beside it")
    return path


def _explain_missing(path: Path, nodes: list[Path], edges: list[Path]) -> str:
    missing = "edges.csv" if nodes and not edges else "nodes.csv"
    found = [p.name for p in sorted(path.iterdir()) if not p.name.startswith(".")]
    hint = f" Found: {', '.join(found[:8])}." if found else ""
    unread = [name for name in found if name.lower().endswith(UNREAD)]
    if unread:
        hint += f" {unread[0]} is of a kind that is not read: save it as CSV, Parquet or .xlsx."
    known = {p.name for p in (*nodes, *edges)}
    tables = [path / name for name in found if suffix_of(path / name) and name not in known]
    lacks = [role for role, paths in (("nodes", nodes), ("edges", edges)) if not paths]
    told = describe_tables(tables, lacks)
    return (
        f"{path}: no {missing} (or .parquet, .xlsx, .csv.gz …) in it, nor transactions.csv.{hint} "
        f"{told}{' ' if told else ''}docs/guides/own-graphs.md says what a folder holds"
    )


def _find(folder: Path, declared: Declaration, key: str, *stems: str) -> list[Path]:
    named = declared.columns_of(key)
    if named:
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise InputError(f"{folder / DECLARATION}: {key}: {twice[0]} is there twice")
        return [_find_declared(folder, key, name) for name in named]
    for stem in stems:
        found = [
            path
            for path in sorted(folder.iterdir())
            if path.name[: -len(suffix_of(path)) or None].lower() == stem and suffix_of(path)
        ]
        if len(found) > 1:
            listed = " and ".join(path.name for path in found[:2])
            raise InputError(
                f"{folder}: holds both {listed}; say which in graph.yaml, such as "
                f"'{key}: {found[0].name}'"
            )
        if found:
            return found
    return []


def _find_declared(folder: Path, key: str, name: str) -> Path:
    path = folder / name
    is_inside = Path(name).name == name
    if not is_inside or not path.exists() or not suffix_of(path):
        unread = name.lower().endswith(UNREAD)
        known = ", ".join(SUFFIXES)
        why = (
            f"is of a kind that is not read; these are {known}"
            if unread
            else (f"must be a table beside it ({known})")
        )
        raise InputError(f"{folder / DECLARATION}: {key}: {name} {why}")
    return path
