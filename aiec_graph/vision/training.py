"""Training an image network through Lightning, in the paper's settings."""

import math
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from timm.optim._optim_factory import create_optimizer_v2
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from aiec_graph.core import AIECLoss
from aiec_graph.core.activations import check_options
from aiec_graph.errors import DivergedError, InputError
from aiec_graph.vision.backbones import BACKBONES, make_backbone
from aiec_graph.vision.baselines import HardConcrete
from aiec_graph.vision.images import ImageData
from aiec_graph.vision.predict import predict_images, top_k_accuracy
from aiec_graph.vision.quiet import own_errors, quiet, silence
from aiec_graph.vision.sampling import EpochSampler, Loaders, make_loaders, seed_all
from aiec_graph.vision.settings import REFERENCE_BATCH, VisionSettings
from aiec_graph.vision.sites import convert

WARMUP_LR = 1e-6
TOP_K = 5
LAST = "last.ckpt"
EPOCHS_DONE, DATA_CHECKSUM, TRAIN_LOSS = "epochs_done", "data_checksum", "train_loss"
SECONDS = "seconds_per_epoch"


class Epoch(NamedTuple):
    """How a run stands after one of its epochs."""

    number: int
    """From 1."""
    of: int
    loss: float
    """Mean of the whole objective over the epoch."""
    val_top1: float
    """Accuracy on the validation images in percent; NaN where there are none."""
    seconds: float
    """Wall time of the epoch."""


Progress = Callable[[Epoch], None]


class Log(NamedTuple):
    """What a training leaves behind epoch by epoch."""

    folder: Path
    """For the checkpoint of the last epoch and the logs that TensorBoard reads."""
    progress: Progress | None = None
    """Is called after each epoch."""


class Trained(NamedTuple):
    """A network after its last epoch, before anybody looked at test images."""

    network: nn.Module
    """In eval mode, on the CPU."""
    val_top1: float
    """Accuracy on the validation images in percent; NaN where there are none."""
    train_loss: float
    """Mean of the whole objective over the last epoch."""
    seconds_per_epoch: float
    """Wall time with validation, of the epochs that this process ran; 0 if it ran none."""


