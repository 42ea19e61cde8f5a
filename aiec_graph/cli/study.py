"""The command `study`."""

from rich.console import Console

from aiec_graph.cli.main import parse_config

STUDY = """Finds out whether an activation helps on a graph, by a method that a reviewer accepts.

  run_bench.py study configs/table5_here.yaml --data-root DIR
  run_bench.py study --dataset path/to/my-graph/ --act relu gelu aux_only aiec
  run_bench.py study configs/study_noise.yaml --seeds 20

Every activation chooses its settings from the same candidates by validation AP; the choices are
confirmed on seeds that took part in nothing else; differences are paired, with intervals, tests
and corrections. Results: runs.csv (a row per run), selection.csv, and report/ with index.md, its
figures and its tables as CSV. A study that was stopped goes on with the same command."""


def study_command(arguments: list[str]) -> int:
    """Runs `study` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used.
    """
    from aiec_graph.bench.study.plan import StudyConfig

    config = parse_config("study", STUDY, StudyConfig(), arguments)
    from aiec_graph.bench.study.run import run_study

    page = run_study(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
