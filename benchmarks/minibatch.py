"""Mini-batches on a CPU: peak memory beside its forecast, and seed nodes a second beside DGL's.

    python benchmarks/minibatch.py memory --out results/minibatch
    python benchmarks/minibatch.py speed --out results/minibatch
    python benchmarks/minibatch.py make --nodes 5781065 --edges 146211016 --data /tmp/large
    python benchmarks/minibatch.py epoch --data /tmp/large

`memory` trains on random graphs of several sizes, each in a process of its own, and writes
`memory.csv`: measured peak, forecast and their ratio. `--fit` also prints the coefficients of
`aiec_graph/train/memory.py` that fit the measurements best. `speed` times the batches of an epoch
(sampling, reading features, forward, backward, Adam) with this project, with DGL's DataLoader,
NeighborSampler and SAGEConv, and with PyG's NeighborLoader and SAGEConv where pyg-lib or
torch-sparse is installed, in turn, and writes `speed.csv`. `make` writes a random
graph as arrays, and `epoch` maps them, makes one epoch of GraphSAGE and scores all nodes exactly.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch_geometric.typing
from scipy.optimize import nnls

from aiec_graph.bench import memory as process_memory
from aiec_graph.data import Edges, Graph, make_split
from aiec_graph.nn.layerwise import layerwise_logits
from aiec_graph.train import TrainSettings, build_mini_batch, prepare_graph, train
from aiec_graph.train import memory as forecast

SIZES = [
    # nodes, edges, features, hidden channels
    (100_000, 4_000_000, 10, 32),
    (400_000, 1_000_000, 10, 32),
    (200_000, 1_000_000, 60, 64),
]
MODELS = ("gcn", "sage")
WAYS = {"full": "full", "batches": "1024"}
BATCH = 1024
TOLERANCE = 0.15
"""How far a forecast may be from the measured peak."""


def main() -> None:
    warnings.filterwarnings("ignore")  # the peers' own
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("memory", "speed", "make", "epoch", "one"))
    parser.add_argument("--out", type=Path, default=Path("results/minibatch"))
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--model", nargs="+", default=list(MODELS))
    parser.add_argument("--way", nargs="+", default=list(WAYS))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--nodes", type=int, default=300_000)
    parser.add_argument("--edges", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, help="of the epoch of `epoch`; all by default")
    parser.add_argument("--only", nargs=6, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "one":
        model, way, *sizes = arguments.only
        print(json.dumps(peak_of(model, way, *map(int, sizes))))
    elif arguments.what == "memory":
        ways = [(model, way) for model in arguments.model for way in arguments.way]
        measure_memory(arguments.out, ways, arguments.fit)
    elif arguments.what == "make":
        make_large(arguments.data, arguments.nodes, arguments.edges)
    elif arguments.what == "epoch":
        print(json.dumps(epoch_of_large(arguments.data, arguments.batches)))
    else:
        measure_speed(arguments.out, arguments.nodes, arguments.edges, arguments.rounds)


def random_graph(nodes: int, edges: int, features: int) -> Graph:
    """A graph with a heavy-tailed degree, as transactions have."""
    rng = np.random.default_rng(0)
    source = (nodes * rng.random(edges) ** 1.8).astype(np.int32)
    target = rng.integers(0, nodes, edges, dtype=np.int32)
    x = torch.from_numpy(rng.standard_normal((nodes, features), dtype=np.float32))
    y = (rng.random(nodes) < 0.03).astype(np.int64)
    pairs = Edges.from_pairs(source, target, nodes)
    return Graph("random", x, pairs, y, np.arange(nodes))


def peak_of(
    model: str, way: str, nodes: int, edges: int, features: int, hidden: int
) -> dict[str, float]:
    """Trains an epoch and scores all nodes; the peak of this process, and the forecast."""
    graph = random_graph(nodes, edges, features)
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    settings = TrainSettings(hidden=hidden, epochs=1, device="cpu", batch_size=WAYS[way])
    # What making the random graph took is not training's.
    process_memory.reset_peak()
    started = time.perf_counter()
    train(prepare_graph(graph), split, model, "aiec", settings, 0)
    sizes = forecast.Sizes(nodes, graph.edges.num_edges, features)
    if way == "full":
        expected = forecast.full_batch_bytes(settings, model, sizes)
    else:
        expected = forecast.mini_batch_bytes(settings, sizes)
    found = {"model": model, "way": way, **sizes._asdict(), "hidden": hidden}
    peak = {"peak_mb": process_memory.peak_mb(), "forecast_mb": expected / 1e6}
    return found | peak | {"seconds": time.perf_counter() - started}


def measure_memory(out: Path, ways: list[tuple[str, str]], fit: bool) -> None:
    """Each model, way and size in a process of its own; ends with 1 where a forecast is far off."""
    ratios = []
    for model, way in ways:
        rows = []
        for sizes in SIZES:
            parts = [model, way, *map(str, sizes)]
            command = [sys.executable, __file__, "one", "--only", *parts]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            rows.append({**row, "ratio": row["forecast_mb"] / row["peak_mb"]})
            pd.DataFrame(rows).to_csv(out / f"memory-{model}-{way}.csv", index=False)
            print(rows[-1], flush=True)
        ratios += [row["ratio"] for row in rows]
        if fit:
            print(model, way, fitted(pd.DataFrame(rows), 2 if way == "full" else 1))
    if not all(abs(ratio - 1) <= TOLERANCE for ratio in ratios):
        sys.exit(f"a forecast is more than {TOLERANCE:.0%} off")


def fitted(rows: pd.DataFrame, layers: int) -> dict[str, float]:
    """The coefficients that fit measured peaks best, none of them negative."""
    nodes = rows["nodes"].to_numpy(float)
    terms = {
        "process": np.ones(len(rows)),
        "node": nodes,
        "input": nodes * rows["features"],
        "hidden": nodes * rows["hidden"] * layers,
        "edge": rows["edges"].to_numpy(float),
    }
    peak = 1e6 * rows["peak_mb"].to_numpy()
    matrix = np.stack(list(terms.values()), 1) / peak[:, None]  # relative errors
    found, _ = nnls(matrix, np.ones(len(peak)))
    return dict(zip(terms, found.round(1).tolist(), strict=True))


def make_large(folder: Path, nodes: int, edges: int) -> None:
    """Writes the arrays of a random graph, as the cache of a data set holds them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    # Sorted as one number an edge, which takes the least memory and time.
    keys = rng.integers(0, nodes, edges) * nodes
    for start in range(0, edges, 2**24):
        part = keys[start : start + 2**24]
        part += (
            (nodes * rng.random(len(part), np.float32) ** 2).astype(np.int64).clip(max=nodes - 1)
        )
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) != 0]
    indptr = np.searchsorted(keys, np.arange(nodes + 1) * nodes)
    keys %= nodes
    x = rng.standard_normal((nodes, 10), dtype=np.float32)
    y = (rng.random(nodes) < 0.03).astype(np.int64)
    arrays = {"indptr": indptr, "indices": keys.astype(np.int32), "x": x, "y": y}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def epoch_of_large(folder: Path, batches: int | None) -> dict[str, float]:
    """An epoch of GraphSAGE and exact scores, with the edges and features in mapped files."""
    found = {path.stem: np.load(path, mmap_mode="c") for path in folder.glob("*.npy")}
    edges = Edges(found["indptr"], found["indices"])
    y = np.asarray(found["y"])
    parts = ("large", torch.from_numpy(found["x"]), edges, y, np.arange(len(y)))
    graph = Graph(*parts, trusted=True)
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    if batches is not None:
        np.put(split.train_mask, np.flatnonzero(split.train_mask)[batches * BATCH :], False)
    settings = TrainSettings(device="cpu", aggr="mean", batch_size=str(BATCH))
    prepared = prepare_graph(graph)
    run, preprocessor = build_mini_batch(prepared, split, "sage", "aiec", settings, 0)
    started, first = time.perf_counter(), time.process_time()
    run.train_epoch(1)
    trained, training_mb = time.perf_counter(), process_memory.peak_mb()
    second = time.process_time()
    logits = layerwise_logits(
        run.network, prepared.rows, partial(preprocessor.network_inputs, graph)
    )
    scored, seeds = time.perf_counter(), int(split.train_mask.sum())
    sizes = forecast.Sizes(edges.num_nodes, edges.num_edges, 10)
    return {
        **sizes._asdict(),
        "seeds": seeds,
        "epoch_s": trained - started,
        "seeds_per_s": seeds / (trained - started),
        "scoring_s": scored - trained,
        "epoch_processor_s": second - first,
        "scoring_processor_s": time.process_time() - second,
        "finite": bool(logits.isfinite().all()),
        "training_peak_mb": training_mb,
        "peak_mb": process_memory.peak_mb(),
        "forecast_mb": forecast.mini_batch_bytes(settings, sizes) / 1e6,
    }


