"""Training speed and memory on a CPU: this project beside stock PyG and DGL layers, in one run.

On each graph every contestant has the same nodes, edges, features, labels, widths and threads.
Two things are timed: a training step (forward, class-weighted loss, backward, one Adam step), and
an epoch (a step and the validation AP). Contestants take turns, so that a change of the machine's
speed meets them all alike. What AIEC adds to a step is measured in several pairs of networks, of
which only the two take turns. Peak memory is measured in a process for each contestant.

    python benchmarks/speed.py --data-root ../shared/data

writes `speed.csv`, `aiec.csv` and `memory.csv` into --out, and puts the tables into
docs/research/performance.md between its markers.
"""

import argparse
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import graphs
import pandas as pd
import peers
import report
import torch
from graphs import Case
from timing import Timings, interleaved, spread

from aiec_graph.bench import memory

SLOW = (peers.EDGE_INDEX, peers.CLASS)
"""What holds a message for each edge, and at T-Finance's scale more memory than there is."""

Timed = Callable[..., Timings]
"""`interleaved` with its rounds, its budget and its clock."""

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
    parser.add_argument("--no-page", action="store_true", help="leave the page alone")
    parser.add_argument("--graphs", nargs="+", default=["reddit", "random-1m", "tfinance"])
    parser.add_argument(
        "--processor-time", action="store_true", help="where others use the machine; one thread"
    )
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    torch.set_num_threads(1 if arguments.processor_time else arguments.threads)
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
    for key in arguments.graphs:
        case = cases[key]()
        timed = functools.partial(
            interleaved, rounds=arguments.rounds, budget=arguments.budget, clock=clock
        )
        for model in peers.MODELS:
            speed += measure(case, model, timed, key == "tfinance")
            pd.DataFrame(speed).to_csv(arguments.out / "speed.csv", index=False)
            pairs += measure_aiec(case, model, timed)
            pd.DataFrame(pairs).to_csv(arguments.out / "aiec.csv", index=False)
        for model in peers.MODELS if key != "random-1m" else ():
            for name in (peers.OWN, peers.AIEC, peers.DGL, peers.CSR):
                peaks.append(in_own_process(key, case.name, model, name))
                pd.DataFrame(peaks).to_csv(arguments.out / "memory.csv", index=False)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    kind = "processor time of" if arguments.processor_time else "wall time on"
    machine = (
        f"Milliseconds, {kind} {torch.get_num_threads()} of {os.cpu_count()} cores; load average "
        f"{load} at the end."
    )
    page = None if arguments.no_page else Path("docs/research/performance.md")
    report.write(arguments.out, page, machine)


def measure(case: Case, model: str, timed: Timed, large: bool) -> list[dict]:
    """A step and an epoch of every contestant, in turn."""
    actions: dict[str, Callable[[], object]] = {}
    for name, make in peers.contestants(model, case).items():
        if large and name in SLOW:
            continue
        # Each in a loop of its own: the project's steps begin with the forward pass of the one
        # before.
        for stage in ("step", "epoch"):
            torch.manual_seed(0)
            actions[f"{name}|{stage}"] = getattr(make(), stage)
    timings = timed(actions, title=f"{case.name}, {model}")
    rows = []
    for key, values in timings.items():
        name, stage = key.split("|")
        parts = {"graph": case.name, "model": model, "network": name, "stage": stage}
        rows.append({**parts, **spread(values)})
    return rows


def measure_aiec(case: Case, model: str, timed: Timed) -> list[dict]:
    """AIEC's training step as a multiple of ReLU's, in several pairs of networks.

    Two networks that compute the same differ by some percent a step, for as long as they live, by
    where their memory lies.
    """
    rows = []
    for pair in range(PAIRS):
        actions: dict[str, Callable[[], object]] = {
            act: peers.OwnLoop(model, act, case).step for act in ("relu", "aiec")
        }
        timings = timed(actions, rounds=10, title=f"AIEC, {case.name}, {model}")
        relu, aiec = (1e3 * statistics.median(timings[act]) for act in ("relu", "aiec"))
        parts = {"graph": case.name, "model": model, "pair": pair}
        rows.append({**parts, "relu_ms": relu, "aiec_ms": aiec, "ratio": aiec / relu})
    return rows


def in_own_process(key: str, graph: str, model: str, name: str) -> dict:
    """What `peak_of` finds in a fresh process."""
    command = [sys.executable, *sys.argv, "--only", key, model, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {"peak_mb": float("nan")}
    if done.returncode == 0:
        found = json.loads(done.stdout.splitlines()[-1])
    return {"graph": graph, "model": model, "contestant": name, **found}


def peak_of(case: Case, model: str, name: str) -> dict[str, float]:
    """Memory that a contestant's structures and three epochs add at their peak, in MB."""
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
    held = (x.numel() * 4 + csr.nnz * 8) / 1e6  # before the clock: the graph itself
    return {"peak_mb": memory.peak_mb() - before + held}


if __name__ == "__main__":
    main()
