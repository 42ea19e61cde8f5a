"""Trained graph networks on disk: tensors and plain values only, so that loading runs no code."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from aiec_graph.artifacts.specs import RunSpec
from aiec_graph.artifacts.tensor_file import load_tensors, save_tensors
from aiec_graph.artifacts.trained_on import TrainedOn
from aiec_graph.data import Graph, Perturbations, Preprocessor, Split, TextGraph
from aiec_graph.data.user import Declaration
from aiec_graph.errors import InputError, named
from aiec_graph.nn.networks import GNN
from aiec_graph.train import TrainSettings, build_model, check_settings

FORMAT = "graph-5"
M = TypeVar("M", bound=nn.Module)
NETWORK, PREPROCESSOR, NODES = "network.", "preprocessor.", "nodes."


@dataclass(frozen=True)
class Origin:
    """What a network was trained on."""

    checksum: str
    """Of the data."""
    declaration: Mapping[str, Any]
    """What was declared of the user's own tables."""
    trained_on: TrainedOn
    """The training and validation nodes."""
    is_weighted: bool = False
    """Whether the edges had weights."""

    @classmethod
    def of(cls, graph: Graph, split: Split) -> "Origin":
        """Of a graph and the split of its nodes."""
        is_weighted = graph.edges.weight is not None
        return cls(graph.checksum, graph.declaration, TrainedOn.of(graph, split), is_weighted)


def save_checkpoint(
    path: Path, network: GNN, preprocessor: Preprocessor, spec: RunSpec, seed: int, origin: Origin
) -> None:
    """Writes a network with all that it takes to build and to feed it again.

    Args:
        path: the file.
        network: the network.
        preprocessor: makes its inputs.
        spec: what it was trained as; of a folder of the user's only the name is kept.
        seed: of its run.
        origin: the data that it was trained on.

    Raises:
        InputError: the file cannot be written.
    """
    state = preprocessor.state()
    tensors = {f"{PREPROCESSOR}{k}": v for k, v in state.items() if isinstance(v, Tensor)}
    content = {
        "format": FORMAT,
        "spec": asdict(replace(spec, dataset=spec.public_dataset)),
        "seed": seed,
        "data_checksum": origin.checksum,
        "data_content": origin.trained_on.content,
        "declaration": dict(origin.declaration),
        "is_weighted": origin.is_weighted,
        "in_channels": network.convs[0].in_channels,
        "preprocessor": {k: v for k, v in state.items() if not isinstance(v, Tensor)},
    }
    hashes = origin.trained_on.hashes
    tensors |= {f"{NODES}{part}": torch.from_numpy(found) for part, found in hashes.items()}
    tensors |= {f"{NETWORK}{name}": value for name, value in network.state_dict().items()}
    save_tensors(path, content, tensors)


class Checkpoint(NamedTuple):
    """What a checkpoint of a graph network holds."""

    network: GNN
    """In eval mode."""
    preprocessor: Preprocessor
    """Makes its inputs."""
    spec: RunSpec
    """What it was trained as."""
    seed: int
    origin: Origin
    """The data that it was trained on."""


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        InputError: the file is missing, damaged or not a checkpoint of this project.
    """
    content, tensors = read_content(path, FORMAT)
    with refused(path):
        parts = dict(content["spec"])
        text = parts.get("text")
        parts["text"] = None if text is None else TextGraph(**text)
        parts["perturbations"] = Perturbations(**parts["perturbations"])
        spec = RunSpec(**{**parts, "settings": TrainSettings(**parts["settings"])})
        check_settings(spec.settings)
        in_channels, state = int(content["in_channels"]), _below(NETWORK, tensors)
        if not 1 <= spec.settings.layers <= len(state):
            raise InputError(f"{spec.settings.layers} layers, but {len(state)} tensors")
        network = build_and_load(
            lambda: build_model(spec.model, spec.act, in_channels, spec.settings), state
        )
        preprocessor = Preprocessor.from_state(
            content["preprocessor"] | _below(PREPROCESSOR, tensors)
        )
        hashes = {part: found.numpy() for part, found in _below(NODES, tensors).items()}
        origin = Origin(
            checksum=str(content["data_checksum"]),
            declaration=Declaration.from_dict(content["declaration"]).to_dict(),
            trained_on=TrainedOn(hashes, str(content["data_content"])),
            is_weighted=bool(content["is_weighted"]),
        )
        seed = int(content["seed"])
    return Checkpoint(network, preprocessor, spec, seed, origin)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = {name: value for name, value in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in own.items()}


def build_and_load(build: Callable[[], M], state: Mapping[str, Tensor]) -> M:
    """Builds a network for the tensors of a checkpoint, in eval mode.

    It is built without memory first and compared with the tensors, so that a file cannot ask for
    more memory than its own size.

    Raises:
        InputError: the tensors are not those of such a network.
    """
    with torch.device("meta"):
        expected = {name: value.shape for name, value in build().state_dict().items()}
    for name in sorted(expected.keys() | state.keys()):
        wanted, found = expected.get(name), state[name].shape if name in state else None
        if wanted != found:
            asked, given = ("none" if s is None else f"shape {list(s)}" for s in (wanted, found))
            raise InputError(
                f"an incomplete or altered checkpoint: for {name} its settings ask for {asked}, "
                f"and it holds {given}"
            )
    network = build()
    network.load_state_dict(state)
    return network.eval()


def read_content(
    path: Path, expected: str | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a checkpoint holds, of graphs or of images.

    Args:
        path: the file.
        expected: the format that it must have; None takes any.

    Raises:
        InputError: the file is missing, damaged, no checkpoint of this project or of another
            format.
    """
    content, tensors = load_tensors(path)
    found = str(content.get("format"))
    if expected is not None and found != expected:
        kind = found.partition("-")[0]
        if kind in ("image", "graph") and kind != expected.partition("-")[0]:
            raise InputError(
                f"{path}: a checkpoint of a network for {kind}s, which is of no use here"
            )
        raise InputError(f"{path}: a checkpoint of another version of aiec_graph; train it anew")
    return content, tensors


def is_of_images(content: dict[str, Any]) -> bool:
    """Whether the content of a checkpoint is that of an image network."""
    return str(content.get("format")).startswith("image-")


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
