"""Reads and writes DGL's binary files, as a script of its own in a process of its own.

DGL parses a file in C++ without checking it: a damaged one can end the process. Apart, it ends
only this one. Nothing of this project is imported here, so the script starts fast.

    dgl_worker.py read FILE FOLDER     writes each array of the first graph to FOLDER as .npy
    dgl_worker.py write FOLDER FILE    the way back

The arrays are `source` and `target` [E] and one for each entry of ndata.
"""

import os
import sys
from pathlib import Path

import numpy as np


def read(file: str, folder: Path) -> None:
    import dgl
    import torch

    graphs, _ = dgl.load_graphs(file)
    if len(graphs) == 0:
        raise ValueError("it holds no graph")
    graph = graphs[0]
    if len(graph.ntypes) != 1:
        raise ValueError(f"its graph has {len(graph.ntypes)} types of nodes, expected one")
    pairs = [graph.edges(etype=etype) for etype in graph.canonical_etypes]
    small = graph.num_nodes() < 2**31
    for i, name in enumerate(("source", "target")):
        end = torch.cat([pair[i] for pair in pairs]) if len(pairs) != 1 else pairs[0][i]
        np.save(folder / f"{name}.npy", end.to(torch.int32 if small else torch.int64).numpy())
    del pairs
    for name, value in graph.ndata.items():
        if name.isidentifier() and value.layout == torch.strided:
            np.save(folder / f"ndata_{name}.npy", value.numpy(), allow_pickle=False)


def write(folder: Path, file: str) -> None:
    import dgl
    import torch

    ends = [torch.from_numpy(np.load(folder / f"{n}.npy")) for n in ("source", "target")]
    data = {p.stem[6:]: torch.from_numpy(np.load(p)) for p in sorted(folder.glob("ndata_*.npy"))}
    nodes = len(next(iter(data.values())))
    graph = dgl.graph((ends[0], ends[1]), num_nodes=nodes)
    graph.ndata.update(data)
    dgl.save_graphs(file, [graph])


def limit_memory(limit: int) -> None:
    """A forged length must not take the whole machine's memory."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        return


def main(action: str, source: str, target: str, limit: str) -> int:
    os.environ["DGLBACKEND"] = "pytorch"
    limit_memory(int(limit))
    try:
        if action == "read":
            read(source, Path(target))
        else:
            write(Path(source), target)
    except Exception as error:  # noqa: BLE001 (whatever DGL raises, the caller gets one line)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"{type(error).__name__}: {lines[0][:300]}")  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
