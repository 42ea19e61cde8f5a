"""What comes out of an image run beside its row: predictions, accuracy by class, curves, a page."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from aiec_graph.files import write_whole
from aiec_graph.tables import write_csv

BINS = 10


def predictions(
    logits: NDArray[np.float32], labels: NDArray[np.int64], names: list[str], files: list[str]
) -> pd.DataFrame:
    """One row an image: its file (or number), its class, the predicted one and its probability.

    Args:
        logits: [N, K].
        labels: [N].
        names: of the classes [K].
        files: of the images [N]; numbers where they are in no file.
    """
    probability = torch.from_numpy(logits).softmax(1).numpy()
    best = probability.argmax(1)
    of_classes = np.array(names, dtype=object)
    return pd.DataFrame(
        {
            "image": files,
            "class": of_classes[labels],
            "predicted": of_classes[best],
            "probability": probability[np.arange(len(best)), best],
            "is_right": best == labels,
        }
    )


def by_class(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Images and accuracy in percent for each class, in the classes' order."""
    grouped = rows.groupby("class", sort=False)["is_right"]
    table = pd.DataFrame({"images": grouped.size(), "accuracy": 100 * grouped.mean()})
    return table.reindex(names).rename_axis("class").reset_index()


def calibration(rows: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Accuracy by predicted probability, in ten bins, and the expected calibration error.

    Returns:
        A row for each bin that holds images: images, mean probability, accuracy; and the mean over
        images of the distance of the two, within [0, 1] (Guo et al., 2017).
    """
    bins = np.minimum((rows["probability"] * BINS).astype(int), BINS - 1)
    grouped = rows.groupby(bins)
    table = pd.DataFrame(
        {
            "images": grouped.size(),
            "probability": grouped["probability"].mean(),
            "accuracy": grouped["is_right"].mean(),
        }
    )
    distance = (table["probability"] - table["accuracy"]).abs()
    return table, float((distance * table["images"]).sum() / len(rows))


def write_pictures_report(
    folder: Path, title: str, rows: pd.DataFrame, names: list[str], history: pd.DataFrame
) -> None:
    """Writes predictions.csv, classes.csv, confusion.csv, the figure, and a page with them.

    Args:
        folder: of one run.
        title: of the page.
        rows: from `predictions`.
        names: of the classes.
        history: a row an epoch: epoch, loss, val_top1, seconds.

    Raises:
        InputError: the folder cannot be written.
    """
    classes = by_class(rows, names)
    confusion = pd.crosstab(rows["class"], rows["predicted"]).reindex(
        index=names, columns=names, fill_value=0
    )
    _, error = calibration(rows)
    write_csv(rows, folder / "predictions.csv")
    write_csv(classes, folder / "classes.csv")
    write_csv(confusion.rename_axis("class").reset_index(), folder / "confusion.csv")
    write_csv(history, folder / "history.csv")
    write_whole(folder / "run.png", lambda path: _draw(path, rows, confusion, history))
    right = 100 * rows["is_right"].mean()
    page = (
        f"# {title}\n\n"
        f"{len(rows):,} test images, looked at once, after the last epoch: {right:.1f} % right; "
        f"expected calibration error {100 * error:.1f} %.\n\n![curves](run.png)\n\n"
        f"{classes.to_markdown(index=False, floatfmt='.1f')}\n"
    )
    write_whole(folder / "index.md", lambda path: path.write_text(page, encoding="utf-8"))


def _draw(path: Path, rows: pd.DataFrame, confusion: pd.DataFrame, history: pd.DataFrame) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    axes: Any = figure.subplots(1, 3)
    loss, share, right = axes
    loss.plot(history["epoch"], history["loss"], color="#0072B2")
    loss.set(xlabel="epoch", ylabel="training loss")
    accuracy = loss.twinx()
    accuracy.plot(history["epoch"], history["val_top1"], color="#D55E00", linestyle="--")
    accuracy.set(ylabel="validation accuracy in % (dashed)", ylim=(0, 100))
    counts = confusion.to_numpy()
    share.imshow(
        counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="cividis", vmin=0, vmax=1
    )
    share.set(xlabel="predicted class", ylabel="class", title="share of each class's images")
    if len(confusion) <= 20:
        share.set_xticks(range(len(confusion)), confusion.columns, rotation=90)
        share.set_yticks(range(len(confusion)), confusion.index)
    table, _ = calibration(rows)
    right.plot([0, 1], [0, 1], color="0.6", linestyle=":")
    right.plot(table["probability"], table["accuracy"], marker="o", color="#009E73", clip_on=False)
    right.set(xlabel="predicted probability", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path, dpi=110)