def measure_speed(out: Path, nodes: int, edges: int, rounds: int) -> None:
    """Seed nodes a second of each, in turn, the same graph, seeds, widths and threads."""
    graph = random_graph(nodes, edges, 10)
    split = make_split(graph, "supervised", 0, (0.4, 0.2))
    seeds = np.flatnonzero(split.train_mask)
    actions = {"aiec_graph": our_epoch(graph, split, seeds), "dgl": dgl_epoch(graph, seeds)}
    if torch_geometric.typing.WITH_PYG_LIB or torch_geometric.typing.WITH_TORCH_SPARSE:
        actions["pyg"] = pyg_epoch(graph, seeds)
    rows = []
    for turn in range(rounds + 1):
        for name, action in actions.items():
            wall, processor = time.perf_counter(), time.process_time()
            action()
            found = {"wall_s": time.perf_counter() - wall}
            found["processor_s"] = time.process_time() - processor
            if turn:  # the first one compiles and warms
                rates = {f"seeds_per_{k}": len(seeds) / v for k, v in found.items()}
                rows.append({"who": name, "round": turn, "seeds": len(seeds), **found, **rates})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(out / "speed.csv", index=False)
    means = table.groupby("who")[["seeds_per_wall_s", "seeds_per_processor_s"]].median()
    print(means, means.loc["aiec_graph"] / means.drop(index="aiec_graph"), sep="\n")


