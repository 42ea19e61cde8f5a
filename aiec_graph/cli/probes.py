"""The commands `dynamics` and `planted`."""

from rich.console import Console

from aiec_graph.bench.probes.config import MechanismConfig
from aiec_graph.cli.main import parse_config

DYNAMICS = """Shows what training does to channels, epoch by epoch: how many fall silent, which ones
the gates mark and how often they change their mind, and whether relevant channels shrink.

  run_bench.py dynamics --dataset reddit --model gcn --act relu aux_only aiec --seeds 5
  run_bench.py dynamics configs/dynamics.yaml --data-root DIR

The response of channels is compared with ReLU's of the same seed, so name relu; and channels are
relevant or not by the last gates of aiec, so name that too. No run is stopped early. Results:
epochs.csv (a row per run, epoch, layer and class), summary.csv, verdicts.csv (what gated channels
are to the network), losses.csv, a figure for each network, and index.md with the tables."""

PLANTED = """Asks whether AIEC's gates mark the channels that carry planted noise, and spare those
that carry planted signal. On simulated data alone, where it is known which is which.

  run_bench.py planted --dataset tfinance reddit --simulate 0.1
  run_bench.py planted configs/planted.yaml

A hidden channel is told by attribution to the planted inputs: see index.md in --out. Results:
channels.csv, marked.csv, shares.csv, a figure for each network, and index.md with the tables."""
PLANTED_ACTS = ["relu", "aux_only", "intrinsic", "extrinsic", "union", "aiec"]


def dynamics_command(arguments: list[str]) -> int:
    """Runs `dynamics` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    config = parse_config("dynamics", DYNAMICS, MechanismConfig(), arguments)
    from aiec_graph.bench.probes.dynamics import run_dynamics

    page = run_dynamics(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0


def planted_command(arguments: list[str]) -> int:
    """Runs `planted` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    defaults = MechanismConfig(act=PLANTED_ACTS, features=["standard"], seeds=10)
    config = parse_config("planted", PLANTED, defaults, arguments)
    from aiec_graph.bench.probes.planted import run_planted

    page = run_planted(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
