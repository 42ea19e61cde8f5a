"""Graphs of the user's own, from files or from Python objects; see docs/guides/own-graphs.md.

Names are imported when they are first asked for, so that tables can be checked without torch.
"""

from typing import TYPE_CHECKING

from aiec_graph.lazy import import_on_demand

if TYPE_CHECKING:
    from aiec_graph.data.user.declaration import Declaration
    from aiec_graph.data.user.folder import load_own, own_sources, profile_own
    from aiec_graph.data.user.frames import from_frames, from_transactions
    from aiec_graph.data.user.networks import from_dgl, from_networkx, from_pyg, from_scipy

__all__ = [
    "Declaration",
    "from_dgl",
    "from_frames",
    "from_networkx",
    "from_pyg",
    "from_scipy",
    "from_transactions",
    "load_own",
    "own_sources",
    "profile_own",
]

_MODULES = {
    "Declaration": "declaration",
    "from_dgl": "networks",
    "from_frames": "frames",
    "from_networkx": "networks",
    "from_pyg": "networks",
    "from_scipy": "networks",
    "from_transactions": "frames",
    "load_own": "folder",
    "own_sources": "folder",
    "profile_own": "folder",
}

__getattr__ = import_on_demand(__name__, _MODULES)
