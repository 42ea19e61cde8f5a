"""ReLU and GELU written out in elementary operations, as the paper's Table 4 compares them."""

import math

import torch
from torch import Tensor, nn


class NaiveReLU(nn.Module):
    """max(0, x) as a product with a mask."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x > 0)


class NaiveGELU(nn.Module):
    """x · Φ(x) with the error function."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
