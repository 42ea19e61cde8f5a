"""What a graph file may leave open: what its labels mean, and which of its edges to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiec_graph.errors import InputError, did_you_mean

ALL_EDGES = "all"


@dataclass(frozen=True)
class FileOptions:
    """How to read a graph file.

    The words are those of graph.yaml; beside a file such as mine.pt that stands alone, they are
    written into mine.graph.yaml.
    """

    anomalous: tuple[str, ...] = ("1", "true")
    normal: tuple[str, ...] = ("0", "false")
    unknown: tuple[str, ...] = ("-1", "unknown")
    edge_types: tuple[str, ...] | None = None
    """The edge types to take, or `all`; they are merged. None where there should be one."""
    yaml: str = ""
    """File in which all this is declared; empty for an object in memory."""


MERGED = FileOptions(edge_types=(ALL_EDGES,))
"""The benchmark's: the relations of a graph are merged, as GADBench does."""


def choose_edge_types(found: Sequence[str], options: FileOptions) -> list[int]:
    """Returns the positions of the edge types to take.

    Raises:
        InputError: there are several and none was chosen, or a chosen one is not there.
    """
    names, wanted = ", ".join(found), options.edge_types
    if wanted is None:
        if len(found) > 1:
            ways = f"edge_types=[{found[0]!r}], or edge_types=[{ALL_EDGES!r}]"
            if options.yaml:
                ways = f"edge_types: [{found[0]}], or edge_types: {ALL_EDGES}, in {options.yaml}"
            raise InputError(
                f"its graph has {len(found)} edge types: {names}. Say which to take, {ways} to "
                "merge all of them"
            )
        return list(range(len(found)))
    if tuple(wanted) == (ALL_EDGES,):
        return list(range(len(found)))
    for name in wanted:
        if name not in found:
            raise InputError(
                f"no edge type {name!r}.{did_you_mean(name, found)} Its edge types: {names}"
            )
    return [i for i, name in enumerate(found) if name in wanted]
