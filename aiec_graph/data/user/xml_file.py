"""GraphML and GEXF files, checked for what NetworkX lets pass and then read by it."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.network_tables import tables_of_network
from aiec_graph.data.user.tables import Table
from aiec_graph.errors import InputError

XML_SUFFIXES = (".graphml", ".gexf")
MOST_DEPTH = 100
OWN_KEYS = ("viz", "start", "end")
"""What GEXF tells of a node beside its attributes."""


def read_xml(path: Path, declared: Declaration = Declaration()) -> tuple[Table, Table]:  # noqa: B008
    """Reads the nodes and the edges of a GraphML or GEXF file.

    The label that GEXF gives to every node is left out where it is the node's own id throughout.

    Raises:
        InputError: the file is damaged, declares entities, repeats a node, joins one that it does
            not declare, or holds no usable graph; names the line where it can.
    """
    import networkx as nx

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    kind = path.suffix.lower()[1:]
    try:
        scan = _Scan(path)
        scan.run(content)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No key type")  # text that is a number becomes one
            warnings.filterwarnings("ignore", "GraphML port")  # which say where an edge is drawn
            graph = (nx.read_graphml if kind == "graphml" else nx.read_gexf)(path)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (a damaged file can raise anything)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: not a readable {kind} file ({reason})") from None
    _fill_defaults(graph)
    rows = dict(graph.nodes(data=True))
    unwanted = {*OWN_KEYS}
    if kind == "gexf" and all(data.get("label") == node for node, data in rows.items()):
        unwanted.add("label")
    for data in rows.values():
        for key in unwanted & set(data):
            del data[key]
    nodes, edges = tables_of_network(graph, declared, (f"{path}, nodes", f"{path}, edges"))
    lines = scan.lines
    ids = nodes.frame.iloc[:, 0].tolist()
    return replace(nodes, locate=lambda row: lines[ids[row]]), edges


def _fill_defaults(graph: Any) -> None:
    """Gives nodes and edges the values that the file declares for those that state none."""
    defaults = graph.graph.get("node_default", {})
    for _, data in graph.nodes(data=True) if defaults else ():
        data.update({**defaults, **data})
    defaults = graph.graph.get("edge_default", {})
    for *_, data in graph.edges(data=True) if defaults else ():
        data.update({**defaults, **data})


CHILDREN = {
    "graphml": {
        "graphml": "desc key data graph",
        "graph": "desc data locator node edge hyperedge",
        "node": "desc data locator port graph",
        "edge": "desc data graph",
        "key": "desc default",
    },
    "gexf": {
        "gexf": "meta graph",
        "graph": "attributes nodes edges meta",
        "attributes": "attribute",
        "attribute": "default options",
        "nodes": "node",
        "edges": "edge",
        "node": "attvalues slices spells parents nodes edges",
        "edge": "attvalues slices spells",
        "attvalues": "attvalue",
    },
}
"""What may stand in the elements that make a graph, besides elements of other name spaces."""
NEEDED = {"node": ("id",), "edge": ("source", "target")}


class _Scan:
    """One pass over the elements: no entities, each node once, edges between nodes alone.

    Text or elements that stand where none can are refused, for a reader would pass over them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.CharacterDataHandler = self._text
        self._children = CHILDREN[path.suffix.lower()[1:]]
        self._open: list[str] = []
        self._seen: set[tuple[str, ...]] = set()
        self._given: set[str] = set()
        self._of = ""  # what the attributes of GEXF that are being read describe
        self.lines: dict[str, int] = {}
        self._ends: dict[str, int] = {}

    def run(self, content: bytes) -> None:
        self._parser.Parse(content, True)
        for end, line in self._ends.items():
            if end not in self.lines:
                raise InputError(f"{self._path}, line {line}: no node has the id {end!r}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        if len(self._open) >= MOST_DEPTH:
            self._fail("nested too deeply")
        prefix, _, kind = tag.rpartition(":")
        outer = self._open[-1] if self._open else ""
        if not prefix and outer in self._children and kind not in self._children[outer].split():
            self._fail(
                f"no element {kind} can stand in {outer}; these can: {self._children[outer]}"
            )
        self._open.append(kind)
        for name in NEEDED.get(kind, ()):
            if name not in attributes:
                self._fail(f"an element {kind} without {name}")
        if kind == "graph":
            self._once("graph", what="a second graph, or one within a node; a file must hold one")
        elif kind == "attributes":
            self._of = attributes.get("class", "")
        elif kind in ("key", "attribute"):
            self._name(attributes)
        elif kind in ("data", "attvalue") and outer in ("node", "edge", "attvalues"):
            key = attributes.get("key") or attributes.get("for") or attributes.get("id", "")
            if key in self._given:
                self._fail(f"a second value of {key!r} for one node or edge, of which one is lost")
            self._given.add(key)
        if kind in ("node", "edge"):
            self._given = set()
        if kind == "node":
            node = attributes["id"]
            if node in self.lines:
                self._fail(f"the node {node!r} is repeated (first in line {self.lines[node]})")
            self.lines[node] = line
        elif kind == "edge":
            for end in ("source", "target"):
                self._ends.setdefault(attributes[end], line)

    def _name(self, attributes: dict[str, str]) -> None:
        """Looks at the declaration of an attribute, which in GraphML is a key."""
        name = attributes.get("attr.name", attributes.get("title", ""))
        if attributes.get("title") == "label":
            self._fail(
                "an attribute called label, whose values GEXF's own label of a node hides; give it "
                "another name"
            )
        if name:
            of = attributes.get("for", self._of)
            self._once(of, name, what=f"a second attribute {name!r} of {of}, of which one is lost")

    def _once(self, *key: str, what: str) -> None:
        if key in self._seen:
            self._fail(what)
        self._seen.add(key)

    def _fail(self, message: str) -> NoReturn:
        raise InputError(f"{self._path}, line {self._parser.CurrentLineNumber}: {message}")

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open and self._open[-1] in self._children and text.strip():
            where = f"stands in {self._open[-1]}, where there is no text; is the file damaged?"
            self._fail(f"{text.strip()[:40]!r} {where}")

    def _refuse(self, *_: Any) -> None:
        raise InputError(f"{self._path}: declares entities, which a graph has no use for; refused")
