"""The command line: `run_bench.py`, `aiec` and `aiec-bench` are one program."""

import sys
from io import TextIOWrapper
from pathlib import Path

from aiec_graph import __version__
from aiec_graph.cli.endings import ended
from aiec_graph.cli.options import Signature, run
from aiec_graph.cli.table import COMMANDS, DEFAULT_COMMAND, GROUPS
from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.extras import check_extra

EXAMPLES = """Graph anomaly detection with AIEC.

Rank the nodes of your own graph, and say where to cut and why:
  {program} fit accounts/ --out model/ --threshold precision=0.9
  {program} score model/ next-month/ --out suspects.csv
  {program} report model/ next-month/ --out report.html
Compare networks and activations:
  {program} --dataset reddit --model gcn sage --act relu gelu aiec --seeds 10
  {program} --dataset elliptic --simulate 0.1 --seeds 3
  {program} study configs/table5_here.yaml
"""
CLOSING = """
Without a command, options are those of bench. Every command takes --help. Published data sets: a
folder for each under --data-root. docs/guides/own-graphs.md says how to give a graph of your own.
"""


def main(argv: list[str] | None = None) -> int:
    """Runs a command line.

    Returns:
        The exit code: 0; 2 where the input is at fault, after one line on standard error; 130 or
        143 where the run was stopped by SIGINT or SIGTERM, to be continued by the same command; 1
        where the fault is ours.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a terminal without ± is no reason to fail
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return ended(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    program = _program()
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(overview(program))
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"{program} {__version__}\n")
        return 0
    name, rest = find_command(arguments)
    if not name:
        sys.stdout.write(overview(program, f"{arguments[0]} "))
        return 0
    if not {"-h", "--help"} & {*rest}:
        for extra in COMMANDS[name].extras:
            check_extra(extra)
    function, known = COMMANDS[name].load()
    return run(f"{program} {name}", Signature(function, known), rest)


def find_command(arguments: list[str]) -> tuple[str, list[str]]:
    """The command that the arguments name, and those after it.

    Returns:
        A name in `COMMANDS`, or "" where the help of a command's actions is asked for.

    Raises:
        InputError: there is no such command; names the nearest.
    """
    if arguments[0].startswith("-"):
        return DEFAULT_COMMAND, arguments
    two = " ".join(arguments[:2])
    if two in COMMANDS:
        return two, arguments[2:]
    first = arguments[0]
    if first in COMMANDS:
        return first, arguments[1:]
    if any(name.startswith(f"{first} ") for name in COMMANDS):
        if len(arguments) == 1 or arguments[1] in ("-h", "--help"):
            return "", []
        first = two
    first = first[:50]
    raise InputError(
        f"unknown command {first!r}.{did_you_mean(first, COMMANDS)} Known: {', '.join(COMMANDS)}"
    )


def overview(program: str, prefix: str = "") -> str:
    """The help of the whole: the commands by group.

    Args:
        program: how it was called.
        prefix: names the commands that are listed; those that begin with it.
    """
    width = max(map(len, COMMANDS))
    lines = [] if prefix else [EXAMPLES.format(program=program)]
    for group, title in GROUPS.items():
        found = {
            name: command.summary
            for name, command in COMMANDS.items()
            if command.group == group and name.startswith(prefix)
        }
        if found:
            lines.append(f"{title}:")
            lines += [f"  {name:{width}}  {summary}" for name, summary in found.items()]
    return "\n".join(lines) + "\n" + CLOSING


def _program() -> str:
    name = Path(sys.argv[0] or "aiec").name
    return name if name.startswith("run_bench") or name.startswith("aiec") else "aiec"
