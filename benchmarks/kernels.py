"""What each compiled loop gives by itself: whole epochs with it, and with torch's own instead.

The maximum stands against torch's sparse product with amax, and against gathering and reducing by
segments. All take turns in one process. With --processor-time on one thread, others on the machine
matter little.

    python benchmarks/kernels.py --data-root ../shared/data --processor-time --threads 1
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import graphs
import peers
import torch
from timing import interleaved
from torch import Tensor

from aiec_graph.nn import propagate


def torch_amax(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, None]:
    """The maximum by torch's sparse product, whose indices are 64-bit."""
    shape = (len(crow) - 1, len(x))
    ones = torch.ones(len(column), dtype=x.dtype)
    matrix = torch.sparse_csr_tensor(
        crow.long(), column.long(), ones, shape, check_invariants=False
    )
    return torch.sparse.mm(matrix, x, "amax"), None


def segments(x: Tensor, crow: Tensor, column: Tensor) -> tuple[Tensor, None]:
    """The maximum by gathering the neighbours' rows."""
    gathered = x.index_select(0, column.long())
    out = torch.segment_reduce(gathered, "max", offsets=crow.long())
    return out.masked_fill((crow.diff() == 0)[:, None], 0), None


@contextmanager
def instead(place: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    with mock.patch.object(place, name, function):
        yield


VARIANTS = {
    "sage-pool": {
        "torch's amax": (propagate.ops, "maximum", torch_amax),
        "torch's segments": (propagate.ops, "maximum", segments),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds for each line")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processor-time", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.processor_time else time.perf_counter
    torch.sparse.check_sparse_tensor_invariants.disable()
    cases = [
        graphs.reddit(arguments.data_root),
        graphs.random_graph(20_000, 1_000_000),
        graphs.tfinance(0.1),
    ]
    print("| graph | network | ours, ms | instead | ms | times |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        for model, variants in VARIANTS.items():
            for act in ("relu", "aiec"):
                loops = {
                    name: peers.OwnLoop(model, act, case, "cpu") for name in ("ours", *variants)
                }

                def other(name: str, loops: Any = loops, variants: Any = variants) -> None:
                    with instead(*variants[name]):
                        loops[name].epoch()

                actions: dict[str, Callable[[], object]] = {"ours": loops["ours"].epoch}
                actions |= {name: (lambda name=name, run=other: run(name)) for name in variants}
                timings = interleaved(
                    actions, arguments.rounds, budget=arguments.budget, clock=clock
                )
                medians = {key: 1e3 * statistics.median(times) for key, times in timings.items()}
                for name in variants:
                    ratio = medians[name] / medians["ours"]
                    print(
                        f"| {case.name} | {model}, {act} | {medians['ours']:.2f} | {name} | "
                        f"{medians[name]:.2f} | {ratio:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
