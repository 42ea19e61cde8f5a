"""Where the command line starts: Ctrl-C ends it in one line while Python still imports it, too."""

import sys

INTERRUPTED = "interrupted; the same command continues"


def main() -> int:
    """Imports the command line and runs it.

    Returns:
        The exit code of `aiec_graph.cli.main.main`.
    """
    try:
        from aiec_graph.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)  # noqa: T201
        return 130
