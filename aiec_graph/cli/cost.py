"""The command `cost`."""

from aiec_graph.bench.cost_config import CostConfig
from aiec_graph.cli.known import PICTURES

KNOWN = PICTURES
DEFAULTS = CostConfig()


def cost(config: CostConfig = DEFAULTS) -> int:
    """Times training and inference steps, and takes their peak memory (the paper's Table 4).

      run_bench.py cost configs/table4.yaml
      run_bench.py cost --backbone vit_tiny --batch-size 1024 --device cuda

    Results: cost.csv, table.md and table.tex in --out.

    Raises:
        InputError: a name, option or value cannot be used, or a library is missing.
    """
    from rich.console import Console

    from aiec_graph.bench.cost import measure_cost

    Console().print(measure_cost(config, Console(stderr=True)).to_rich())
    return 0
