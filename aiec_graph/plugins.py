"""Modules from outside of the package that add to its tables, such as variants of AIEC."""

import importlib
from collections.abc import Iterable

from aiec_graph.errors import InputError

_loaded: dict[str, None] = {}


def load_plugins(names: Iterable[str]) -> None:
    """Imports modules, which register what they add when they are imported.

    Args:
        names: such as `research.variants`, which is the repository's own.

    Raises:
        InputError: a module cannot be imported.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except (ImportError, TypeError, ValueError) as error:  # the latter two: no name of a module
            raise InputError(
                f"plugin {name!r}: {error}. It must be a module that Python finds: start from the "
                "folder that holds it, or name that folder in PYTHONPATH"
            ) from None
        _loaded[name] = None


def loaded_plugins() -> tuple[str, ...]:
    """Returns the names of the plugins loaded so far, for a new process to load them too."""
    return tuple(_loaded)
