"""The command `bench`, which is also what runs without a command."""

from aiec_graph.bench.config import BenchConfig
from aiec_graph.cli.known import DATASETS, GRAPHS
from aiec_graph.errors import InputError
from aiec_graph.names import CLASSIFIERS

KNOWN = {**GRAPHS, "model": CLASSIFIERS}
DEFAULTS = BenchConfig(dataset=[])


def bench(config: BenchConfig = DEFAULTS) -> int:
    """Compares activations in graph anomaly detection: AUC, AP and Rec@K over seeds.

      run_bench.py --dataset reddit --model gcn sage --act relu gelu aiec --seeds 10
      run_bench.py --dataset reddit --model auto rf_graph xgb_graph sage --act relu --budget 1m
      run_bench.py --dataset elliptic --simulate 0.1 --seeds 3
      run_bench.py bench configs/reddit.yaml
      run_bench.py --dataset path/to/my-graph/
      torchrun --nproc-per-node 2 run_bench.py --dataset tsocial --batch-size 1024 --fanout 10 10

    Files: a folder per data set under --data-root; `data info NAME` says where each comes from, and
    docs/guides/own-graphs.md how to give a graph of your own. Results: runs.csv (a row per seed),
    summary.csv, table.md and table.tex in --out.

    Raises:
        InputError: a name, option, value or file cannot be used.
    """
    if not config.dataset:
        raise InputError(f"name a data set with --dataset: {', '.join(DATASETS)}")
    from rich.console import Console

    from aiec_graph.bench.benchmark import run
    from aiec_graph.train.distributed import process_group

    with process_group():
        table = run(config, Console(stderr=True))
    if table is not None:
        Console().print(table.to_rich())
    return 0
