"""The lines for graph.yaml that faults and warnings advise, gathered into one block."""

import re
from collections.abc import Iterable

import yaml

from aiec_graph.data.user.column_values import to_yaml

ADVISED = re.compile(r"'([a-z_]+: (?:\"(?:[^\"\\]|\\.)*\"|[^'\"])+)' in (?:[^']*?\.)?graph\.yaml")


def gather_lines(messages: Iterable[str]) -> list[str]:
    """Returns the lines that messages advise, each key once; of alternatives the first.

    Lists and mappings of one key are joined; of two single values the first is taken.
    """
    found: dict[str, object] = {}
    for message in messages:
        match = ADVISED.search(message)
        if match is None:
            continue
        for key, value in yaml.load(match[1], yaml.BaseLoader).items():
            before = found.setdefault(key, value)
            if isinstance(before, list) and isinstance(value, list):
                found[key] = list(dict.fromkeys([*before, *value]))
            elif isinstance(before, dict) and isinstance(value, dict):
                found[key] = {**value, **before}
    return [f"{key}: {to_yaml(value)}" for key, value in found.items()]
