"""Tensors and plain values in one file: safetensors, with JSON and a checksum in its header.

Loading one runs no code. Equal content gives equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from aiec_graph.errors import InputError
from aiec_graph.files import write_whole

SUFFIX = ".safetensors"
HEADER = "aiec_graph"
"""The one key of the header, for safetensors writes several in any order."""
ZIP = b"PK\x03\x04"


def save_tensors(path: Path, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors and plain values, whole or not at all.

    Args:
        path: the file; `.safetensors` by custom.
        content: values that JSON knows; with text for keys.
        tensors: by name, on any device.

    Raises:
        InputError: the file cannot be written, a full disk included.
    """
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(content, sort_keys=True)
    header = json.dumps({"checksum": _checksum(text, own), "content": text}, sort_keys=True)
    # Written by us, for safetensors' own writer ends in another error on a full disk.
    data = safetensors.torch.save(own, {HEADER: header})
    write_whole(path, lambda draft: draft.write_bytes(data))


def load_tensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads what `save_tensors` wrote.

    The file's header is checked against its size before memory is taken, and the content against
    its checksum.

    Returns:
        The values and the tensors.

    Raises:
        InputError: the file is missing, damaged, or something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if data.startswith(ZIP):
        raise InputError(
            f"{path}: a checkpoint of an earlier version of aiec_graph, or another archive; "
            "checkpoints are .safetensors now, so train it anew"
        )
    try:
        tensors = safetensors.torch.load(data)
        metadata = _read_metadata(data)
    except (safetensors.SafetensorError, ValueError, KeyError, RecursionError, TypeError):
        raise InputError(f"{path}: damaged, or not a model of this program") from None
    if HEADER not in metadata:
        raise InputError(f"{path}: not a checkpoint that --checkpoint wrote")
    try:
        header = json.loads(metadata[HEADER])
        text = header["content"]
        intact = header["checksum"] == _checksum(text, tensors)
        content = json.loads(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact, content = False, None
    if not intact or not isinstance(content, dict):
        raise InputError(f"{path}: damaged: its content is not what its checksum says")
    return content, tensors


def _read_metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__") or {}


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        found.update(f"\n{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
