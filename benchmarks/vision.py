"""Seconds of a training epoch of image networks: this project beside a plain loop over timm.

Both train the same network on the same images, through the same transforms, with AdamW, clipping,
validation and a checkpoint each epoch; the plain loop decodes the validation images each time, this
project once. Contestants take turns; the first epoch of a turn does not
count. On a CPU processor time is measured, for others may use the machine: one thread, no workers.
Where there is a CUDA GPU, it trains, and wall time is measured.

    python benchmarks/vision.py --dataset path/to/pictures --backbone resnet18 vit_tiny

prints a table and writes `vision.csv` into --out.
"""

import argparse
import itertools
import logging
import os
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from timing import clock_of
from timm.optim._optim_factory import create_optimizer_v2
from torch.utils.data import DataLoader

from aiec_graph.vision import ImageData, VisionSettings, load_images, make_backbone
from aiec_graph.vision.images import Kept
from aiec_graph.vision.training import Epoch, Log, fit_images

PLAIN, RELU, AIEC, BF16 = "plain loop", "ReLU", "AIEC", "ReLU, bf16"
EPOCHS = 3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
clock = clock_of(DEVICE.type, processor_time=True)


def plain(backbone: str, data: ImageData, settings: VisionSettings, folder: Path) -> list[float]:
    """A loop as it is written by hand; returns the seconds of each epoch."""
    network = make_backbone(backbone, data.num_classes, data.image_size, settings.drop_path)
    network = network.to(DEVICE)
    rate = settings.lr * settings.batch_size / 512
    optimizer = create_optimizer_v2(network, "adamw", lr=rate, weight_decay=settings.weight_decay)
    train = DataLoader(data.train, settings.batch_size, shuffle=True, drop_last=True)
    val = DataLoader(data.val, settings.batch_size)
    seconds = []
    for _ in range(settings.epochs):
        began = clock()
        network.train()
        for images, y in train:
            loss = F.cross_entropy(network(images.to(DEVICE)), y.to(DEVICE))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            right = sum(int((network(x.to(DEVICE)).argmax(1).cpu() == y).sum()) for x, y in val)
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "right": right}, folder / "last.pt")
        seconds.append(clock() - began)
    return seconds


def ours(
    backbone: str, act: str, data: ImageData, settings: VisionSettings, folder: Path
) -> list[float]:
    """The seconds of each epoch of this project's training but the first."""
    ends: list[float] = []

    def note(_: Epoch) -> None:
        ends.append(clock())

    fit_images(backbone, act, data, settings, 1, Log(folder, note))
    return [0.0, *(after - before for before, after in itertools.pairwise(ends))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--backbone", nargs="+", default=["resnet18", "vit_tiny"])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark-vision"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning").setLevel(logging.ERROR)
    settings = VisionSettings(
        epochs=EPOCHS,
        batch_size=options.batch_size,
        image_size=options.image_size,
        limit_train=options.images,
        warmup_epochs=0,
    )
    data = load_images(options.dataset, settings, Path("datasets"))
    listed = data.val.data if isinstance(data.val, Kept) else data.val
    val = torch.utils.data.Subset(listed, range(options.images // 4))
    once = data._replace(val=val)
    data = data._replace(val=Kept(val, data.image_size))
    rows = []
    for backbone in options.backbone:
        low = replace(settings, precision="bf16-mixed")
        contestants: dict[str, Callable[[Path], list[float]]] = {
            PLAIN: lambda f, b=backbone: plain(b, once, settings, f),
            RELU: lambda f, b=backbone: ours(b, "relu", data, settings, f),
            AIEC: lambda f, b=backbone: ours(b, "aiec", data, settings, f),
            BF16: lambda f, b=backbone, s=low: ours(b, "relu", data, s, f),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, train in contestants.items():
                with tempfile.TemporaryDirectory() as folder:
                    seconds[name] += train(Path(folder))[1:]
        base = statistics.median(seconds[PLAIN])
        for name, own in seconds.items():
            median = statistics.median(own)
            row = {"backbone": backbone, "contestant": name, "seconds": median}
            rows.append(row | {"times plain": median / base, "epochs": len(own)})
            sys.stdout.write(f"{backbone}, {name}: {median:.2f} s, {median / base:.3f}\n")
            sys.stdout.flush()
    frame = pd.DataFrame(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "vision.csv"
    frame.to_csv(path, mode="a", header=not path.exists(), index=False)
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"{options.images} images of {options.image_size} pixels, batches of "
        f"{options.batch_size}, {DEVICE}, torch "
        f"{torch.__version__}, one thread, load {load:.1f}\n"
    )


if __name__ == "__main__":
    main()
