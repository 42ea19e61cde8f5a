"""The table of commands: a new command is a line here and a file that holds its function.

The function's signature says which options the command takes, and its docstring is the help
(`aiec_graph.cli.options`). It returns the exit code. Its module imports what is heavy (torch,
pandas, a data set's reader) inside the function, so that help and slips are answered at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

GROUPS = {
    "detection": "Detection",
    "data": "Data",
    "benchmark": "Benchmark",
    "study": "Studies",
    "images": "Images",
}
"""The parts of the help, in its order."""


@dataclass(frozen=True)
class Command:
    """A line of the table."""

    group: str
    """A key of `GROUPS`."""
    summary: str
    """One line of the help."""
    target: str
    """`module:function` below `aiec_graph.cli`."""
    extras: tuple[str, ...] = ()
    """Extras of the package (`pip install 'aiec-graph[NAME]'`) without which it cannot run."""

    def load(self) -> tuple[Callable[..., int], dict[str, tuple[str, ...]]]:
        """Imports the command.

        Returns:
            The function, and the known names by option that the module's `KNOWN` declares for the
            help.
        """
        module_name, _, function = self.target.partition(":")
        module: Any = import_module(f"aiec_graph.cli.{module_name}")
        return getattr(module, function), getattr(module, "KNOWN", {})


DEFAULT_COMMAND = "bench"
"""What runs where the first argument is an option."""

BENCH, IMAGES = ("bench",), ("bench", "vision")
"""Extras."""
COMMANDS: dict[str, Command] = {
    "fit": Command("detection", "fit a detector on a graph with labels", "fit:fit"),
    "score": Command("detection", "rank the nodes of a graph by a trained model", "score:score"),
    "explain": Command(
        "detection", "say why nodes score as they do", "explain:explain", ("explain",)
    ),
    "report": Command(
        "detection",
        "write what a manager asks for, as one page",
        "report:report",
        ("explain", "report"),
    ),
    "threshold": Command("detection", "cut a detector's list elsewhere", "threshold:threshold"),
    "evaluate": Command("detection", "measure a detector on later labels", "evaluate:evaluate"),
    "backtest": Command(
        "detection", "train at dates, score what came after", "backtest:backtest", BENCH
    ),
    "check": Command("data", "what data hold and what is wrong with them", "check:check"),
    "plan": Command("data", "memory, time and machines that training takes", "plan:plan"),
    "data list": Command("data", "the data sets, and whether their files are there", "data:list_"),
    "data info": Command("data", "the card of a data set", "data:info"),
    "data download": Command("data", "fetch published files", "data:download", BENCH),
    "data simulate": Command("data", "write simulated files in the raw format", "data:simulate"),
    "data verify": Command("data", "compare files with what was published", "data:verify"),
    "bench": Command(
        "benchmark", "compare networks and activations over seeds", "bench:bench", BENCH
    ),
    "study": Command(
        "study", "tune, confirm on fresh seeds and compare in pairs", "study:study", BENCH
    ),
    "dynamics": Command("study", "what training does to channels", "dynamics:dynamics", BENCH),
    "planted": Command("study", "whether gates find planted noise", "planted:planted", BENCH),
    "channels": Command("study", "which channels serve which class", "channels:channels", BENCH),
    "vision": Command(
        "images", "compare activations in image classification", "vision:vision", IMAGES
    ),
    "cost": Command("images", "time and memory of image networks", "cost:cost", IMAGES),
    "export": Command(
        "images", "write an image network for other runtimes", "export:export", ("vision",)
    ),
}
"""By name; a name of two words is a command with an action."""
