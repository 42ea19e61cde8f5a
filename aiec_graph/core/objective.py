"""The training objective: task loss, auxiliary loss and gate loss over a model's AIEC layers."""

from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.core import fused
from aiec_graph.core.aiec import AIEC, Evidence
from aiec_graph.core.fused import Terms
from aiec_graph.core.layer_losses import Rows


class Losses(NamedTuple):
    """The terms of eq. 14, scalars. `aux` and `gate` are means over the AIEC layers."""

    total: Tensor
    """task + λ_aux · aux + λ_gate · gate: what to call `backward` on."""
    task: Tensor
    aux: Tensor
    gate: Tensor


class AIECLoss(nn.Module):
    """Task + λ_aux · mean L_aux + λ_gate · mean L_gate over the AIEC layers of a model (eq. 14).

    Call it once after each forward pass in training mode. In the order of Algorithm 1 it takes
    the logits of each layer's decision unit, updates the counters, derives the gates and returns
    the losses. A model without AIEC layers, or in eval mode, gets its task loss alone, so the
    same loop trains every activation.

    In a process group the counters are summed over the processes before the gates are derived,
    and the losses are scaled so that their mean over the processes, which is what
    DistributedDataParallel makes of the gradients, is the loss of one process on the joint batch
    (for every `gate_norm` but "batch", whose norm is over the process's own samples).

    Args:
        model: any module that holds AIEC layers.
        lambda_aux: λ_aux.
        lambda_gate: λ_gate; 0.1 is the default for graphs, 200 the paper's for images.
        class_weight: weights [K] of the cross-entropy, for the task and the auxiliary loss.
        weigh_aux: whether the auxiliary loss takes `class_weight` too. Without it, under class
            imbalance, the decision units call every sample normal and the rare class is never
            counted.

    Raises:
        ValueError: λ_aux or λ_gate is negative.
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
        if lambda_aux < 0 or lambda_gate < 0:
            raise ValueError(
                f"lambda_aux and lambda_gate must be at least 0, not {lambda_aux}, {lambda_gate}"
            )
        self.__dict__["model"] = model  # not a submodule: the objective owns no parameters
        self.lambda_aux = lambda_aux
        self.lambda_gate = lambda_gate
        self.weigh_aux = weigh_aux
        self.register_buffer("class_weight", class_weight, persistent=False)

    def layers(self) -> list[AIEC]:
        """The AIEC layers of the model, in the order of its modules."""
        # `modules` in fewer calls: this runs several times a step.
        found: dict[AIEC, None] = {}
        waiting: list[nn.Module | None] = [self.__dict__["model"]]
        while waiting:
            module = waiting.pop()
            if isinstance(module, AIEC):
                found[module] = None
            elif module is not None:
                waiting.extend(reversed(module._modules.values()))
        return list(found)

    def start_epoch(self) -> None:
        """Clears the counters. Call it when an epoch begins; in full batch, before each step."""
        for layer in self.layers():
            if layer.counter is not None:
                layer.counter.reset()

    def forget(self) -> None:
        """Drops forward passes that were not judged, such as one that ended in an error."""
        for layer in self.layers():
            layer.forget()

    def forward(self, logits: Tensor, y: Tensor, index: Rows = None) -> Losses:
        """Judges the last forward pass.

        Args:
            logits: what the model gave for the labelled samples [N, K].
            y: their labels [N], int64 in [0, K).
            index: their positions among the samples the model saw [N], int64, for a full-batch
                graph where only the training nodes are labelled; a slice where they lie together,
                which is cheaper; None when all are.

        Raises:
            RuntimeError: a layer is unbuilt or did not see exactly one forward pass.
        """
        layers = [layer for layer in self.layers() if layer.training]
        terms = Terms(self.lambda_aux, self.lambda_gate, self.class_weight, self.weigh_aux)
        found = None if _is_shared() else fused.losses(logits, y, index, layers, terms)
        if found is not None:
            return Losses(*found)
        # Autocast would run the counting in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            dtype = torch.promote_types(logits.dtype, torch.float32)
            logits = logits.to(dtype)
            weight = None if self.class_weight is None else self.class_weight.to(dtype)
            evidence: list[Evidence] = []
            labels: dict[int, Tensor] = {}
            for layer in layers:
                classes = layer.num_classes
                if classes not in labels:
                    labels[classes] = F.one_hot(y, classes).to(dtype)
                evidence.append(layer.observe(labels[classes], index))
            by_weight, by_number = _shares(evidence, y, weight, dtype)
            task = _mean_cross_entropy(logits, y, weight) * by_weight
            zero = logits.new_zeros(())
            if not layers:
                return Losses(task, task, zero, zero)
            own, share = (weight, by_weight) if self.weigh_aux else (None, by_number)
            targets = {k: _target(one_hot, own) * share for k, one_hot in labels.items()}
            aux, gate = zero, zero
            for layer, seen in zip(layers, evidence, strict=True):
                k = layer.num_classes
                of_aux, of_gate = layer.losses(seen, index, labels[k], targets[k])
                aux, gate = aux + of_aux, gate + of_gate * by_number
            aux, gate = aux / len(layers), gate / len(layers)
            total = task + self.lambda_aux * aux + self.lambda_gate * gate
        return Losses(total, task, aux, gate)


def _is_shared() -> bool:
    """Whether the batch is spread over several processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _mean_cross_entropy(logits: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    # A process may be left without a labelled sample: its part of the joint mean is 0, not 0/0.
    return F.cross_entropy(logits, y, weight) if len(y) else logits.sum() * 0


def _target(one_hot: Tensor, weight: Tensor | None) -> Tensor:
    """One-hot labels, each row times the share of its class's weight in the sum over samples."""
    per_class = one_hot.new_ones(one_hot.shape[1]) if weight is None else weight
    mass = one_hot.sum(0) @ per_class
    return one_hot * (per_class / mass.clamp(min=torch.finfo(mass.dtype).tiny))


def _shares(
    evidence: list[Evidence], y: Tensor, weight: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor | float, Tensor | float]:
    """Sums the counts in place over the processes; one collective for all layers.

    Returns:
        This process's share of the samples' weights, and of their number, times the number of
        processes: the factors that turn its own means into its parts of the joint means, once
        the processes are averaged.
    """
    if not _is_shared():
        return 1.0, 1.0
    number = torch.tensor(float(len(y)), dtype=dtype, device=y.device)
    mass = torch.stack([number if weight is None else weight[y].sum(), number])
    counts = [count for seen in evidence for count in (seen.theta, seen.phi)]
    # float64 holds the integers exactly, so one message carries counts and masses.
    message = torch.cat([part.double().flatten() for part in (*counts, mass)])
    dist.all_reduce(message)
    parts = message.split([part.numel() for part in (*counts, mass)])
    for count, total in zip(counts, parts, strict=False):
        count.copy_(total.view_as(count))
    by_weight, by_number = (mass.double() * dist.get_world_size() / parts[-1]).to(dtype)
    return by_weight, by_number
