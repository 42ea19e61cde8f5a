"""Names of classes and parts: how they are spelled, which are missing, which are no classes."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiec_graph.wording import listed

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""By part, the names that its folder may have, in capitals or not."""
PART_OF = {name: part for part, names in PARTS.items() for name in names}
_WORD = re.compile(rf"({'|'.join(sorted(PART_OF, key=len, reverse=True))})(set|data|images|imgs)?")


def spelled(name: str) -> str:
    """A name in Unicode's composed form, in which names that look the same are the same."""
    return unicodedata.normalize("NFC", name)


def named_as_parts(names: Iterable[str]) -> list[str]:
    """The names such as seg_train and test_set, where they stand for two parts or more.

    Returns:
        Nothing where they are likely to be classes.
    """
    parts: dict[str, str] = {}
    for name in names:
        for word in re.split(r"[^a-z]+", name.lower()):
            found = _WORD.fullmatch(word)
            if found is not None:
                parts[name] = PART_OF[found[1]]
    return list(parts) if "train" in parts.values() and len({*parts.values()}) > 1 else []


def differences(train: Sequence[str], part: str, others: Sequence[str]) -> str:
    """Says how the classes of a part differ from those of the training; empty where they don't."""
    here, there = sorted({*others} - {*train}), sorted({*train} - {*others})
    if not (here or there):
        return ""
    odd = [repr(name) for name in sorted(here + there)]
    sides = [
        f"{listed(map(repr, names))} in {place} alone"
        for names, place in ((there, "train"), (here, part))
        if names
    ]
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    text = f"train and {part} differ in the class {odd[0]}{more}"
    folded = {name.casefold() for name in here} & {name.casefold() for name in there}
    advice = "; their names differ in capitals alone" if folded else ""
    return f"{text}: {', '.join(sides)}{advice}"


def missing(
    labels: Mapping[str, NDArray[np.int64]], names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Looks for classes without a picture.

    Args:
        labels: of each part's pictures.
        names: of the classes, by number.

    Returns:
        Faults: classes that are to be told and were never learnt, or one class alone. Notes:
        classes of the training that another part lacks, and those without any picture.
    """
    counts = {
        part: np.bincount(own, minlength=len(names))[: len(names)] for part, own in labels.items()
    }
    learnt = counts["train"] > 0
    faults, notes = [], []
    for part, own in counts.items():
        unknown = [repr(names[int(k)]) for k in np.flatnonzero((own > 0) & ~learnt)]
        if unknown:
            faults.append(
                f"{part} has {len(unknown)} of the classes that train has no picture of: "
                f"{listed(unknown)}"
            )
    if learnt.sum() < 2 and not faults:
        shown = listed(repr(names[int(k)]) for k in np.flatnonzero(learnt))
        faults.append(f"one class alone in train: {shown}")
    test = counts.get("test", learnt)
    untested = [repr(names[int(k)]) for k in np.flatnonzero(learnt & (test == 0))]
    if untested and test.sum():
        notes.append(f"classes without a picture in test: {listed(untested)}")
    empty = [
        repr(names[int(k)]) for k in np.flatnonzero(np.sum(list(counts.values()), axis=0) == 0)
    ]
    if empty:
        notes.append(f"classes without any picture: {listed(empty)}")
    return faults, notes
