"""A trained image network on disk: tensors and plain values only."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from aiec_graph.artifacts.checkpoint import build_and_load, read_content, refused
from aiec_graph.artifacts.specs import ONLY_AIEC, find_again, hash_of, without_folders
from aiec_graph.artifacts.tensor_file import save_tensors
from aiec_graph.artifacts.variants import label_of
from aiec_graph.data import default_data_root
from aiec_graph.errors import InputError
from aiec_graph.vision import IMAGES, ImageData, VisionSettings, check_image_size, load_images
from aiec_graph.vision.training import build_network

FORMAT = "image-3"


@dataclass(frozen=True)
class ImageSpec:
    """One backbone with one activation on one data set."""

    dataset: str
    backbone: str
    act: str
    settings: VisionSettings
    changes: dict[str, Any] = field(default_factory=dict)
    """What --act itself changed in the settings; it names the results."""

    @property
    def public_dataset(self) -> str:
        """The data set as results and checkpoints name it."""
        return without_folders(self.dataset)

    @property
    def act_label(self) -> str:
        """The activation's name for the results."""
        return label_of(self.act, self.settings, self.changes)

    @property
    def config_hash(self) -> str:
        """Of everything that the result depends on, beyond the seed."""
        parts = asdict(self)
        parts["dataset"] = self.public_dataset
        del parts["changes"], parts["settings"]["workers"]
        if not self.settings.corrupted:
            del parts["settings"]["corrupted"]
        if self.act not in ("relu_l0", "gelu_l0"):
            del parts["settings"]["lambda_l0"]
        if self.act != "aiec":
            for name in ONLY_AIEC:
                del parts["settings"][name]
        return hash_of(parts)


@dataclass(frozen=True)
class ImageCheckpoint:
    """A network with all that it takes to feed it again."""

    network: nn.Module
    """In eval mode."""
    spec: ImageSpec
    seed: int
    class_names: list[str]
    image_size: int
    class_file: bool
    """Whether the data set was read with a file that names its classes."""
    data_checksum: str
    """Of the data set that it was trained on."""


def save_image_checkpoint(
    path: Path,
    network: nn.Module,
    spec: ImageSpec,
    seed: int,
    data: ImageData,
    class_file: bool,
) -> None:
    """Writes a network.

    Raises:
        InputError: the folder cannot be written.
    """
    content = {
        "format": FORMAT,
        "spec": asdict(replace(spec, dataset=spec.public_dataset)),
        "seed": seed,
        "class_names": list(data.class_names),
        "image_size": data.image_size,
        "classes": class_file,
        "data_checksum": data.checksum,
    }
    save_tensors(path, content, network.state_dict())


def load_image_checkpoint(path: Path) -> ImageCheckpoint:
    """Reads a checkpoint that `vision --checkpoint` wrote.

    Raises:
        InputError: the file is missing, damaged, or something else.
    """
    content, tensors = read_content(path, FORMAT)
    with refused(path):
        parts = dict(content["spec"])
        spec = ImageSpec(**{**parts, "settings": VisionSettings(**parts["settings"])})
        spec.settings.check()
        names = [str(name) for name in content["class_names"]]
        size, seed = int(content["image_size"]), int(content["seed"])
        check_image_size(spec.backbone, size)
        network = build_and_load(
            lambda: build_network(spec.backbone, spec.act, len(names), size, spec.settings), tensors
        )
        rest = (bool(content["classes"]), str(content["data_checksum"]))
    return ImageCheckpoint(network, spec, seed, names, size, *rest)


def load_data_again(
    path: Path, loaded: ImageCheckpoint, data_root: Path | None, dataset: str | None = None
) -> ImageData:
    """Reads the images that a network was trained on, with the settings of then.

    Args:
        path: of the checkpoint, for errors.
        loaded: what it holds.
        data_root: the folder that holds a folder for each data set.
        dataset: where the data lie now; by default where they lay, or below the data's root.

    Raises:
        InputError: they are not there, or have other classes.
    """
    root = data_root or default_data_root()
    source = dataset or find_again(loaded.spec.dataset, root)
    if source not in IMAGES and not Path(source).exists():
        raise InputError(
            f"{path}: trained on {source}, which is not here; name the data by --dataset, or the "
            "folder above it by --data-root"
        )
    with TemporaryDirectory() as folder:
        classes = Path(folder) / "classes.txt" if loaded.class_file else None
        if classes is not None:
            classes.write_text("\n".join(loaded.class_names), encoding="utf-8")
        data = load_images(source, loaded.spec.settings, root, classes=classes)
    if list(data.class_names) != loaded.class_names:
        raise InputError(f"{path}: {source} has other classes than the network was trained on")
    return data
