"""What the parser of the command line says of a value, in words that speak of the option."""

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

ABOUT = re.compile(r'Parser key "([\w.-]+)"(?: element \d+)?:')
VALUE = re.compile(r"(?:Got value|Given value): (.*)", re.DOTALL)
LEFT_OVER = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    dict: "names with a value each",
}


def explain(message: str, kinds: Mapping[str, tuple[str, Any]]) -> str:
    """Words a message of the parser, on one line.

    Args:
        message: that it ended with.
        kinds: by the name of each option, how it is written and its type.
    """
    about, value = ABOUT.match(message), VALUE.search(message)
    if about and value and about[1] in kinds:
        name, kind = kinds[about[1]]
        given = value[1].splitlines()[0]
        return f"{name} takes {describe(kind)}, not {given!r}"
    if found := LEFT_OVER.search(message):
        return f"nothing takes {found[1]!r} here: is an option's name missing, or a value too many?"
    return " ".join(message.split())


def describe(kind: Any) -> str:
    """Says what an option of a type takes."""
    inner = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(k) for k in inner if k is not type(None)))
    if get_origin(kind) is list:
        return f"a list, each of it {describe(inner[0])}"
    if get_origin(kind) is dict:
        return KINDS[dict]
    return KINDS.get(kind, KINDS[dict])
