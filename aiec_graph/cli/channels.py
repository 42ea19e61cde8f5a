"""The command `channels`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

FOLDER = Path("results/channels")
HEADINGS = {
    "class": "class",
    "samples": "samples",
    "mostly_active_%": "active\n%",
    "silent_%": "silent\n%",
    "irrelevant_%": "irrelevant\n%",
    "rank_correlation": "rank\ncorr.",
    "weights": "weights",
}
"""Of the columns that the terminal shows in 80 characters; the file has the others as well."""


def channels(
    checkpoint: list[Path],
    out: Path = FOLDER,
    layer: str = "last",
    classes: list[str] = [],  # noqa: B006 (never changed)
    fit: bool = False,
    dataset: str | None = None,
    data_root: Path | None = None,
) -> int:
    """Shows how active each channel is for a class, and how a classifier weighs it.

      run_bench.py channels results/reddit/checkpoints/NAME.pt
      run_bench.py channels RELU.pt AIEC.pt --classes truck --data-root DIR

    Takes checkpoints of graph and of image networks that --checkpoint kept. One alone is drawn in
    the order of its channels and sorted; several are drawn sorted, side by side. Results: a PNG for
    each layer and four classes, channels.csv and channels_summary.csv in --out.

    Args:
        checkpoint: Files that --checkpoint wrote.
        out: Folder for the results.
        layer: last, all, or the name of a layer.
        classes: Names of classes; all by default.
        fit: Fit a linear classifier to AIEC's features too, as is done for other activations,
            instead of showing the weights of its own decision unit.
        dataset: The data of the training, where they lie elsewhere today.
        data_root: Folder that holds a folder for each data set.

    Raises:
        InputError: a checkpoint, option or data set cannot be used.
    """
    from rich.console import Console
    from rich.markup import escape

    from aiec_graph.bench.probes.channels import Source, draw_channels

    source = Source(data_root, dataset)
    summary = draw_channels(checkpoint, out, layer, classes, source, fit, Console(stderr=True))
    title = escape(f"Channels on test samples of {summary['data'].iloc[0]}; figures in {out}/")
    Console().print(_to_rich(summary, title))
    return 0


def _to_rich(frame: "pd.DataFrame", title: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("network", overflow="fold")
    for column, heading in HEADINGS.items():
        is_text = column in ("class", "weights")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=column != "class")
    for row in frame.to_dict("records"):
        shown = (row[column] for column in HEADINGS)
        cells = (f"{value:.2f}" if isinstance(value, float) else str(value) for value in shown)
        table.add_row(f"{row['network']}, {row['layer']}", *cells)
    return table
