"""Training an image network through Lightning, in the paper's settings."""

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from timm.optim._optim_factory import create_optimizer_v2
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy

from aiec_graph.core import AIECLoss
from aiec_graph.core.activations import check_options
from aiec_graph.errors import InputError
from aiec_graph.vision.backbones import BACKBONES, make_backbone
from aiec_graph.vision.images import ImageData
from aiec_graph.vision.rivals import HardConcrete
from aiec_graph.vision.settings import REFERENCE_BATCH, VisionSettings
from aiec_graph.vision.sites import convert

WARMUP_LR = 1e-6
TOP_K = 5
LAST = "last.ckpt"


class VisionResult(NamedTuple):
    """A trained network and how it did, after its last epoch."""

    network: nn.Module
    """In eval mode, on the CPU."""
    top1: float
    """Test accuracy in percent."""
    top5: float
    test_loss: float
    train_loss: float
    """Mean of the whole objective over the last epoch."""
    seconds_per_epoch: float
    """Wall time with evaluation, of the epochs that this process ran; 0 if it ran none."""


def build_network(
    backbone: str, act: str, num_classes: int, image_size: int, settings: VisionSettings
) -> nn.Module:
    """Makes a backbone with an activation in its blocks.

    Raises:
        InputError: a name is unknown, the images do not fit, or an option is unknown.
    """
    network = make_backbone(backbone, num_classes, image_size, settings.drop_path)
    check_options(settings.act_options)
    convert(
        network,
        act,
        num_classes=num_classes,
        image_size=image_size,
        blocks=BACKBONES[backbone].blocks,
        options=settings.act_options if act == "aiec" else {},
    )
    return network


class Classifier(L.LightningModule):
    """A network with the objective of the paper (eq. 14)."""

    def __init__(self, network: nn.Module, num_classes: int, settings: VisionSettings) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.objective = AIECLoss(network, settings.lambda_aux, settings.lambda_gate)
        self.top1 = MulticlassAccuracy(num_classes, average="micro")
        self.top5 = MulticlassAccuracy(num_classes, average="micro", top_k=min(TOP_K, num_classes))

    def on_train_epoch_start(self) -> None:
        self.objective.start_epoch()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        images, y = batch
        losses = self.objective(self.network(images), y)
        if not torch.isfinite(losses.total):
            raise InputError(
                f"the loss is {losses.total.item()} at epoch {self.current_epoch + 1}; try a "
                "smaller --lr or --lambda-gate"
            )
        total = losses.total
        gates = [m.penalty() for m in self.network.modules() if isinstance(m, HardConcrete)]
        if gates:
            total = total + self.settings.lambda_l0 * torch.stack(gates).mean()
        self.log("loss", total, on_step=False, on_epoch=True, prog_bar=True)
        for name in ("task", "aux", "gate"):
            self.log(f"loss_{name}", getattr(losses, name), on_step=False, on_epoch=True)
        return total

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, y = batch
        logits = self.network(images).float()
        for name, value in (
            ("test_loss", F.cross_entropy(logits, y)),
            ("top1", self._accuracy(self.top1, logits, y)),
            ("top5", self._accuracy(self.top5, logits, y)),
        ):
            show = name == "top1"
            self.log(name, value, on_step=False, on_epoch=True, prog_bar=show, batch_size=len(y))

    @staticmethod
    def _accuracy(metric: MulticlassAccuracy, logits: Tensor, y: Tensor) -> MulticlassAccuracy:
        metric.update(logits, y)
        return metric

    def configure_optimizers(self) -> Any:
        settings = self.settings
        optimizer = make_optimizer(self.network, settings)
        warmup = min(settings.warmup_epochs, settings.epochs - 1)
        scheduler = CosineLRScheduler(
            optimizer, t_initial=settings.epochs, warmup_t=warmup, warmup_lr_init=WARMUP_LR
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "epoch"}]

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        scheduler.step(epoch=self.current_epoch + 1)


def make_optimizer(network: nn.Module, settings: VisionSettings) -> torch.optim.Optimizer:
    """AdamW at the learning rate for the batch; norms and biases do not decay."""
    rate = settings.lr * settings.batch_size / REFERENCE_BATCH
    return create_optimizer_v2(network, opt="adamw", lr=rate, weight_decay=settings.weight_decay)


def train_images(
    backbone: str,
    act: str,
    data: ImageData,
    settings: VisionSettings,
    seed: int,
    folder: Path,
    devices: int = 1,
) -> VisionResult:
    """Trains a network, or goes on where an earlier call in the same folder stopped.

    Args:
        backbone: one of `BACKBONES`.
        act: one of `IMAGE_ACTIVATIONS`.
        data: what to train on.
        settings: everything else.
        seed: of the weights and the order of the images.
        folder: for the checkpoint of the last epoch and the logs that TensorBoard reads.
        devices: accelerators, or processes where there is none.

    Raises:
        InputError: a name or option is unknown, or the loss is no number any more.
    """
    for library in ("lightning.pytorch", "lightning.fabric", "timm.scheduler"):
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # What Lightning and torch tell each other, and advice on workers: no user can mend it.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", module="lightning|torch")
        L.seed_everything(seed, workers=True, verbose=False)
        network = build_network(backbone, act, data.num_classes, data.image_size, settings)
        module = Classifier(network, data.num_classes, settings)
        per_device = max(settings.batch_size // devices, 1)
        train = _loader(data.train, per_device, settings.workers, shuffle=True)
        test = _loader(data.test, per_device, settings.workers, shuffle=False)
        trainer = L.Trainer(
            max_epochs=settings.epochs,
            devices=devices,
            strategy="ddp_spawn" if devices > 1 else "auto",
            precision=settings.precision,  # pyright: ignore[reportArgumentType]
            gradient_clip_val=settings.clip,
            callbacks=[ModelCheckpoint(folder, save_last=True, save_top_k=0)],
            logger=TensorBoardLogger(folder, name=None, version="logs"),
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
        )
        checkpoint = folder / LAST
        known = checkpoint if checkpoint.is_file() else None
        left = settings.epochs - _epochs_in(known)
        started = time.perf_counter()
        trainer.fit(module, train, test, ckpt_path=known, weights_only=True)
        seconds = time.perf_counter() - started
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not left:  # it was trained to its end before: only the row of its results was missing
            shown = trainer.validate(module, test, verbose=False)[0]
            metrics |= {name: float(value) for name, value in shown.items()}
    module.objective.clear()
    return VisionResult(
        network.eval().cpu(),
        100 * metrics["top1"],
        100 * metrics["top5"],
        metrics["test_loss"],
        metrics.get("loss", float("nan")),
        seconds / left if left else 0.0,
    )


def _epochs_in(checkpoint: Path | None) -> int:
    if checkpoint is None:
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"])


def _loader(data: Dataset[Any], batch_size: int, workers: int, *, shuffle: bool) -> DataLoader[Any]:
    # A last batch of a single image would leave batch normalisation nothing to go by.
    drop = shuffle and len(data) > batch_size  # pyright: ignore[reportArgumentType]
    return DataLoader(
        data,
        batch_size,
        shuffle=shuffle,
        num_workers=workers,
        drop_last=drop,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
