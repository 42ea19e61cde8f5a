"""Seconds of a training epoch in one process with several threads, and in as many processes.

Both train the same network on the same images in batches of the same size, in turn. Wall time is
measured, so the machine must have nothing else to do; a turn is three epochs.

    python benchmarks/vision_processes.py --dataset path/to/pictures --backbone resnet18 vit_tiny

prints a table and writes `vision_processes.csv` into --out.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import Subset

from aiec_graph.vision import ImageData, VisionSettings, load_images
from aiec_graph.vision.training import Log, fit_images


def seconds_of(backbone: str, data: ImageData, settings: VisionSettings, processes: int) -> float:
    """The seconds of an epoch, without the start of the processes."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        return fit_images(backbone, "aiec", data, settings, 1, log, processes).seconds_per_epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--backbone", nargs="+", default=["resnet18", "vit_tiny"])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--image-size", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark-vision-processes"))
    options = parser.parse_args()
    settings = VisionSettings(
        epochs=3,
        batch_size=options.batch_size,
        image_size=options.image_size,
        limit_train=options.images,
        warmup_epochs=0,
    )
    data = load_images(options.dataset, settings, Path("datasets"))
    data = data._replace(val=Subset(data.val, range(options.images // 4)))
    torch.set_num_threads(options.processes)
    rows = []
    for backbone in options.backbone:
        seconds: dict[int, list[float]] = {1: [], options.processes: []}
        for _ in range(options.rounds):
            for processes, own in seconds.items():
                own.append(seconds_of(backbone, data, settings, processes))
        for processes, own in seconds.items():
            median = statistics.median(own)
            threads = options.processes // processes
            rows.append({"backbone": backbone, "processes": processes, "threads": threads})
            rows[-1] |= {"seconds": median, "turns": len(own)}
            sys.stdout.write(f"{backbone}, {processes} × {threads} threads: {median:.2f} s\n")
            sys.stdout.flush()
    options.out.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(options.out / "vision_processes.csv", index=False)
    sys.stdout.write(
        f"{options.images} images of {options.image_size} pixels, batches of "
        f"{options.batch_size}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n"
    )


if __name__ == "__main__":
    main()
