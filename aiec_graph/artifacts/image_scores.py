"""What a trained image network says about pictures, as a table."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiec_graph.artifacts.image_checkpoint import (
    ImageCheckpoint,
    load_data_again,
    load_image_checkpoint,
)
from aiec_graph.errors import InputError
from aiec_graph.tables import write_csv
from aiec_graph.vision.check import name_some
from aiec_graph.vision.classes import spelled
from aiec_graph.vision.folders import read_picture
from aiec_graph.vision.listing import printable, walk_pictures
from aiec_graph.vision.predict import predict_images
from aiec_graph.vision.transforms import test_transform
from aiec_graph.wording import listed

BATCH = 64


class ScoredPictures(NamedTuple):
    """What `score_pictures` did."""

    label: str
    """Of the pictures."""
    images: int
    top1: float | None
    """Accuracy in percent; None where the pictures' classes are not known."""
    notes: tuple[str, ...]


def score_pictures(
    checkpoint: Path,
    out: Path,
    data: Path | None = None,
    dataset: str | None = None,
    data_root: Path | None = None,
) -> ScoredPictures:
    """Writes a row per picture: its file, the predicted class, and each class's probability.

    Args:
        checkpoint: that `vision --checkpoint` wrote.
        out: the table, .csv.
        data: new pictures: a file, or a folder of whatever form; where all of them lie in folders
            with the names of the network's classes, the table has their class as well. By default
            the test images of the training's data.
        dataset: where these data lie now.
        data_root: the folder that holds a folder for each data set.

    Raises:
        InputError: the checkpoint, the data or the table cannot be used, or no picture can be read.
    """
    if out.suffix.lower() != ".csv":
        raise InputError(f"{out}: the name must end in .csv")
    loaded = load_image_checkpoint(checkpoint)
    if data is None:
        images = load_data_again(checkpoint, loaded, data_root, dataset)
        logits, labels = predict_images(loaded.network, images.test, BATCH)
        names, notes, label = images.files("test"), list(images.notes), images.name
        if images.checksum != loaded.data_checksum:
            notes.append(f"{images.name} holds other images than when the network was trained")
    else:
        paths, notes = _find(data)
        logits, kept, faults = _predict(loaded, paths)
        if not kept:
            raise InputError("; ".join(faults[:3]) or f"{data}: no picture in it")
        if faults:
            notes.append(name_some(faults, "picture", "left out", "; "))
        folder = data if data.is_dir() else data.parent
        below = [path.relative_to(folder) for path in kept]
        names, label = [printable(path) for path in below], printable(Path(data.name))
        labels = _labels(below, loaded.class_names)
        if labels is None and data.is_dir():
            notes.append(_unknown(below, loaded.class_names))
    write_csv(_table(names, logits, labels, loaded.class_names), out)
    top1 = None if labels is None else 100 * float((logits.argmax(1) == labels).mean())
    return ScoredPictures(label, len(names), top1, tuple(notes))


def _find(data: Path) -> tuple[list[Path], list[str]]:
    if data.is_file():
        return [data], []
    if not data.is_dir():
        raise InputError(f"{data}: there is no such folder or picture")
    paths, left_out, broken = walk_pictures(data)
    notes = list(broken)
    if left_out:
        shown = [printable(path) for path in left_out]
        notes.append(name_some(shown, "file", "left out for want of a picture's suffix"))
    return paths, notes


def _predict(
    loaded: ImageCheckpoint, paths: Sequence[Path]
) -> tuple[NDArray[np.float32], list[Path], list[str]]:
    """The logits of the pictures that can be read, these, and why the others cannot."""
    transform = test_transform(loaded.image_size)

    def read(path: Path) -> Tensor | str:
        try:
            return transform(read_picture(path))
        except InputError as error:
            return str(error)

    logits, kept, faults = [np.empty((0, len(loaded.class_names)), np.float32)], [], []
    with ThreadPoolExecutor() as pool, torch.no_grad():
        for start in range(0, len(paths), BATCH):
            own = paths[start : start + BATCH]
            found = list(zip(own, pool.map(read, own), strict=True))
            images = [(path, image) for path, image in found if isinstance(image, Tensor)]
            faults += [text for _, text in found if isinstance(text, str)]
            if images:
                kept += [path for path, _ in images]
                batch = torch.stack([image for _, image in images])
                logits.append(loaded.network(batch).float().numpy())
    return np.concatenate(logits), kept, faults


def _labels(below: Sequence[Path], class_names: Sequence[str]) -> NDArray[np.int64] | None:
    """The number of each picture's class; None unless all lie in folders of the classes."""
    number = {name: k for k, name in enumerate(class_names)}
    found = [number.get(_folder(path), -1) for path in below]
    return None if -1 in found else np.array(found, np.int64)


def _folder(path: Path) -> str:
    """The first folder of a path as a class is named; empty where there is none."""
    return printable(Path(spelled(path.parts[0]))) if len(path.parts) > 1 else ""


def _unknown(below: Sequence[Path], class_names: Sequence[str]) -> str:
    """Says why pictures below a folder have no class."""
    others = sorted({*map(_folder, below)} - {"", *class_names})
    if not others:
        return "without accuracy: not every picture lies in a folder with the name of its class"
    return f"without accuracy: the network has no class {listed(map(repr, others))}"


def _table(
    names: Sequence[str],
    logits: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    class_names: Sequence[str],
) -> pd.DataFrame:
    probability = torch.from_numpy(logits).softmax(1).numpy()
    best = probability.argmax(1)
    of_classes = np.array(class_names, dtype=object)
    columns: dict[str, Any] = {"image": list(names)}
    if labels is not None:
        columns["class"] = list(of_classes[labels])
    columns["predicted"] = list(of_classes[best])
    columns["probability"] = list(probability[np.arange(len(best)), best])
    each = pd.DataFrame(probability, columns=[f"p_{name}" for name in class_names])
    return pd.concat([pd.DataFrame(columns), each], axis=1)
