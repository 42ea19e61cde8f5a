"""The command `study`."""

from dataclasses import fields
from typing import Any

from jsonargparse import ArgumentParser
from rich.console import Console

from aiec_graph.bench.cli import HelpFormatter, act_names, add_options, parse
from aiec_graph.core import ACTIVATIONS
from aiec_graph.data import DATASETS, FEATURES, TextGraph
from aiec_graph.train import MODELS, TREES, TrainSettings

STUDY = """Finds out whether an activation helps on a graph, by a method that a reviewer accepts.

  run_bench.py study configs/table5_here.yaml --data-root DIR
  run_bench.py study --dataset path/to/my-graph/ --act relu gelu aux_only aiec
  run_bench.py study configs/noise.yaml --seeds 20

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

    if arguments and not arguments[0].startswith("-"):
        arguments = ["--config", *arguments]
    parser = ArgumentParser(
        prog="run_bench.py study",
        description=STUDY,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="Read options from a YAML file.")
    known = {
        "dataset": DATASETS,
        "model": MODELS,
        "act": act_names(ACTIVATIONS),
        "features": FEATURES,
        "trees": TREES,
    }
    add_options(parser, StudyConfig(), known, leave_out=("train", "text"))
    add_options(parser, TextGraph(), {}, prefix="text_")
    # The features are a list here, and each kind of them a part of the study.
    add_options(parser, TrainSettings(), {}, leave_out=("features",))
    values: dict[str, Any] = vars(parse(parser, arguments or ["--help"]))
    values.pop("config")
    names = [f.name for f in fields(TrainSettings) if f.name != "features"]
    train = TrainSettings(**{name: values.pop(name) for name in names})
    text = TextGraph(**{f.name: values.pop(f"text_{f.name}") for f in fields(TextGraph)})
    config = StudyConfig(**values, train=train, text=text)
    from aiec_graph.bench.study.run import run_study

    page = run_study(config, Console(stderr=True))
    Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
    return 0
