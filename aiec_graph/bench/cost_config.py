"""What the command `cost` is asked to do."""

from dataclasses import dataclass, field
from pathlib import Path

from aiec_graph.bench.config import variants_of
from aiec_graph.errors import InputError, look_up
from aiec_graph.names import IMAGE_ACTIVATIONS

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class CostConfig:
    """The whole command; the text below each field is its help."""

    backbone: list[str] = field(default_factory=lambda: ["vit_tiny", "resnet18"])
    """Networks."""
    act: list[str] = field(
        default_factory=lambda: ["relu_naive", "gelu_naive", "relu", "gelu", "aiec"]
    )
    """Activations; the first is what the others are divided by."""
    image_size: int = 224
    """Height and width in pixels."""
    batch_size: int = 32
    """Images in a step; the paper's 1,024 need a large accelerator."""
    num_classes: int = 100
    """Number of classes."""
    rounds: int = 10
    """Timed steps of each network, in turn with those of the others; medians are reported."""
    warmup: int = 2
    """Steps before the first timed one."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    out: Path | None = None
    """Folder for the results (default: results/cost)."""

    def check(self) -> None:
        """Checks names and ranges.

        Raises:
            InputError: one is unknown or out of range.
        """
        import torch

        from aiec_graph.vision.backbones import check_image_size

        for option in ("backbone", "act"):
            if not getattr(self, option):
                raise InputError(f"name at least one {option} with --{option}")
        for name in self.backbone:
            check_image_size(name, self.image_size)
        variants_of(self.act, IMAGE_ACTIVATIONS)
        for name, least in (("batch_size", 2), ("num_classes", 2), ("rounds", 1), ("warmup", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        look_up(self.device, dict.fromkeys(DEVICES), "device")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device cuda: there is none here; leave --device out")

    @property
    def chosen_device(self) -> str:
        """The device that is measured: cpu or cuda."""
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"
