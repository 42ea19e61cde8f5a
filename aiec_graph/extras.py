"""Libraries that only some commands need: the extras of the package."""

import re
from importlib import metadata

from aiec_graph.errors import InputError

PACKAGE = "aiec-graph"


def check_extra(extra: str) -> None:
    """Checks that the libraries of an extra of this package are installed.

    Args:
        extra: its name, as in `pip install 'aiec-graph[bench]'`.

    Raises:
        InputError: some are missing; names them, and how they are installed.
    """
    missing = [name for name in _libraries(extra) if not _is_installed(name)]
    if missing:
        raise InputError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed here and not "
            f"installed: pip install '{PACKAGE}[{extra}]'"
        )


def _libraries(extra: str) -> list[str]:
    try:
        requirements = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return []
    ours = [r for r in requirements if re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", r)]
    return [re.match(r"[\w.-]+", requirement)[0] for requirement in ours]  # pyright: ignore


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
