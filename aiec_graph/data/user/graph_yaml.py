"""The file graph.yaml beside a user's own tables."""

from pathlib import Path
from typing import Any

import yaml

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.errors import InputError, named

LARGEST = 2**18
"""Bytes that such a file may have."""


class _Loader(yaml.BaseLoader):
    """Leaves every value as it is written, so that `yes` and 007 stay what they are."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds aliases (*), which are of no use here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = [str(key) for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.YAMLError(f"the key {twice[0]!r} is there twice")
        return super().construct_mapping(node, deep)


def read_declaration(path: Path) -> Declaration:
    """Reads a graph.yaml; where there is none, everything is as by default.

    Raises:
        InputError: it is no YAML, or a key or a value is not one that it may hold.
    """
    try:
        if not path.is_file():
            return Declaration()
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: too large; it holds a few keys and values")
        content: Any = yaml.load(path.read_bytes(), _Loader) or {}
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path}: not a YAML file (too many brackets)") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a YAML file ({reason})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold keys and values, such as 'label: is_fraud'")
    with named(path):
        return Declaration.from_dict(content)
