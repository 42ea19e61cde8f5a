"""The command `dynamics`."""

from aiec_graph.bench.probes.config import ProbeConfig
from aiec_graph.cli.known import GRAPHS

KNOWN = GRAPHS
DEFAULTS = ProbeConfig()


def dynamics(config: ProbeConfig = DEFAULTS) -> int:
    """Shows what training does to channels, epoch by epoch.

      run_bench.py dynamics --dataset reddit --model gcn --act relu aux_only aiec --seeds 5
      run_bench.py dynamics configs/dynamics.yaml --data-root DIR

    How many channels fall silent, which ones the gates mark and how often they change their mind,
    and whether relevant channels shrink. The response of channels is compared with ReLU's of the
    same seed, so name relu; and channels are relevant or not by the last gates of aiec, so name
    that too. No run is stopped early. Results: epochs.csv (a row per run, epoch, layer and class),
    summary.csv, gates.csv (what gated channels are to the network), losses.csv, a figure for
    each network, and index.md with the tables.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    from rich.console import Console

    from aiec_graph.bench.probes.dynamics import run_dynamics

    page = run_dynamics(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
