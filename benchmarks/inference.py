"""The activation itself in eval mode: AIEC against nn.ReLU, interleaved, in one run.

python benchmarks/inference.py
"""

import statistics
import time

import torch
from torch import nn

from aiec_graph.core import AIEC, strip

ROUNDS = 2000


def main() -> None:
    print("| shape | AIEC / ReLU | stripped / ReLU | ReLU / ReLU again (the noise) |")
    print("|---|---|---|---|")
    for shape in ((10_984, 32), (100_000, 128), (64, 64, 56, 56)):
        x = torch.randn(shape)
        channels = shape[1]
        contestants = {
            "relu": nn.ReLU(),
            "aiec": AIEC(channels),
            "stripped": strip(AIEC(channels)),
            "again": nn.ReLU(),
        }
        for module in contestants.values():
            module.eval()
        rounds = max(ROUNDS * 10_984 * 32 // x.numel(), 50)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        with torch.no_grad():
            for round_ in range(rounds + 10):
                for name, module in contestants.items():
                    started = time.perf_counter()
                    module(x)
                    if round_ >= 10:
                        seconds[name].append(time.perf_counter() - started)
        median = {name: statistics.median(values) for name, values in seconds.items()}
        ratios = [median[name] / median["relu"] for name in ("aiec", "stripped", "again")]
        print(f"| {list(shape)} | " + " | ".join(f"{ratio:.3f}" for ratio in ratios) + " |")


if __name__ == "__main__":
    main()
