"""Training speed and memory on a CPU: this project beside stock PyG and DGL layers, in one run.

On each graph every contestant has the same nodes, edges, features, labels, widths and threads.
Three things are timed: the forward pass in training mode, a training step (forward, class-weighted
loss, backward, one Adam step), and an epoch (a step and the validation AP). Contestants take turns,
so that a change of the machine's speed meets them all alike.
What AIEC adds to a step is measured in several pairs of networks, of which only the two take turns.
Peak memory is measured in a process for each contestant.

    python benchmarks/speed.py --data-root ../shared/data

writes `speed.csv`, `aiec.csv`, `growth.csv`, `memory.csv` and plots into --out, and puts the tables
into docs/research/performance.md between its markers.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import graphs
import pandas as pd
import peers
import report
import torch
from graphs import Case
from timing import interleaved, spread

from aiec_graph.bench import memory

SLOW = (peers.EDGE_INDEX, peers.CLASS)
"""What holds a message for each edge, and at T-Finance's scale more memory than there is."""

PAIRS = 7
"""Networks with ReLU and with AIEC whose steps are compared."""


def main() -> None:
    warnings.filterwarnings("ignore")  # the peers' own
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("results/performance"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--budget", type=float, default=40.0, help="seconds for each table")
    parser.add_argument("--scale", type=float, default=0.1, help="of simulated T-Finance")
    parser.add_argument("--no-page", action="store_true", help="do not renew the page")
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = {
        "reddit": lambda: graphs.reddit(arguments.data_root),
        "random-1m": lambda: graphs.random_graph(20_000, 1_000_000),
        "tfinance": lambda: graphs.tfinance(arguments.scale),
    }
    if arguments.only:
        case, model, name = arguments.only
        print(json.dumps(peak_of(cases[case](), model, name)))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    speed, pairs, peaks = [], [], []
    for key, make in cases.items():
        case = make()
        for model in peers.MODELS:
            speed += measure(case, model, arguments.rounds, arguments.budget, key == "tfinance")
            pd.DataFrame(speed).to_csv(arguments.out / "speed.csv", index=False)
            pairs += measure_aiec(case, model)
            pd.DataFrame(pairs).to_csv(arguments.out / "aiec.csv", index=False)
        for model in peers.MODELS:
            for name in peers.contestants(model, case):
                if key == "reddit" or (key == "tfinance" and name not in SLOW):
                    peaks.append(in_own_process(key, case.name, model, name))
                    pd.DataFrame(peaks).to_csv(arguments.out / "memory.csv", index=False)
    growth = measure_growth(arguments.rounds, arguments.budget)
    pd.DataFrame(growth).to_csv(arguments.out / "growth.csv", index=False)
    docs = None if arguments.no_page else Path("docs/research")
    report.write(arguments.out, docs, arguments.threads)


def measure(case: Case, model: str, rounds: int, budget: float, large: bool) -> list[dict]:
    """Forward, step and epoch of every contestant, in turn."""
    actions: dict[str, Callable[[], object]] = {}
    for name, make in peers.contestants(model, case).items():
        if large and name in SLOW:
            continue
        # Each in a loop of its own: the project's steps begin with the forward pass of the one
        # before.
        for stage in ("forward", "step", "epoch"):
            torch.manual_seed(0)
            actions[f"{name}|{stage}"] = getattr(make(), stage)
    title = f"{case.name}, {model}"
    timings = interleaved(actions, rounds, budget=budget, title=title)
    rows = []
    for key, values in timings.items():
        name, stage = key.split("|")
        parts = {"graph": case.name, "model": model, "network": name, "stage": stage}
        rows.append({**parts, **spread(values)})
    return rows


def measure_aiec(case: Case, model: str) -> list[dict]:
    """AIEC's training step as a multiple of ReLU's, in several pairs of networks.

    Two networks that compute the same differ by some percent a step, for as long as they live, by
    where their memory lies.
    """
    rows = []
    for pair in range(PAIRS):
        actions: dict[str, Callable[[], object]] = {
            act: peers.OwnLoop(model, act, case).step for act in ("relu", "aiec")
        }
        timings = interleaved(actions, rounds=10, title=f"AIEC, {case.name}, {model}")
        relu, aiec = (1e3 * statistics.median(timings[act]) for act in ("relu", "aiec"))
        parts = {"graph": case.name, "model": model, "pair": pair}
        rows.append({**parts, "relu_ms": relu, "aiec_ms": aiec, "ratio": aiec / relu})
    return rows


def measure_growth(rounds: int, budget: float) -> list[dict]:
    """The project's epoch as edges, nodes and channels double, on random graphs, in turn."""
    rows = []
    sizes = {
        "entries": [(20_000, n, 32) for n in (250_000, 500_000, 1_000_000, 2_000_000)],
        "nodes": [(n, 500_000, 32) for n in (10_000, 20_000, 40_000, 80_000)],
        "channels": [(20_000, 500_000, n) for n in (16, 32, 64, 128)],
    }
    for what, points in sizes.items():
        for model in ("gcn", "sage-pool"):
            actions: dict[str, Callable[[], object]] = {
                str(point): peers.OwnLoop(
                    model, "relu", graphs.random_graph(*point[:2]), point[2]
                ).epoch
                for point in points
            }
            timings = interleaved(actions, rounds, budget=budget, title=f"growth: {what}, {model}")
            for point, values in zip(points, timings.values(), strict=True):
                named = dict(zip(("nodes", "entries", "channels"), point, strict=True))
                rows.append({"varied": what, "model": model, **named, **spread(values)})
    return rows


def in_own_process(key: str, graph: str, model: str, name: str) -> dict:
    """What `peak_of` finds in a fresh process."""
    command = [sys.executable, *sys.argv, "--only", key, model, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {"peak_mb": float("nan")}
    if done.returncode == 0:
        found = json.loads(done.stdout.splitlines()[-1])
    return {"graph": graph, "model": model, "network": name, **found}


def peak_of(case: Case, model: str, name: str) -> dict[str, float]:
    """Memory that a contestant's structures and three epochs add at their peak, in MB.

    `formula_mb`: the features, the adjacency in both directions (an index and a weight of 32 bits
    an entry), what the backward pass needs with its gradients, and Adam's state, if each were held
    once.
    """
    # What the libraries load at first use is not the graph's doing: a small one goes first.
    small = peers.contestants(model, graphs.random_graph(300, 3_000, 8))[name]()
    for _ in range(3):
        small.epoch()
    del small
    case.graph.edges.to_scipy()
    csr = case.prepared.adjacency.csr
    x = case.graph.x
    x.sum()  # may lie in a mapped file, which is counted below and would be again when it is read
    # What was freed and not given back would be used again without being counted.
    gc.collect()
    memory.reset_peak()
    before = memory.resident_mb()
    loop = peers.contestants(model, case)[name]()
    for _ in range(3):
        loop.epoch()
    added = memory.peak_mb() - before
    network = loop.run.network if isinstance(loop, peers.OwnLoop) else loop.network
    parameters = sum(p.numel() for p in network.parameters())
    # Each layer's aggregate, which its weights are multiplied by, and its output, with a gradient
    # but for the aggregate of the features; pooling has that one too, and the winners of each.
    inputs, hidden = x.shape[1], peers.HIDDEN
    width = inputs + 2 * 3 * hidden
    if model == "sage-pool":
        width += 2 * inputs + hidden
    floats = x.numel() + len(x) * width + 4 * parameters
    formula = (4 * floats + 2 * 8 * csr.nnz) / 1e6
    held = (x.numel() * 4 + csr.nnz * 8) / 1e6  # before the clock: the graph itself
    return {"peak_mb": added + held, "formula_mb": formula}


if __name__ == "__main__":
    main()
