"""What a trained network says about images."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from aiec_graph.vision.quiet import own_errors


def predict_images(
    network: nn.Module, data: Dataset[Any], batch_size: int, workers: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The logits [N, K] and labels [N] of all images, in order, from eval mode."""
    logits, labels = [], []
    with torch.no_grad(), own_errors():
        for images, y in DataLoader(data, batch_size, num_workers=workers):
            logits.append(network(images).float())
            labels.append(y)
    return torch.cat(logits).numpy(), torch.cat(labels).numpy()


def top_k_accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64], k: int) -> float:
    """Share of images whose class is among the k highest logits, in percent."""
    k = min(k, logits.shape[1])
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return 100 * float((best == labels[:, None]).any(axis=1).mean())
