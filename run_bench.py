"""Runs the command line from a checkout; the console script `aiec` is the same."""

import sys

from aiec_graph.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
