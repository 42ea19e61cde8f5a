"""What is wrong with folders of pictures, found before a training and not in the middle of it."""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import xxhash
from PIL import Image

from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.graph.storage.cache import user_cache
from aiec_graph.vision.folders import decode_picture
from aiec_graph.vision.listing import Listing, Pictures, printable

Progress = Callable[[int, int], None]
VERSION = b"3"
"""Of what is kept of a check."""
SHOWN = 5
"""File names in a message; the rest are counted."""


class Found(NamedTuple):
    """One picture as it was found."""

    checksum: str
    """Of its file's bytes."""
    size: tuple[int, int]
    """Width and height in pixels, as it is to be seen; (0, 0) where it cannot be read."""
    mode: str
    fault: str
    """Empty where it can be read."""
    is_first: bool = False
    """Whether more pages or frames follow it in its file."""


@dataclass
class PictureReport:
    """What a check of a data set found; parts are train, val and test."""

    checksum: str
    """Of all files: names, classes and contents."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Pictures by part and class."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Pictures by width × height, the most frequent ones."""
    modes: dict[str, int] = field(default_factory=dict)
    """Pictures by Pillow's mode: RGB, L, RGBA, I;16, …"""
    left_out: list[str] = field(default_factory=list)
    """Files whose suffix is no picture's."""
    faults: list[str] = field(default_factory=list)
    """Pictures that cannot be read, each with its reason."""
    duplicates: list[str] = field(default_factory=list)
    """Pictures of val or test that are in the training part, too, byte for byte."""
    shared: list[str] = field(default_factory=list)
    """Pictures of test that are in the validation part, too, byte for byte."""
    contradictions: list[str] = field(default_factory=list)
    """Pictures that stand in another class as well, byte for byte."""
    several: list[str] = field(default_factory=list)
    """Files with further pages or frames, which are not read."""

    def raise_faults(self) -> None:
        """Refuses pictures that cannot be read.

        Raises:
            InputError: there is one; names the first few.
        """
        if self.faults:
            raise InputError(name_some(self.faults, "picture", "cannot be read", "; "))

    def notes(self) -> list[str]:
        """What somebody should know who trains on these pictures all the same."""
        notes = []
        if self.left_out:
            notes.append(
                name_some(self.left_out, "file", "left out for want of a picture's suffix")
            )
        if self.duplicates:
            what = "of the other parts the same as training pictures"
            notes.append(name_some(self.duplicates, "picture", what))
        if self.shared:
            notes.append(name_some(self.shared, "test picture", "the same as in validation"))
        if self.several:
            what = "with several pages or frames, of which the first is read"
            notes.append(name_some(self.several, "file", what))
        if self.contradictions:
            what = "the same as one of another class"
            notes.append(name_some(self.contradictions, "picture", what))
        unusual = {m: n for m, n in self.modes.items() if m not in ("RGB", "L", "1", "P", "CMYK")}
        if unusual:
            listed = ", ".join(f"{n} {mode}" for mode, n in unusual.items())
            notes.append(
                f"pictures of other modes: {listed}; transparency is laid on white, grey of more "
                "than 8 bits is scaled to 8"
            )
        return notes


def name_some(names: list[str], noun: str, what: str, join: str = ", ") -> str:
    """A count with the first few names, such as: 7 pictures left out: a, b, c, d, e and 2 more."""
    shown = join.join(names[:SHOWN])
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{len(names):,} {noun}{'s' if len(names) > 1 else ''} {what}: {shown}{more}"


def check_pictures(listing: Listing, progress: Progress | None = None) -> PictureReport:
    """Reads every picture once; where nothing changed since the last time, the result is kept.

    Args:
        listing: the pictures by part, train first.
        progress: is called with the number of files read and of all.
    """
    kept = user_cache() / "pictures" / f"{_stamp(listing.parts)}.json"
    try:
        return PictureReport(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        report = _read_all(listing.parts, progress)
    if not report.faults:
        text = json.dumps(asdict(report))
        with suppress(InputError):  # nowhere to keep it: the next call reads again
            write_whole(kept, lambda path: path.write_text(text, encoding="utf-8"))
    return report


def _stamp(parts: Mapping[str, Pictures]) -> str:
    """A checksum of names, sizes and times of change, and of the version of this check."""
    digest = xxhash.xxh3_64(VERSION)
    for name, part in parts.items():
        place = f"{name} {part.folder.resolve()} {part.class_names}"
        digest.update(place.encode("utf-8", "surrogateescape"))
        for row, (path, label) in enumerate(zip(part.paths, part.labels, strict=True)):
            try:
                line = f"{label} {path} {part.stamp(row)}"
            except OSError as error:
                line = f"{label} {path} {error.strerror}"
            digest.update(line.encode("utf-8", "surrogateescape"))
        digest.update("".join(map(str, part.left_out)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _read_all(parts: Mapping[str, Pictures], progress: Progress | None) -> PictureReport:
    report = PictureReport("")
    total, done = sum(len(part.paths) for part in parts.values()), 0
    digest = xxhash.xxh3_64()
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    earlier: dict[str, str] = {}  # the first part with a checksum
    classes: dict[str, int] = {}
    # Pillow decodes outside the interpreter's lock. What it merely warns of can be read.
    with ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for name, part in parts.items():
            report.left_out += [printable(path) for path in part.left_out]
            counts = np.bincount(part.labels, minlength=len(part.class_names))
            report.counts[name] = dict(zip(part.class_names, map(int, counts), strict=True))
            looked = pool.map(partial(_look_at, part), range(len(part.paths)))
            for path, label, found in zip(part.paths, part.labels, looked, strict=True):
                line = f"{name} {label} {path.name} {found.checksum}"
                digest.update(line.encode("utf-8", "surrogateescape"))
                if found.fault:
                    report.faults.append(found.fault)
                else:
                    sizes[f"{found.size[0]} × {found.size[1]}"] += 1
                    modes[found.mode] += 1
                    if classes.setdefault(found.checksum, label) != label:
                        report.contradictions.append(printable(path))
                    if found.is_first:
                        report.several.append(printable(path))
                    first = earlier.setdefault(found.checksum, name)
                    if first != name:
                        copies = report.duplicates if first == "train" else report.shared
                        copies.append(printable(path))
                done += 1
                if progress is not None:
                    progress(done, total)
    report.sizes, report.modes = dict(sizes.most_common(SHOWN)), dict(modes.most_common())
    report.checksum = digest.hexdigest()[:12]
    return report


def _look_at(part: Pictures, row: int) -> Found:
    name = printable(part.paths[row])
    try:
        content = part.read(row)
    except OSError as error:
        return Found("", (0, 0), "", f"{name}: {error.strerror or error}")
    checksum = xxhash.xxh3_64_hexdigest(content)
    try:
        decoded = decode_picture(content, name)
    except InputError as error:
        return Found(checksum, (0, 0), "", str(error))
    return Found(checksum, decoded.image.size, decoded.mode, "", decoded.is_first)