class VisionResult(NamedTuple):
    """A trained network and how it did, after its last epoch."""

    network: nn.Module
    """In eval mode, on the CPU."""
    logits: NDArray[np.float32]
    """Of each test image [N, K], looked at once, at the end."""
    labels: NDArray[np.int64]
    """Of each test image [N]."""
    top1: float
    """Test accuracy in percent."""
    top5: float
    test_loss: float
    val_top1: float
    """Accuracy on the validation images in percent; NaN where there are none."""
    train_loss: float
    """Mean of the whole objective over the last epoch."""
    seconds_per_epoch: float
    """Wall time with validation, of the epochs that this process ran; 0 if it ran none."""


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
    """A network with the objective of the paper (eq. 14).

    Args:
        network: to train, in place.
        num_classes: K.
        settings: of the optimiser and the losses.
        seed: of dropout and drop path, together with the epoch and the step.
        sampler: is told each epoch's number.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        settings: VisionSettings,
        seed: int,
        sampler: EpochSampler,
    ) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.seed, self.sampler = seed, sampler
        self.objective = AIECLoss(network, settings.lambda_aux, settings.lambda_gate)
        self.val_top1 = MulticlassAccuracy(num_classes, average="micro")

    def on_train_epoch_start(self) -> None:
        self.sampler.epoch = self.current_epoch
        self.objective.start_epoch()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        seed_all(self.seed, self.current_epoch, batch_idx, self.global_rank)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        images, y = batch
        losses = self.objective(self.network(images), y)
        if not torch.isfinite(losses.total):
            raise DivergedError(
                f"the loss is {losses.total.item()} at epoch {self.current_epoch + 1}; try a "
                "smaller --lr or --lambda-gate"
            )
        total = losses.total
        gates = [m.penalty() for m in self.network.modules() if isinstance(m, HardConcrete)]
        if gates:
            total = total + self.settings.lambda_l0 * torch.stack(gates).mean()
        shown = {f"loss_{name}": getattr(losses, name) for name in ("task", "aux", "gate")}
        # Of several processes each sees its share alone: the mean over all of them is the loss.
        self.log_dict({"loss": total} | shown, on_step=False, on_epoch=True, sync_dist=True)
        return total

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, y = batch
        self.val_top1.update(self.network(images), y)
        self.log("val_top1", self.val_top1, on_step=False, on_epoch=True)

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


class _EpochEnd(L.Callback):
    """Keeps a checkpoint of each whole epoch, and says how the run stands.

    Lightning's own callback keeps none before the end unless it also ranks them by a metric.
    """

    def __init__(self, path: Path, data_checksum: str, progress: Progress | None) -> None:
        self.path, self.data_checksum, self.progress = path, data_checksum, progress
        self._started = 0.0
        self._seconds: list[float] = []

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        silence()

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint[DATA_CHECKSUM] = self.data_checksum
        checkpoint[EPOCHS_DONE] = trainer.current_epoch + 1
        checkpoint[TRAIN_LOSS] = float(trainer.callback_metrics.get("loss", math.nan))

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        draft = self.path.with_name(f".{self.path.name}")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            draft.replace(self.path)
        self._seconds.append(time.perf_counter() - self._started)
        pl_module.log(SECONDS, fmean(self._seconds))  # how a process of its own tells this one
        if self.progress is not None and trainer.is_global_zero:
            metrics = trainer.callback_metrics
            loss = float(metrics.get("loss", math.nan))
            top1 = 100 * float(metrics.get("val_top1", math.nan))
            done = trainer.current_epoch + 1
            self.progress(Epoch(done, trainer.max_epochs, loss, top1, self._seconds[-1]))


def make_optimizer(network: nn.Module, settings: VisionSettings) -> torch.optim.Optimizer:
    """AdamW at the learning rate for the batch; norms and biases do not decay."""
    rate = settings.lr * settings.batch_size / REFERENCE_BATCH
    # Lightning clips no gradients of a fused step in mixed precision.
    fused = settings.precision == "32-true"
    decay = settings.weight_decay
    return create_optimizer_v2(network, opt="adamw", lr=rate, weight_decay=decay, fused=fused)


def train_images(
    backbone: str,
    act: str,
    data: ImageData,
    settings: VisionSettings,
    seed: int,
    log: Log,
    devices: int = 1,
) -> VisionResult:
    """Trains a network as `fit_images`, which says what the arguments are, and tests it once.

    Raises:
        InputError: as `fit_images`.
    """
    fitted = fit_images(backbone, act, data, settings, seed, log, devices)
    batch, workers = settings.batch_size, settings.workers
    logits, labels = predict_images(fitted.network, data.test, batch, workers)
    if not np.isfinite(logits).all():
        raise DivergedError(f"{backbone} {act}: the outputs are no numbers; try a smaller --lr")
    return VisionResult(
        fitted.network,
        logits,
        labels,
        top_k_accuracy(logits, labels, 1),
        top_k_accuracy(logits, labels, TOP_K),
        float(F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))),
        fitted.val_top1,
        fitted.train_loss,
        fitted.seconds_per_epoch,
    )


def fit_images(
    backbone: str,
    act: str,
    data: ImageData,
    settings: VisionSettings,
    seed: int,
    log: Log,
    devices: int = 1,
) -> Trained:
    """Trains a network, or goes on after the last whole epoch of an earlier call.

    A run that was stopped and goes on ends with the same weights as one that was not. No test
    image is looked at.

    Args:
        backbone: one of `BACKBONES`.
        act: one of `IMAGE_ACTIVATIONS`.
        data: what to train on.
        settings: everything else.
        seed: of the weights, the order of the images and their augmentation.
        log: where the last epoch's checkpoint is kept, and who is told of each epoch.
        devices: accelerators, or processes where there is none.

    Raises:
        InputError: a name or option is unknown, a step would be without images, the images are
            not those of the checkpoint, or the loss is no number any more.
    """
    with quiet():
        L.seed_everything(seed, workers=True, verbose=False)
        network = build_network(backbone, act, data.num_classes, data.image_size, settings)
        checkpoint = log.folder / LAST
        if not BACKBONES[backbone].gives_tokens:  # convolutions are faster so
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore
        done = epochs_in(checkpoint, data.checksum)
        loaders = make_loaders(data, settings, seed, done, devices)
        _check_steps(network, loaders.train)
        module = Classifier(network, data.num_classes, settings, seed, loaders.sampler)
        trainer = _make_trainer(settings, log, data.checksum, devices)
        _fit(trainer, module, loaders, checkpoint if done else None)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if done >= settings.epochs:  # trained before: only its row was missing
            metrics["loss"] = _read(checkpoint)[TRAIN_LOSS]
            if loaders.val:
                shown = trainer.validate(module, loaders.val, verbose=False)[0]
                metrics |= {name: float(value) for name, value in shown.items()}
    module.objective.clear()
    return Trained(
        network.eval().cpu().to(memory_format=torch.contiguous_format),  # pyright: ignore
        100 * metrics.get("val_top1", math.nan),
        metrics.get("loss", math.nan),
        metrics.get(SECONDS, 0.0),
    )


def _make_trainer(
    settings: VisionSettings, log: Log, data_checksum: str, devices: int
) -> L.Trainer:
    return L.Trainer(
        max_epochs=settings.epochs,
        devices=devices,
        strategy="ddp_spawn" if devices > 1 else "auto",
        precision=settings.precision,  # pyright: ignore[reportArgumentType]
        gradient_clip_val=settings.clip,
        callbacks=[_EpochEnd(log.folder / LAST, data_checksum, log.progress)],
        logger=TensorBoardLogger(log.folder, name=None, version="logs"),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
    )


def _fit(trainer: L.Trainer, module: Classifier, loaders: Loaders, known: Path | None) -> None:
    try:
        with own_errors():
            trainer.fit(module, loaders.train, loaders.val, ckpt_path=known, weights_only=True)
    except SystemExit as error:  # Lightning ends the process on Ctrl-C; whoever called decides
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


def _read(checkpoint: Path) -> dict[str, Any]:
    return torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)


def epochs_in(checkpoint: Path, data_checksum: str) -> int:
    """The whole epochs that a checkpoint holds; 0 where there is none.

    A damaged one is set aside under another name, and a warning says so.

    Raises:
        InputError: it was trained on other images.
    """
    if not checkpoint.is_file():
        return 0
    try:
        state = _read(checkpoint)
        with zipfile.ZipFile(checkpoint) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(damaged)
        done, checksum = int(state[EPOCHS_DONE]), str(state[DATA_CHECKSUM])
        float(state[TRAIN_LOSS])
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile):
        aside = checkpoint.with_name(f"{checkpoint.name}.damaged")
        checkpoint.replace(aside)
        warnings.warn(f"{checkpoint} is damaged: set aside as {aside.name}", stacklevel=2)
        return 0
    if checksum != data_checksum:
        raise InputError(
            f"{checkpoint}: was trained on other images than the present ones; put them back, or "
            "name another --out"
        )
    return done


def _check_steps(network: nn.Module, loader: DataLoader[Any]) -> None:
    smallest = min(loader.batch_size or 1, len(cast(Any, loader.sampler)))
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    if norms and smallest < 2:
        raise InputError(
            "a step of one image: batch normalisation needs two at least; take a larger "
            "--batch-size or more training images"
        )
