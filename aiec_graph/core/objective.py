"""The training objective: task loss, auxiliary loss and gate loss over a model's AIEC layers."""

from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from aiec_graph.core.aiec import AIEC, Evidence
from aiec_graph.core.functional import gate_loss


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
        return [m for m in self.__dict__["model"].modules() if isinstance(m, AIEC)]

    def start_epoch(self) -> None:
        """Clears the counters. Call it when an epoch begins; in full batch, before each step."""
        for layer in self.layers():
            if layer.counter is not None:
                layer.counter.reset()

    def forget(self) -> None:
        """Drops forward passes that were not judged, such as one that ended in an error."""
        for layer in self.layers():
            layer.forget()

    def forward(self, logits: Tensor, y: Tensor, index: Tensor | slice | None = None) -> Losses:
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
        # Autocast would run the counting in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            dtype = torch.promote_types(logits.dtype, torch.float32)
            logits = logits.to(dtype)
            weight = None if self.class_weight is None else self.class_weight.to(dtype)
            evidence = [
                layer.observe(F.one_hot(y, layer.num_classes).to(dtype), index) for layer in layers
            ]
            # Σ of the samples' weights and the number of samples, over all processes.
            mass = torch.stack([_mass(y, weight, dtype), _mass(y, None, dtype)])
            share = _sum_over_processes(evidence, mass)
            task = _mean_cross_entropy(logits, y, weight) * share[0]
            zero = logits.new_zeros(())
            if not layers:
                return Losses(task, task, zero, zero)
            aux, gate = zero, zero
            for layer, seen in zip(layers, evidence, strict=True):
                if layer.counter is not None:
                    layer.counter.add(seen.theta, seen.phi)
                if self.weigh_aux:
                    aux = aux + _mean_cross_entropy(seen.logits, y, weight) * share[0]
                else:
                    aux = aux + _mean_cross_entropy(seen.logits, y, None) * share[1]
                term = gate_loss(seen.a, seen.one_hot, layer.gates(), layer.gate_norm)
                gate = gate + term * share[1]
            aux, gate = aux / len(layers), gate / len(layers)
            total = task + self.lambda_aux * aux + self.lambda_gate * gate
        return Losses(total, task, aux, gate)


def _mean_cross_entropy(logits: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    # A process may be left without a labelled sample: its part of the joint mean is 0, not 0/0.
    return F.cross_entropy(logits, y, weight) if len(y) else logits.sum() * 0


def _mass(y: Tensor, weight: Tensor | None, dtype: torch.dtype) -> Tensor:
    if weight is None:
        return torch.tensor(float(len(y)), dtype=dtype, device=y.device)
    return weight[y].sum()


def _sum_over_processes(evidence: list[Evidence], mass: Tensor) -> Tensor:
    """Sums the counts in place over the processes; one collective for all layers.

    Returns:
        This process's share of each mass times the number of processes: the factor that turns
        its own mean into its part of the joint mean, once the processes are averaged.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return torch.ones_like(mass)
    counts = [count for seen in evidence for count in (seen.theta, seen.phi)]
    # float64 holds the integers exactly, so one message carries counts and masses.
    message = torch.cat([part.double().flatten() for part in (*counts, mass)])
    dist.all_reduce(message)
    parts = message.split([part.numel() for part in (*counts, mass)])
    for count, total in zip(counts, parts, strict=False):
        count.copy_(total.view_as(count))
    return (mass.double() * dist.get_world_size() / parts[-1]).to(mass.dtype)
