"""The command `backtest`."""

from aiec_graph.bench.backtest.config import KINDS, BacktestConfig
from aiec_graph.cli.known import DATASETS, GRAPHS
from aiec_graph.names import CLASSIFIERS

KNOWN = GRAPHS | {"model": CLASSIFIERS, "features": KINDS, "data": DATASETS}
DEFAULTS = BacktestConfig()


def backtest(data: str, config: BacktestConfig = DEFAULTS) -> int:
    """Trains at several dates on what was known then, and scores what came after.

      run_bench.py backtest elliptic_graph --features structural --model gcn sage
      run_bench.py backtest path/to/my-graph/ --cuts 6 --horizon 4 --label-delay 2
      run_bench.py backtest elliptic --model gcn rf_graph --from 25 --every 2 --plan
      run_bench.py backtest accounts/ --from 2026-01-31 --every 30d --horizon 30d --label-delay 60d

    Nodes, edges or transactions need times: a column time_step, or time. At each cut features,
    edges and preprocessing are those of that moment; validation is the end of the training window.
    Results: backtest.csv (a row for each cut, model and seed), report.md with its tables and
    figures. A backtest that was stopped goes on with the same command.

    Args:
        data: a data set's name, or the path of a graph of your own.
        config: the options.

    Raises:
        InputError: a name, option, value or file cannot be used.
    """
    from rich.console import Console

    from aiec_graph.bench.backtest.run import folder_of, run_backtest

    found = run_backtest(data, config, Console(stderr=True))
    if found is not None:
        page = folder_of(data, config) / "report.md"
        Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
