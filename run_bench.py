"""Runs the benchmark from a checkout; the console script `aiec-bench` is the same."""

import sys

from aiec_graph.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
