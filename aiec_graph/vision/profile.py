"""What the command `check` says about pictures."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiec_graph.errors import InputError
from aiec_graph.vision.check import PictureReport, Progress, check_pictures
from aiec_graph.vision.images import IMAGES, Parts, Request, list_images, own_batches


@dataclass(frozen=True)
class PictureProfile:
    """What a data set of pictures holds, and what is wrong with it."""

    report: PictureReport
    notes: tuple[str, ...] = ()
    """What somebody should know who trains on it."""

    @property
    def faults(self) -> list[str]:
        """Why no command would take it."""
        return self.report.faults

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self.report) | {"notes": list(self.notes)}


def profile_pictures(
    data: str, data_root: Path, progress: Progress | None = None
) -> PictureProfile:
    """Reads pictures as a training would, every one; faults are told, not raised.

    Args:
        data: one of `IMAGES`, or the path of a folder or table.
        data_root: where data sets are looked for.
        progress: is called with the number of files read and of all.
    """
    place = Path(data)
    try:
        if data in IMAGES:
            return _of_parts(IMAGES[data].read(Request(data_root / data, progress=progress)))
        batches = own_batches(place)
        if batches is not None:
            return _of_parts(batches(Request(place)))
        listed = list_images(place)
    except InputError as error:
        return PictureProfile(PictureReport("", faults=[str(error)]))
    report = check_pictures(listed, progress)
    report.faults[:0] = listed.faults
    return PictureProfile(report, (*listed.notes, *report.notes()))


def _of_parts(parts: Parts) -> PictureProfile:
    names = [str(name) for name in parts.class_names]
    found = {"train": parts.train, "val": parts.val, "test": parts.test}
    counts = {
        part: dict(zip(names, map(int, np.bincount(one.labels, minlength=len(names))), strict=True))
        for part, one in found.items()
        if one is not None
    }
    return PictureProfile(PictureReport(parts.checksum, counts), parts.notes)
