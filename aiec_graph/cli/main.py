"""The command line: `run_bench.py` and `aiec-bench`."""

import re
import sys
import warnings
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from docstring_parser import parse_from_object
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace
from rich.console import Console

from aiec_graph import __version__
from aiec_graph.artifacts.variants import NAMED
from aiec_graph.bench.config import BenchConfig
from aiec_graph.core import ACTIVATIONS
from aiec_graph.data import DATASETS, FEATURES, TextGraph
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.train import MODELS, TREES, TrainSettings

DEFAULT_SCALE = 0.1
COMMANDS = (
    *("bench", "study", "dynamics", "planted", "score", "data"),
    *("vision", "cost", "channels", "export"),
)
# How jsonargparse words an unknown option and an unknown key of a configuration file.
UNKNOWN_OPTION = r"[Uu]nrecognized arguments: (\S+)|Option '([\w.-]+)' is not accepted"

DESCRIPTION = """Compares activations in graph anomaly detection: AUC, AP and Rec@K over seeds.

  run_bench.py --dataset reddit --model gcn sage --act relu gelu aiec --seeds 10
  run_bench.py --dataset elliptic --simulate 0.1 --seeds 3
  run_bench.py --config configs/reddit.yaml
  run_bench.py --dataset path/to/my-graph/
  run_bench.py score results/reddit/checkpoints/NAME.pt --out scores.csv
  run_bench.py data list | info | download | simulate | verify
  run_bench.py study configs/table5_here.yaml   # tuned, confirmed on fresh seeds, compared
  run_bench.py dynamics --dataset reddit        # what training does to channels
  run_bench.py planted --dataset tfinance --simulate 0.1   # do gates find planted noise?
  run_bench.py vision --dataset digits --backbone vit_tiny --act relu aiec
  run_bench.py channels CHECKPOINT CHECKPOINT   # which channels serve which class
  run_bench.py cost | export                    # of image networks: time and memory, ONNX

Files: a folder per data set under --data-root; `data info NAME` says where each comes from, and
docs/own-graphs.md how to give a graph of your own. Results: runs.csv (a row per seed), summary.csv,
table.md and table.tex in --out."""


SCORE = """Scores nodes with a network that --checkpoint saved.

  run_bench.py score CHECKPOINT --out scores.csv                    # the data it was trained on
  run_bench.py score CHECKPOINT --dataset next-month/ --out scores.csv

Where the data are still those of the training, the scores come with each node's part of the split,
and test metrics; where they are others, or have changed, with neither: some of their nodes may have
been trained on."""


class HelpFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Leaves the examples of the description on lines of their own."""


def main(argv: list[str] | None = None) -> int:
    """Runs a command line.

    Returns:
        The exit code: 0; 2 where the input is at fault, after one line on standard error; 130
        where the run was interrupted, to be continued by the same command.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a terminal without ± is no reason to fail
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "bench"
        if command == "score":
            return _score(arguments)
        if command == "data":
            from aiec_graph.cli.data import data_command

            return data_command(arguments)
        if command == "study":
            from aiec_graph.cli.study import study_command

            return study_command(arguments)
        if command in ("dynamics", "planted"):
            from aiec_graph.cli import probes

            return getattr(probes, f"{command}_command")(arguments)
        if command in ("vision", "cost", "channels", "export"):
            from aiec_graph.cli import vision

            return getattr(vision, f"{command}_command")(arguments)
        if command == "bench":
            return _bench(arguments)
        raise InputError(
            f"unknown command {command!r}.{did_you_mean(command, COMMANDS)} Known: "
            f"{', '.join(COMMANDS)}"
        )
    except InputError as error:
        message = " ".join(str(error).split())
        print(f"aiec-bench: error: {message}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues", file=sys.stderr)  # noqa: T201
        return 130


def _bench(arguments: list[str]) -> int:
    config = parse_config("", DESCRIPTION, BenchConfig(dataset=[]), arguments)
    if not config.dataset:
        raise InputError(f"name a data set with --dataset: {', '.join(DATASETS)}")
    # Here, so that --help and a slip of the pen answer without the seconds of these imports.
    from aiec_graph.bench.runner import run

    table = run(config, Console(stderr=True))
    Console().print(table.to_rich())
    return 0


