"""The command `study`."""

from aiec_graph.bench.study.plan import StudyConfig
from aiec_graph.cli.known import GRAPHS

KNOWN = GRAPHS
DEFAULTS = StudyConfig()


def study(config: StudyConfig = DEFAULTS) -> int:
    """Finds out whether an activation helps on a graph, by a method that a reviewer accepts.

      run_bench.py study configs/table5_here.yaml --data-root DIR
      run_bench.py study --dataset path/to/my-graph/ --act relu gelu aux_only aiec
      run_bench.py study configs/study_noise.yaml --seeds 20

    Every activation chooses its settings from the same candidates by validation AP; the choices are
    confirmed on seeds that took part in nothing else; differences are paired, with intervals, tests
    and corrections. Results: runs.csv (a row per run), selection.csv, and report/ with index.md,
    its figures and its tables as CSV. A study that was stopped goes on with the same command.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    from rich.console import Console

    from aiec_graph.bench.study.run import run_study

    page = run_study(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
