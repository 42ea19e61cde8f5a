"""Training speed and memory: this project beside stock PyG and DGL layers, in one run.

On each graph every contestant has the same nodes, edges, features, labels, widths and threads.
Two things are timed: a training step (forward, class-weighted loss, backward, one Adam step), and
an epoch (a step and the validation AP). Contestants take turns, so that a change of the machine's
speed meets them all alike. What AIEC adds to a step is measured in several pairs of networks, of
which only the two take turns. Peak memory is measured in a process for each contestant.

On a GPU (`--device cuda`) the clock waits for all that was asked of it, before each call and after
it: what the host spends on launching is inside a call, and no call overlaps the next. Inputs,
labels and the graph are on the device before; the validation AP is computed on the host.

    python benchmarks/speed.py --data-root ../shared/data

writes `speed.csv`, `aiec.csv` and `memory.csv` into --out, and puts the tables into
docs/research/performance.md between its markers.
"""

import argparse
import dataclasses
import functools
import gc
import json
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import graphs
import pandas as pd
import peers
import psutil
import report
import torch
from graphs import Case
from timing import Timings, clock_of, interleaved, spread

from aiec_graph.bench import memory
from aiec_graph.train import prepare_graph

MESSAGES = (peers.EDGE_INDEX, peers.CLASS)
"""What holds a message for each edge."""
MESSAGE_COPIES = 10
"""How many arrays of messages a step of these holds at once, at most."""

NOT_MEASURED = {"peak_mb": float("nan")}

Timed = Callable[..., Timings]
"""`interleaved` with its rounds, its budget and its clock."""

PAIRS = 7
"""Networks with ReLU and with AIEC whose steps are compared."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("results/performance"))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
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
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: there is no such GPU, or this torch was built without CUDA")
    if arguments.device == "cuda" and arguments.processor_time:
        parser.error("--processor-time tells nothing of what a GPU computes")
    return arguments


def main() -> None:
    warnings.filterwarnings("ignore")  # the peers' own
    arguments = parse()
    device = arguments.device
    clock = clock_of(device, arguments.processor_time)
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
            speed += measure(case, model, device, timed)
            pd.DataFrame(speed).to_csv(arguments.out / "speed.csv", index=False)
            pairs += measure_aiec(case, model, device, timed)
            pd.DataFrame(pairs).to_csv(arguments.out / "aiec.csv", index=False)
        for model in peers.MODELS:
            there = {row["network"] for row in speed if row["model"] == model}
            for name in (peers.OWN, peers.AIEC, peers.DGL, peers.CSR):
                if name not in there:
                    continue
                if device == "cuda":
                    found = gpu_peak_of(case, model, name)
                else:
                    found = in_own_process(key, model, name)
                peaks.append({"graph": case.name, "model": model, "contestant": name, **found})
                pd.DataFrame(peaks).to_csv(arguments.out / "memory.csv", index=False)
    kind = "processor time of" if arguments.processor_time else "wall time on"
    machine = f"Milliseconds, {kind} {hardware(device)}."
    page = None if arguments.no_page else Path("docs/research/performance.md")
    report.write(arguments.out, page, machine)


def hardware(device: str) -> str:
    """What is measured on, in words."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    cores = f"{torch.get_num_threads()} of {os.cpu_count()} cores; load average {load} at the end"
    versions = f"torch {torch.__version__}"
    if device == "cuda":
        return f"one {torch.cuda.get_device_name()} ({versions}), host with {cores}"
    return f"{cores} ({versions})"


def measure(case: Case, model: str, device: str, timed: Timed) -> list[dict]:
    """A step and an epoch of every contestant, in turn; who cannot run is named and left out."""
    actions: dict[str, Callable[[], object]] = {}
    for name, make in peers.contestants(model, case, device).items():
        if name in MESSAGES and not messages_fit(case, device):
            print(f"{case.name}, {model}: {name} left out: its messages need too much memory")
            continue
        try:
            # Each in a loop of its own: the project's steps begin with the forward pass of the
            # one before.
            for stage in ("step", "epoch"):
                torch.manual_seed(0)
                action = getattr(make(), stage)
                action()
                actions[f"{name}|{stage}"] = action
        except Exception as error:  # of any kind: it is a peer's operator that is not there
            if name in (peers.OWN, peers.AIEC):
                raise
            print(f"{case.name}, {model}: {name} left out: {type(error).__name__}: {error}")
    timings = timed(actions, title=f"{case.name}, {model}")
    rows = []
    for key, values in timings.items():
        name, stage = key.split("|")
        parts = {"graph": case.name, "model": model, "network": name, "stage": stage}
        rows.append({**parts, **spread(values)})
    return rows


def messages_fit(case: Case, device: str) -> bool:
    """Whether the messages over the edges of a step take at most half of the free memory."""
    entries = case.prepared.adjacency.csr.nnz
    widest = max(peers.HIDDEN, case.graph.x.shape[1])
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available
    return MESSAGE_COPIES * 4 * widest * entries < free / 2


def measure_aiec(case: Case, model: str, device: str, timed: Timed) -> list[dict]:
    """AIEC's training step as a multiple of ReLU's, in several pairs of networks.

    Two networks that compute the same differ by some percent a step, for as long as they live, by
    where their memory lies.
    """
    rows = []
    for pair in range(PAIRS):
        actions: dict[str, Callable[[], object]] = {
            act: peers.OwnLoop(model, act, case, device).step for act in ("relu", "aiec")
        }
        timings = timed(actions, rounds=10, title=f"AIEC, {case.name}, {model}")
        relu, aiec = (1e3 * statistics.median(timings[act]) for act in ("relu", "aiec"))
        parts = {"graph": case.name, "model": model, "pair": pair}
        rows.append({**parts, "relu_ms": relu, "aiec_ms": aiec, "ratio": aiec / relu})
    return rows


def in_own_process(key: str, model: str, name: str) -> dict[str, float]:
    """What `peak_of` finds in a fresh process."""
    command = [sys.executable, *sys.argv, "--only", key, model, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else NOT_MEASURED


def peak_of(case: Case, model: str, name: str) -> dict[str, float]:
    """Memory that a contestant's structures and three epochs add at their peak, in MB."""
    # What the libraries load at first use is not the graph's doing: a small one goes first.
    small = peers.contestants(model, graphs.random_graph(300, 3_000, 8), "cpu")[name]()
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
    loop = peers.contestants(model, case, "cpu")[name]()
    for _ in range(3):
        loop.epoch()
    held = (x.numel() * 4 + csr.nnz * 8) / 1e6  # before the clock: the graph itself
    return {"peak_mb": memory.peak_mb() - before + held}


def gpu_peak_of(case: Case, model: str, name: str) -> dict[str, float]:
    """What torch's allocator gives out on the GPU for a contestant at its peak, in MB."""
    # Prepared anew: what an adjacency has placed on the GPU for others would be there already.
    alone = dataclasses.replace(case, prepared=prepare_graph(case.graph))
    gc.collect()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    loop = peers.contestants(model, alone, "cuda")[name]()
    for _ in range(3):
        loop.epoch()
    return {"peak_mb": (torch.cuda.max_memory_allocated() - before) / 1e6}


if __name__ == "__main__":
    main()
