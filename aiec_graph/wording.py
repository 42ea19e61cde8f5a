"""How messages word what they count and list."""

from collections.abc import Iterable

LONGEST_NAME = 40


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 seed, 2 seeds, 1,000 directed edges."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names in their order, as files hold them: on one line, cut where long, the first so many."""
    words = sorted(" ".join(str(name).split())[:LONGEST_NAME] for name in names)
    return ", ".join(words[:most]) + (" …" if len(words) > most else "") if words else "nothing"
