"""Names of a package that are imported when they are first asked for (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def import_on_demand(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns what a package takes as its `__getattr__`.

    Args:
        package: its name.
        modules: by public name, the module below the package that defines it; with a dot before
            it, the module beside the package.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{modules[name]}", package), name)

    return get
