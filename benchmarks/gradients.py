"""How much of the gradient of an image network with AIEC comes from each of its losses.

Trains a few steps, and at each measures the norm of the gradient of the task, of λ_aux L_aux and of
λ_gate L_gate over all parameters, and what gradient clipping leaves of the task's.

    python benchmarks/gradients.py --dataset path/to/pictures --backbone resnet18 vit_tiny

`--gate-norm` compares the readings of the gate loss's norm (eq. 13).
"""

import argparse
import itertools
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from aiec_graph.core import AIECLoss
from aiec_graph.core.functional import GATE_NORMS
from aiec_graph.vision import ImageData, VisionSettings, load_images
from aiec_graph.vision.training import build_network, make_optimizer


def norm(loss: Tensor, network: nn.Module) -> float:
    """The norm of a loss's gradient over all parameters."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return float(torch.sqrt(torch.stack([g.square().sum() for g in found if g is not None]).sum()))


def norms_of_steps(
    backbone: str, data: ImageData, settings: VisionSettings, steps: int
) -> list[list[float]]:
    """For each step the norms of the three gradients and of their sum, and what clipping leaves."""
    torch.manual_seed(0)
    network = build_network(backbone, "aiec", data.num_classes, data.image_size, settings)
    optimizer = make_optimizer(network.train(), settings)
    weights = (settings.lambda_aux, settings.lambda_gate)
    objective = AIECLoss(network, *weights)
    objective.start_epoch()
    loader = iter(DataLoader(data.train, settings.batch_size, shuffle=True))
    rows = []
    for _ in range(steps):
        images, y = next(loader)
        losses = objective(network(images), y)
        parts = (losses.task, weights[0] * losses.aux, weights[1] * losses.gate)
        norms = [norm(part, network) for part in parts]
        optimizer.zero_grad()
        losses.total.backward()
        whole = float(nn.utils.clip_grad_norm_(network.parameters(), settings.clip))
        rows.append([*norms, whole, min(1.0, settings.clip / whole)])
        optimizer.step()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--backbone", nargs="+", default=["resnet18", "vit_tiny"])
    parser.add_argument("--lambda-gate", nargs="+", type=float, default=[1.0, 200.0])
    parser.add_argument("--gate-norm", nargs="+", choices=GATE_NORMS, default=["abs"])
    parser.add_argument("--image-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--lr", type=float, default=0.008)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    settings = VisionSettings(batch_size=32, image_size=options.image_size, lr=options.lr)
    data = load_images(options.dataset, settings, Path("datasets"))
    ways = itertools.product(options.backbone, options.gate_norm, options.lambda_gate)
    for backbone, gate_norm, weight in ways:
        chosen = replace(settings, lambda_gate=weight, act_options={"gate_norm": gate_norm})
        rows = norms_of_steps(backbone, data, chosen, options.steps)
        late = torch.tensor(rows[len(rows) // 2 :]).median(0).values.tolist()
        names = ("task", "aux", "gate", "sum")
        shown = ", ".join(f"{n} {v:.2f}" for n, v in zip(names, late[:4], strict=True))
        sys.stdout.write(
            f"{backbone}, {gate_norm}, λ_gate {weight:g}: median norms over the later half of "
            f"{options.steps} steps: {shown}; clipping keeps {100 * late[4]:.0f} % of each\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
