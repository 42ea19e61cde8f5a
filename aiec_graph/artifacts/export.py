"""A trained image network without AIEC's units, for other runtimes: torch.export or ONNX."""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aiec_graph.artifacts.image_checkpoint import ImageCheckpoint, load_image_checkpoint
from aiec_graph.core import strip
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.vision.transforms import MEAN, STD

FORMATS = (".onnx", ".pt2")
PREFIX = "aiec_"
"""Of the names of what stands in a file beside the network."""
TOLERANCE = 1e-5
CHECKED = (1, 3)  # batch sizes that the file is checked with, other than the one it was traced by


def export(checkpoint: Path, out: Path) -> float:
    """Strips a network and writes it, once what was written gives the same logits.

    Args:
        checkpoint: that `vision --checkpoint` wrote.
        out: `NAME.onnx` for ONNX, `NAME.pt2` for torch.export; the batch may have any size.

    Returns:
        The largest difference between its logits and the network's.

    Raises:
        InputError: the checkpoint or the name cannot be used, a library is missing, or the logits
            differ by more than 1e-5.
    """
    if out.suffix not in FORMATS:
        raise InputError(f"{out}: the name must end in {' or '.join(FORMATS)}")
    loaded = load_image_checkpoint(checkpoint)
    network = strip(loaded.network).eval()
    difference = 0.0

    def write(draft: Path) -> None:
        nonlocal difference
        save = export_onnx if out.suffix == ".onnx" else export_torch
        difference = save(network, loaded.image_size, draft, describe(loaded))
        if not difference <= TOLERANCE:
            raise InputError(
                f"{out}: not written, for its logits would differ by {difference:.1e} from the "
                f"network's, which is more than {TOLERANCE:g}"
            )

    write_whole(out, write)
    return difference


def describe(loaded: ImageCheckpoint) -> dict[str, str]:
    """What a program has to know that feeds the network: each value as JSON.

    Images are [N, 3, image_size, image_size], RGB within 0 and 1, minus mean, divided by std.
    """
    found = {
        "image_size": loaded.image_size,
        "mean": list(MEAN),
        "std": list(STD),
        "classes": loaded.class_names,
        "backbone": loaded.spec.backbone,
        "activation": loaded.spec.act_label,
    }
    return {f"{PREFIX}{name}": json.dumps(value) for name, value in found.items()}


def export_torch(
    network: nn.Module, image_size: int, path: Path, about: Mapping[str, str] | None = None
) -> float:
    """Writes a network by torch.export; `about` becomes files of their own in it.

    Returns:
        The largest difference between the written network's logits and the network's.
    """
    program = _program(network, image_size)
    torch.export.save(program, path, extra_files=dict(about or {}))
    again = torch.export.load(path).module()
    return _difference(network, image_size, lambda images: again(images))


def export_onnx(
    network: nn.Module, image_size: int, path: Path, about: Mapping[str, str] | None = None
) -> float:
    """Writes a network as ONNX; `about` becomes its metadata.

    Returns:
        The largest difference between ONNX Runtime's logits and the network's.

    Raises:
        InputError: a library is missing.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"ONNX needs further libraries ({error}): pip install 'aiec-graph[export]'"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations between torch and onnxscript
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        made: Any = torch.onnx.export(
            _program(network, image_size),
            input_names=["images"],
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    made.model.metadata_props.update(about or {})
    made.save(str(path), external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        found: Any = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(found[0])

    return _difference(network, image_size, run)


def _program(network: nn.Module, image_size: int) -> torch.export.ExportedProgram:
    # Traced with two images: a single one would be taken for a constant.
    example = torch.zeros(2, 3, image_size, image_size)
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(network, (example,), dynamic_shapes=({0: batch},))


def _difference(network: nn.Module, image_size: int, run: Any) -> float:
    largest = 0.0
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for batch in CHECKED:
            images = torch.randn(batch, 3, image_size, image_size, generator=generator)
            largest = max(largest, float((network(images) - run(images)).abs().max()))
    return largest
