"""How messages word what they count and list, and what an option takes."""

import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

LONGEST_NAME = 40
KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    dict: "names with a value each",
}


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 seed, 2 seeds, 1,000 directed edges."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names in their order, as files hold them: on one line, cut where long, the first so many."""
    words = sorted(" ".join(str(name).split())[:LONGEST_NAME] for name in names)
    return ", ".join(words[:most]) + (" …" if len(words) > most else "") if words else "nothing"


def kind_in_words(kind: Any) -> str:
    """Says what an option of a type takes, such as a whole number."""
    inner = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind_in_words(k) for k in inner if k is not type(None)))
    if get_origin(kind) is list:
        return f"a list, each of it {kind_in_words(inner[0])}"
    if get_origin(kind) is dict:
        return KINDS[dict]
    return KINDS.get(kind, KINDS[dict])
