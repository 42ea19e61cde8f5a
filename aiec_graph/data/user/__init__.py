"""Graphs of the user's own, from files or from Python objects; see docs/own-graphs.md."""

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.folder import load_own, own_sources
from aiec_graph.data.user.frames import from_frames
from aiec_graph.data.user.networks import from_networkx, from_pyg, from_scipy
from aiec_graph.data.user.transactions import from_transactions

__all__ = [
    "Declaration",
    "from_frames",
    "from_networkx",
    "from_pyg",
    "from_scipy",
    "from_transactions",
    "load_own",
    "own_sources",
]
