"""The training loss: cross-entropy of the task plus the AIEC penalty."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.core.aiec import AIEC
from aiec_graph.core.functional import Index
from aiec_graph.core.penalty import AIECPenalty, per_weight, weight_of
from aiec_graph.core.processes import sum_over_processes


class Losses(NamedTuple):
    """The terms of eq. 14, scalars. `aux` and `gate` are means over the AIEC layers."""

    total: Tensor
    """task + λ_aux · aux + λ_gate · gate: what to call `backward` on."""
    task: Tensor
    aux: Tensor
    gate: Tensor


class AIECLoss(nn.Module):
    """Cross-entropy of the task + λ_aux · mean L_aux + λ_gate · mean L_gate (eq. 14).

    A convenience on top of `AIECPenalty`, which says how to use it, alone or in a process group.
    A batch whose samples have no weight at all, or that has no sample, has a loss of 0.

    Args:
        model: any module that holds AIEC layers.
        lambda_aux: λ_aux.
        lambda_gate: λ_gate; the paper takes 200 for images.
        class_weight: weights [K] of the cross-entropy, for the task and the auxiliary loss.
        weigh_aux: whether the auxiliary loss takes `class_weight` too.

    Raises:
        ValueError: as `AIECPenalty`.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        lambda_aux: float = 1.0,
        lambda_gate: float = 0.1,
        class_weight: Tensor | None = None,
        weigh_aux: bool = True,
    ) -> None:
        super().__init__()
        self.penalty = AIECPenalty(
            model, lambda_aux, lambda_gate, class_weight if weigh_aux else None
        )
        self.register_buffer("class_weight", class_weight, persistent=False)

    def layers(self) -> list[AIEC]:
        """Returns the AIEC layers of the model, in the order of its modules."""
        return self.penalty.layers()

    def start_epoch(self) -> None:
        """Clears the counters. Call it when an epoch begins; in full batch, before each step."""
        self.penalty.start_epoch()

    def clear(self) -> None:
        """Drops captured activations of passes without a step, such as one that failed."""
        self.penalty.clear()

    def forward(self, logits: Tensor, y: Tensor, index: Index = None) -> Losses:
        """Computes the losses of the last forward pass and updates the counters.

        Args:
            logits: what the model gave for the labelled samples [N, K].
            y: their labels [N], int64 in [0, K).
            index: which of the samples of the pass they are, as for `AIECPenalty`.

        Raises:
            RuntimeError, TypeError, ValueError: as `AIECPenalty`.
        """
        penalty = self.penalty(y, index)
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            weight = None if self.class_weight is None else self.class_weight.to(logits.dtype)
            (total,) = sum_over_processes(weight_of(y, weight, logits.dtype))
            task = F.cross_entropy(logits, y, weight, reduction="sum") * per_weight(total)
            return Losses(task + penalty.total, task, penalty.aux, penalty.gate)
