"""Neighbourhood columns beside the bare sparse products that they need, in turn in one run.

    python benchmarks/features.py --nodes 1e6 --entries 20e6 --columns 10

The graph is simulated: entries between nodes drawn at random, both ways. A hop needs the products
of the adjacency with the columns (for means) and with their squares (for standard deviations);
the columns of two hops have the neighbours' maximum and minimum beside these. Prints seconds.
"""

import argparse
import time

import numpy as np

from aiec_graph.data import Edges
from aiec_graph.data.transforms.neighbourhood import Neighbourhood


def main() -> None:
    """Measures what the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=float, default=1e6)
    parser.add_argument("--entries", type=float, default=20e6, help="of the adjacency")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    nodes = int(options.nodes)
    rng = np.random.default_rng(0)
    one, other = rng.integers(nodes, size=(2, int(options.entries) // 2))
    source, target = np.concatenate([one, other]), np.concatenate([other, one])
    edges = Edges.from_pairs(source, target, nodes)
    x = rng.normal(size=(nodes, options.columns)).astype(np.float32)
    names = [f"column {i}" for i in range(options.columns)]
    matrix = edges.to_scipy().astype(np.float32)
    plain = Neighbourhood(2, structure=False)
    plain.table(Edges.from_pairs(source[:9], target[:9], nodes), x, names)  # compiles
    print("products  columns  ratio   (seconds)")
    for _ in range(options.repeats):
        begun = time.perf_counter()
        mean = x
        for _ in range(2):
            mean, _ = matrix @ mean, matrix @ (mean * mean)
        products = time.perf_counter() - begun
        begun = time.perf_counter()
        plain.table(edges, x, names)
        columns = time.perf_counter() - begun
        print(f"{products:8.2f} {columns:8.2f} {columns / products:6.2f}", flush=True)


if __name__ == "__main__":
    main()
