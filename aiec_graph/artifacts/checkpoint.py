"""Trained networks on disk: tensors and plain values only, so that loading one runs no code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.data import Conditions, Preprocessor, TextGraph, check_dataset
from aiec_graph.data.storage.safe_load import load_weights_only
from aiec_graph.errors import InputError, named
from aiec_graph.files import write_whole
from aiec_graph.nn.networks import GNN
from aiec_graph.train import TrainSettings, build_model, check_settings

FORMAT = 2


def save_checkpoint(
    path: Path, network: GNN, preprocessor: Preprocessor, cell: RunSpec, seed: int, checksum: str
) -> None:
    """Writes a network with all that it takes to build and to feed it again.

    Args:
        path: the file.
        network: the network.
        preprocessor: makes its inputs.
        cell: what it was trained as.
        seed: of its run.
        checksum: of the data that it was trained on.

    Raises:
        InputError: the folder cannot be written.
    """
    content = {
        "format": FORMAT,
        "cell": asdict(cell),
        "seed": seed,
        "data_checksum": checksum,
        "in_channels": network.convs[0].in_channels,
        "preprocessor": preprocessor.state(),
        "state_dict": network.state_dict(),
    }
    write_whole(path, lambda draft: torch.save(content, draft))


class Checkpoint(NamedTuple):
    """What a checkpoint of a graph network holds."""

    network: GNN
    """In eval mode."""
    preprocessor: Preprocessor
    """Makes its inputs."""
    cell: RunSpec
    """What it was trained as."""
    seed: int
    checksum: str | None
    """Of the data that it was trained on; None where an earlier version did not note it."""


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        InputError: the file is missing, damaged or not a checkpoint of this project.
    """
    content = read_content(path, FORMAT)
    with refused(path):
        parts = dict(content["cell"])
        text = parts.get("text")
        parts["text"] = None if text is None else TextGraph(**text)
        parts["conditions"] = Conditions(**parts.get("conditions", {}))
        cell = RunSpec(**{**parts, "settings": TrainSettings(**parts["settings"])})
        check_settings(cell.settings)
        check_dataset(str(cell.dataset), cell.simulate is not None)
        seed = int(content["seed"])
        network = build_model(cell.model, cell.act, content["in_channels"], cell.settings)
        network.load_state_dict(content["state_dict"])
        preprocessor = Preprocessor.from_state(content["preprocessor"])
        checksum = content.get("data_checksum")
    return Checkpoint(network.eval(), preprocessor, cell, seed, checksum)


def read_content(path: Path, expected: object = None) -> dict[str, Any]:
    """What a checkpoint holds, of graphs or of images.

    Args:
        path: the file.
        expected: the format that it must have; None takes any.

    Raises:
        InputError: the file is missing, damaged, no checkpoint of this project or of another
            format.
    """
    try:
        with path.open("rb") as stream:
            content: dict[str, Any] = load_weights_only(stream, path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f"{path}: not a checkpoint that --checkpoint wrote")
    found = str(content["format"])
    if expected is not None and found != str(expected):
        if found.startswith("image-") != str(expected).startswith("image-"):
            kind = "images" if found.startswith("image-") else "graphs"
            raise InputError(
                f"{path}: a checkpoint of a network for {kind}, which is of no use here"
            )
        raise InputError(f"{path}: a checkpoint of another version of aiec_graph; train it anew")
    return content


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Turns whatever the parts of a checkpoint fail with into an error that names its file.

    Raises:
        InputError: the block within raised.
    """
    try:
        with named(path):
            yield
    except InputError:
        raise
    except (KeyError, TypeError, RuntimeError, ValueError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: an incomplete or altered checkpoint ({reason})") from None
