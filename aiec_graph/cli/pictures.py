"""What commands that take graphs and pictures alike do with pictures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiec_graph.extras import check_extra
from aiec_graph.wording import counted

if TYPE_CHECKING:
    from aiec_graph.vision.profile import PictureProfile


def check_pictures(data: str, json: bool, data_root: Path | None) -> int:
    """The command `check` on pictures.

    Returns:
        The exit code: 2 where there is a fault.
    """
    check_extra("vision")
    from rich.console import Console
    from rich.progress import Progress

    from aiec_graph.data import default_data_root
    from aiec_graph.vision.profile import profile_pictures

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading pictures", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        found = profile_pictures(data, data_root or default_data_root(), show)
    if json:
        from json import dumps

        sys.stdout.write(dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n")
    else:
        _show(data, found)
    return 2 if found.faults else 0


def score_images(
    checkpoint: Path, data: str | None, out: Path, dataset: str | None, data_root: Path | None
) -> int:
    """The command `score` with a checkpoint of an image network.

    Raises:
        InputError: the checkpoint or the pictures cannot be used.
    """
    check_extra("vision")
    from rich.console import Console

    from aiec_graph.artifacts.image_scores import score_pictures
    from aiec_graph.errors import InputError

    if data is not None and dataset is not None:
        raise InputError("give new pictures as DATA, or the data of the training by --dataset")
    if data is not None and not data.strip():
        raise InputError("DATA is without a name; give a folder or a picture")
    folder = None if data is None else Path(data)
    scored = score_pictures(checkpoint, out, folder, dataset, data_root)
    for line in scored.notes:
        Console(stderr=True, soft_wrap=True).print(f"note: {line}", markup=False)
    text = f"{out}: {counted(scored.images, 'picture')} of {scored.label}"
    if scored.top1 is not None:
        text += f", {scored.top1:.1f} % of them right"
    Console(soft_wrap=True).print(text, markup=False, highlight=False)
    return 0


def _show(data: str, found: "PictureProfile") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    report = found.report
    if report.counts:
        table = Table("class", *report.counts)
        for name in next(iter(report.counts.values())):
            counts = (str(own.get(name, 0)) for own in report.counts.values())
            table.add_row(Text(name), *counts)
        table.add_section()
        table.add_row("all", *(f"{sum(own.values()):,}" for own in report.counts.values()))
        console.print(table)
    for what, counts in (("size", report.sizes), ("mode", report.modes)):
        if counts:
            listed = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
            console.print(f"{what}s: {listed}", markup=False)
    lists = {
        "fault": report.faults,
        "left out": report.left_out,
        "in training as well": report.duplicates,
        "in validation as well": report.shared,
        "in two classes": report.contradictions,
        "note": found.notes,
    }
    for what, lines in lists.items():
        for line in lines:
            console.print(f"{what}: {line}", markup=False)
    console.print(
        f"{data}: cannot be used as it is" if found.faults else f"{data}: can be used", markup=False
    )
