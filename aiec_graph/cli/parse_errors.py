"""What the parser of the command line says of a value, in words that speak of the option."""

import re
from collections.abc import Mapping
from typing import Any

from aiec_graph.wording import kind_in_words

ABOUT = re.compile(r'Parser key "([\w.-]+)"(?: element \d+)?:')
VALUE = re.compile(r"(?:Got value|Given value): ?(.*)")
LEFT_OVER = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)


def explain(message: str, kinds: Mapping[str, tuple[str, Any]]) -> str:
    """Words a message of the parser, on one line.

    Args:
        message: that it ended with.
        kinds: by the name of each option, how it is written and its type.
    """
    about, value = ABOUT.match(message), VALUE.search(message)
    if about and value and about[1] in kinds:
        name, kind = kinds[about[1]]
        given = " ".join(value[1].split())
        return f"{name} takes {kind_in_words(kind)}, not {given!r}"
    if found := LEFT_OVER.search(message):
        return f"nothing takes {found[1]!r} here: is an option's name missing, or a value too many?"
    return " ".join(message.split())
