"""How an image network is trained: the paper's Table 7 by default."""

from dataclasses import dataclass, field
from typing import Any

from aiec_graph.errors import InputError

REFERENCE_BATCH = 512
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")


@dataclass(frozen=True)
class VisionSettings:
    """Settings of one run; the text below each field is the command line's help for it."""

    epochs: int = 300
    """Epochs."""
    batch_size: int = 128
    """Images in a step, over all devices."""
    lr: float = 0.0005
    """Learning rate of AdamW for a batch of 512; scaled with the batch."""
    weight_decay: float = 0.05
    """Weight decay, of weights with more than one dimension."""
    warmup_epochs: int = 5
    """Epochs of linear warm-up from 1e-6; a cosine to 0 follows."""
    drop_path: float = 0.1
    """Share of residual branches that are dropped in training."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    image_size: int = 0
    """Height and width in pixels; 0 takes the data set's own."""
    augment: str = "auto"
    """full (crop, flip, colour, RandAugment, erasing), none, or auto: none for digits, which a
    flip turns into others."""
    precision: str = "32-true"
    """32-true, 16-mixed or bf16-mixed."""
    limit_train: int = 0
    """Train on so many images only; 0 takes all."""
    corrupted: int = 0
    """So many test images, drawn by class, at least one of each, are also tested with noise, blur,
    less contrast and JPEG, at five strengths each."""
    workers: int = 0
    """Processes that load images."""
    lambda_aux: float = 1.0
    """AIEC: weight of the auxiliary loss."""
    lambda_gate: float = 0.1
    """AIEC: weight of the gate loss; 0 leaves the auxiliary loss alone, which is not AIEC. The
    paper's 200 lets the gates' gradient outweigh the task's in convolutional networks."""
    lambda_l0: float = 0.01
    """relu_l0, gelu_l0: weight of the share of open gates."""
    act_options: dict[str, Any] = field(default_factory=dict)
    """AIEC: its further options, such as {gate: union, count: all, tau: 0.1}."""

    def check(self) -> None:
        """Checks names and ranges.

        Raises:
            InputError: one is out of range.
        """
        from aiec_graph.core.activations import check_options

        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("warmup_epochs", "workers", "limit_train", "image_size", "corrupted"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("weight_decay",):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("lr", "clip"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("lambda_aux", "lambda_gate", "lambda_l0"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        check_options(self.act_options)
        if not 0 <= self.drop_path < 1:
            raise InputError(f"drop_path must be at least 0 and below 1, not {self.drop_path}")
        for name, known in (("augment", ("auto", "full", "none")), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