def _score(arguments: list[str]) -> int:
    parser = make_parser("score", SCORE)
    parser.add_argument("checkpoint", type=Path, help="A file that --checkpoint wrote.")
    parser.add_argument("--out", type=Path, default=Path("scores.csv"), help="The CSV to write.")
    parser.add_argument(
        "--dataset",
        type=str | None,
        default=None,
        help="Another data set with the same features: a name, or a folder of your own.",
    )
    parser.add_argument(
        "--data-root", type=Path | None, default=None, help=field_texts(BenchConfig)["data_root"]
    )
    parsed = parse(parser, arguments)
    from aiec_graph.artifacts.predict import score

    scored = score(parsed.checkpoint, parsed.out, parsed.data_root, parsed.dataset)
    text = f"{parsed.out}: {scored.label}, "
    if scored.test is None:
        text += "which is not what the network was trained on, so without a split and test metrics"
    else:
        auc, ap, rec = scored.test
        text += f"test AUC {auc:.1f}, AP {ap:.1f}, Rec@K {rec:.1f}"
    Console(soft_wrap=True).print(text, markup=False)
    return 0


def make_parser(command: str, description: str) -> ArgumentParser:
    """A command's parser, without its options; "" is the benchmark."""
    return ArgumentParser(
        prog=f"run_bench.py {command}".strip(),
        description=description,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        version=__version__,
    )


def act_names(known: Iterable[str]) -> list[str]:
    """What the help of --act lists."""
    return [*known, *NAMED, "aiec:SETTING=VALUE,… (as in aiec:tau=0.1)"]


def field_texts(source: type) -> dict[str, str]:
    """The text below each field of a dataclass, which is its option's help."""
    entries = parse_from_object(source).params
    return {entry.arg_name: " ".join((entry.description or "").split()) for entry in entries}


def add_options(
    parser: ArgumentParser,
    defaults: Any,
    known: Mapping[str, Iterable[str]],
    leave_out: tuple[str, ...] = (),
    prefix: str = "",
) -> None:
    """Adds an option for each field of a dataclass; the text below the field is its help.

    Args:
        parser: gets the options.
        defaults: an instance of the dataclass.
        known: for fields that are lists of names, the names.
        leave_out: fields without an option.
        prefix: of the options' names.
    """
    texts = field_texts(type(defaults))
    for option in fields(defaults):
        if option.name in leave_out:
            continue
        flag = "--" + (prefix + option.name).replace("_", "-")
        default = getattr(defaults, option.name)
        text = texts[option.name]
        kind: Any = option.type
        if option.name in known:
            text += f" Known: {', '.join(known[option.name])}."
            parser.add_argument(flag, nargs="+", type=str, default=default, help=text)
        elif kind is bool:
            parser.add_argument(flag, action="store_true", help=text)
        elif option.name == "simulate":
            shares: dict[str, Any] = {"nargs": "?", "const": DEFAULT_SCALE}
            parser.add_argument(flag, type=float, default=default, help=text, **shares)
        else:
            parser.add_argument(flag, type=kind, default=default, help=text)


C = TypeVar("C", bound=Any)


def parse_config(command: str, description: str, defaults: C, arguments: list[str]) -> C:
    """Reads the options of a command that trains on graphs; a file may come first.

    Args:
        command: its name; "" for the benchmark.
        description: the first part of its help.
        defaults: the command's dataclass, with the fields `text` and `train` among others.
        arguments: after the command's name.

    Raises:
        InputError: an option or value cannot be used.
    """
    if arguments and not arguments[0].startswith("-"):
        arguments = ["--config", *arguments]
    parser = make_parser(command, description)
    parser.add_argument("--config", action="config", help="Read options from a YAML file.")
    known = {
        **{"dataset": DATASETS, "model": MODELS, "act": act_names(ACTIVATIONS)},
        **{"features": FEATURES, "trees": TREES},
    }
    add_options(parser, defaults, known, leave_out=("train", "text"))
    add_options(parser, TextGraph(), {}, prefix="text_")
    # Where the features are a list, each kind of them is a part of the results.
    own = [f.name for f in fields(defaults)]
    trained = [f.name for f in fields(TrainSettings) if f.name not in own]
    add_options(parser, TrainSettings(), {}, leave_out=tuple(own))
    values: dict[str, Any] = vars(parse(parser, arguments or ["--help"]))
    values.pop("config")
    train = TrainSettings(**{name: values.pop(name) for name in trained})
    text = TextGraph(**{f.name: values.pop(f"text_{f.name}") for f in fields(TextGraph)})
    return type(defaults)(**values, train=train, text=text)


def parse(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parser.parse_args(arguments)
    except (ArgumentError, UnicodeDecodeError) as error:
        message = str(error)
        if isinstance(error, UnicodeDecodeError):
            message = "the configuration file is not UTF-8 text"
        if "does not support item assignment" in message:  # a text where a list belongs
            message = "dataset, model and act take lists, such as dataset: [reddit]"
        options = [option for action in parser._actions for option in action.option_strings]
        found = re.search(UNKNOWN_OPTION, message)
        if found:
            wrong = (found[1] or f"--{found[2].replace('_', '-')}").partition("=")[0]
            raise InputError(
                f"unknown option {wrong!r}.{did_you_mean(wrong, options)} See --help"
            ) from None
        raise InputError(message) from None