def our_epoch(graph: Graph, split, seeds: np.ndarray):
    """An epoch of ours without validation."""
    settings = TrainSettings(device="cpu", aggr="mean", batch_size=str(BATCH))
    mask = np.zeros_like(split.train_mask)
    mask[seeds] = True
    split = type(split)(mask, split.val_mask, split.test_mask)
    run, _ = build_mini_batch(prepare_graph(graph), split, "sage", "relu", settings, 0)
    epochs = iter(range(1, 1000))
    return lambda: run.train_epoch(next(epochs))


def pairs_with_loops(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets of the edges, with a self-loop at each node."""
    edges, loops = graph.edges, np.arange(graph.edges.num_nodes)
    return np.concatenate([edges.indices, loops]), np.concatenate([edges.targets, loops])


def class_weight(graph: Graph) -> torch.Tensor:
    """Of the loss, as ours has it."""
    return torch.tensor([1.0, float((graph.y == 0).sum() / (graph.y == 1).sum())])


def pyg_epoch(graph: Graph, seeds: np.ndarray):
    """The same with PyG's loader and layers, as its documentation has it."""
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader
    from torch_geometric.nn import SAGEConv

    pairs = torch.from_numpy(np.stack(pairs_with_loops(graph)).astype(np.int64)).unique(dim=1)
    data = Data(x=graph.x, y=torch.from_numpy(graph.y), edge_index=pairs)
    chosen = torch.from_numpy(seeds)
    loader = NeighborLoader(data, [10, 10], input_nodes=chosen, batch_size=BATCH, shuffle=True)
    first, second = SAGEConv(graph.x.shape[1], 32), SAGEConv(32, 32)
    head = torch.nn.Linear(32, 2)
    network = torch.nn.ModuleList([first, second, head])
    optimizer = torch.optim.Adam(network.parameters(), 0.01, fused=True)
    weight = class_weight(graph)

    def epoch() -> None:
        for batch in loader:
            h = first(batch.x, batch.edge_index).relu()
            h = second(h, batch.edge_index).relu()[: batch.batch_size]
            target = batch.y[: batch.batch_size]
            loss = torch.nn.functional.cross_entropy(head(h), target, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def dgl_epoch(graph: Graph, seeds: np.ndarray):
    """The same with DGL's loader and layers, as its documentation has it."""
    dgl: Any = import_module("dgl")
    nn: Any = import_module("dgl.nn")
    g = dgl.graph(pairs_with_loops(graph), num_nodes=graph.edges.num_nodes)
    g = dgl.to_simple(g)
    g.ndata["x"], g.ndata["y"] = graph.x, torch.from_numpy(graph.y)
    g.create_formats_()
    sampler = dgl.dataloading.NeighborSampler(
        [10, 10], prefetch_node_feats=["x"], prefetch_labels=["y"]
    )
    loader = dgl.dataloading.DataLoader(
        g, torch.from_numpy(seeds), sampler, batch_size=BATCH, shuffle=True, num_workers=0
    )
    first = nn.SAGEConv(graph.x.shape[1], 32, "mean")
    second, head = nn.SAGEConv(32, 32, "mean"), torch.nn.Linear(32, 2)
    network = torch.nn.ModuleList([first, second, head])
    optimizer = torch.optim.Adam(network.parameters(), 0.01, fused=True)
    weight = class_weight(graph)

    def epoch() -> None:
        for _, _, blocks in loader:
            h = first(blocks[0], blocks[0].srcdata["x"]).relu()
            h = second(blocks[1], h).relu()
            loss = torch.nn.functional.cross_entropy(head(h), blocks[-1].dstdata["y"], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


if __name__ == "__main__":
    main()
