"""How messages word what they count."""


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 seed, 2 seeds, 1,000 directed edges."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
