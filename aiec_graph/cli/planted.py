"""The command `planted`."""

from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.cli.known import GRAPHS

KNOWN = GRAPHS
DEFAULTS = ProbeConfig(
    act=["relu", "aux_only", "intrinsic", "extrinsic", "union", "aiec"],
    features=["standard"],
    seeds=10,
)


def planted(config: ProbeConfig = DEFAULTS) -> int:
    """Asks whether AIEC's gates mark channels with planted noise and spare those with signal.

      run_bench.py planted --dataset tfinance reddit --simulate 0.1
      run_bench.py planted configs/planted.yaml

    On simulated data alone, where it is known which input is which. Attribution to the planted
    inputs says what a hidden channel carries: see index.md in --out. Results: channels.csv,
    marked.csv, shares.csv, a figure for each network, and index.md with the tables.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    from rich.console import Console

    from aiec_graph.bench.probes.planted import run_planted

    page = run_planted(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
