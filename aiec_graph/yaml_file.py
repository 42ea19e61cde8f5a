"""Reading YAML files that people write: one mapping, with nothing in it that could mislead."""

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from aiec_graph.errors import InputError

LARGEST = 1_000_000
"""Bytes of a file; configurations and declarations are pages, not books."""


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, which can stand for billions of values, or repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise ComposerError(None, None, "aliases (*name) are not taken here", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key_node, value_node in node.value:
            is_plain = isinstance(value_node, yaml.ScalarNode) and value_node.style is None
            if is_plain and not value_node.value:  # null, written out, is a value
                raise ConstructorError(
                    None,
                    None,
                    f"{key_node.value} has no value: give one, or leave the line out",
                    key_node.start_mark,
                )
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in keys:
                    raise ConstructorError(
                        None, None, f"{key_node.value!r} stands here twice", key_node.start_mark
                    )
                keys.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping.

    Args:
        path: text in UTF-8, or in UTF-16 with a byte order mark.

    Returns:
        Its content; an empty file is an empty mapping.

    Raises:
        InputError: the file cannot be read, is too large, or is not a mapping in YAML; names the
            line. The message does not begin with the path (`aiec_graph.errors.named` adds it).
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise InputError(f"larger than {LARGEST:,} bytes, so no YAML file of options")
        content = yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from None
    except yaml.reader.ReaderError as error:
        raise InputError(f"not UTF-8 text ({error.reason})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"{where}not YAML that can be used: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # a special character; a day such as 2024-02-31
        raise InputError(f"not YAML that can be used: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError("nested too deeply") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "one value"
        raise InputError(f"lines of the form `name: value` are expected, not {kind}")
    return content
