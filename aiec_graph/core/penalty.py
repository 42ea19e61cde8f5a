"""The AIEC penalty: auxiliary and gate loss over a model's AIEC layers, for any task loss."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from aiec_graph.core.aiec import AIEC, BatchStatistics
from aiec_graph.core.functional import Index, check_index, one_hot_labels
from aiec_graph.core.processes import num_processes, sum_over_processes


class PenaltyTerms(NamedTuple):
    """The penalty and its parts, scalars. `aux` and `gate` are means over the AIEC layers."""

    total: Tensor
    """λ_aux · aux + λ_gate · gate: what to add to a task loss."""
    aux: Tensor
    gate: Tensor


class AIECPenalty(nn.Module):
    """λ_aux · mean L_aux + λ_gate · mean L_gate over the AIEC layers of a model (eq. 14).

    Call it once after each forward pass in training mode, and add its `total` to any task loss::

        penalty = AIECPenalty(model)
        for epoch in range(epochs):
            penalty.start_epoch()
            for x, y in loader:
                loss = focal_loss(model(x), y) + penalty(y).total
                loss.backward()

    In the order of Algorithm 1 it computes the logits of each layer's decision unit, updates the
    counters, derives the gates and computes the losses. A model without AIEC layers, or in eval
    mode, has a penalty of 0, so the same loop trains every activation. The terms are ordinary
    functions of the features and the decision weights, differentiable as often as one likes.

    In a process group the counters are summed over the processes before the gates are derived,
    and the terms are scaled so that their mean over the processes, which is what
    DistributedDataParallel makes of the gradients, is the penalty of one process on the joint
    batch (for every `gate_norm` but "batch", whose norm is over the process's own samples).
    DistributedDataParallel must be used with `find_unused_parameters=False`, its default: the
    decision weights take part in the penalty and not in the forward pass, so it would otherwise
    take them for unused.

    Args:
        model: any module that holds AIEC layers.
        lambda_aux: λ_aux.
        lambda_gate: λ_gate; the paper takes 200 for images.
        class_weight: weights [K] of the classes in the auxiliary loss. Give those of the task
            loss: without them, under class imbalance, the decision units call every sample
            normal and the rare class is never counted.

    Raises:
        ValueError: λ_aux or λ_gate is negative, a class weight is negative or not finite, or the
            model is wrapped with `find_unused_parameters=True`.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        lambda_aux: float = 1.0,
        lambda_gate: float = 0.1,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        if not (lambda_aux >= 0 and lambda_gate >= 0):
            raise ValueError(
                f"lambda_aux and lambda_gate must be at least 0, not {lambda_aux}, {lambda_gate}"
            )
        if isinstance(model, DistributedDataParallel) and model.find_unused_parameters:
            raise ValueError(
                "DistributedDataParallel with find_unused_parameters=True takes AIEC's decision "
                "weights for unused: wrap the model with find_unused_parameters=False"
            )
        check_class_weight(class_weight)
        self.__dict__["model"] = model  # not a submodule: the penalty owns no parameters
        self.lambda_aux = lambda_aux
        self.lambda_gate = lambda_gate
        self.register_buffer("class_weight", class_weight, persistent=False)

    def layers(self) -> list[AIEC]:
        """Returns the AIEC layers of the model, in the order of its modules."""
        return [module for module in self.__dict__["model"].modules() if isinstance(module, AIEC)]

    def start_epoch(self) -> None:
        """Clears the counters. Call it when an epoch begins; in full batch, before each step."""
        for layer in self.layers():
            if layer.counter is not None:
                layer.counter.reset()

    def clear(self) -> None:
        """Drops captured activations of passes without a step, such as one that failed."""
        for layer in self.layers():
            layer.clear()

    def forward(self, y: Tensor, index: Index = None) -> PenaltyTerms:
        """Computes the penalty of the last forward pass and updates the counters.

        Args:
            y: labels of the labelled samples [N], int64 in [0, K). Where the task has soft labels
                or numbers for targets, the class that each sample is counted for.
            index: which of the M samples of the pass are labelled, for a full-batch graph where
                only the training nodes are: their positions [N], integers; a boolean mask [M]
                with N true elements; or a slice, which is the cheapest. None when all are. A mask
                on a GPU makes the host wait for it.

        Raises:
            RuntimeError: a layer is unbuilt or did not run exactly one forward pass.
            TypeError: `y` or `index` has another type.
            ValueError: `y` or `index` has another shape, or a label is no class.
        """
        layers = [layer for layer in self.layers() if layer.training]
        zero = torch.zeros((), device=y.device)
        if not layers:
            return PenaltyTerms(zero, zero, zero)
        _check_labels(y, min(layer.num_classes for layer in layers))
        check_index(index)
        # Autocast would run the counting in half precision.
        with torch.autocast(y.device.type, enabled=False):
            one_hot = {k: one_hot_labels(y, k) for k in {layer.num_classes for layer in layers}}
            statistics = [
                layer.batch_statistics(one_hot[layer.num_classes], index) for layer in layers
            ]
            statistics, per_unit, share = _join(statistics, y, self.class_weight)
            shares = {
                k: labels.to(per_unit.dtype) * _class_share(k, self.class_weight, per_unit)
                for k, labels in one_hot.items()
            }
            terms = [
                layer.losses(of_batch, shares[layer.num_classes])
                for layer, of_batch in zip(layers, statistics, strict=True)
            ]
            aux, gate = (torch.stack(of_layers).mean() for of_layers in zip(*terms, strict=True))
            gate = gate if share is None else gate * share
            total = torch.add(self.lambda_aux * aux, gate, alpha=self.lambda_gate)
        return PenaltyTerms(total, aux, gate)


def check_class_weight(class_weight: Tensor | None) -> None:
    """Checks weights of classes [K].

    Raises:
        ValueError: they are no vector, or one is negative or not finite.
    """
    if class_weight is None:
        return
    usable = class_weight.dim() == 1 and bool((class_weight >= 0).all())
    if not (usable and bool(class_weight.isfinite().all())):
        raise ValueError(
            "class_weight must hold one finite number of at least 0 for each class, "
            f"not {class_weight.tolist()}"
        )


def _check_labels(y: Tensor, num_classes: int) -> None:
    if y.dtype != torch.int64:
        raise TypeError(
            f"y must hold the number of each sample's class as int64, not {y.dtype}; for soft "
            "labels or other targets give the class that each sample is counted for"
        )
    if y.dim() != 1:
        raise ValueError(f"y must have one label for each sample [N], not {tuple(y.shape)}")
    if y.is_cpu and len(y):  # elsewhere the check would make the host wait
        low, high = map(int, y.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"y holds labels from {low} to {high}, but AIEC has {num_classes} "
                f"classes: 0 to {num_classes - 1}"
            )


def weight_of(y: Tensor, class_weight: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Returns the sum of the samples' weights, a scalar: that of their class, or 1 each."""
    if class_weight is None:
        return torch.full((), len(y), dtype=dtype, device=y.device)
    return class_weight.to(dtype)[y].sum()


def per_weight(total: Tensor) -> Tensor:
    """Returns the factor for a sum of weighted losses: 1 over the total weight.

    Args:
        total: the total weight over all processes, a scalar. The factor is times their number,
            since DistributedDataParallel takes the mean over them.
    """
    # Without any weight the sum is 0 as well, and its factor need only be finite.
    return num_processes() / total.clamp(min=torch.finfo(total.dtype).tiny)


def _join(
    statistics: list[BatchStatistics], y: Tensor, class_weight: Tensor | None
) -> tuple[list[BatchStatistics], Tensor, Tensor | None]:
    """Sums counts and weights over the processes.

    Returns:
        The statistics with the joint counts, what a unit of a sample's weight counts in L_aux,
        and what turns this process's mean over samples into its part of the joint mean; None for
        one process, whose mean it is.
    """
    dtype = statistics[0].a.dtype
    weight = weight_of(y, class_weight, dtype)
    counts = [count for each in statistics for count in (each.theta, each.phi)]
    *counts, weight, number = sum_over_processes(*counts, weight, weight_of(y, None, dtype))
    joined = [
        each._replace(theta=theta, phi=phi, layer=i, num_layers=len(statistics))
        for i, (each, theta, phi) in enumerate(
            zip(statistics, counts[::2], counts[1::2], strict=True)
        )
    ]
    share = len(y) * per_weight(number) if num_processes() > 1 else None
    return joined, per_weight(weight), share


def _class_share(num_classes: int, class_weight: Tensor | None, factor: Tensor) -> Tensor:
    """Returns what a sample of each class counts in L_aux: [K] times `factor`, or that alone."""
    if class_weight is None:
        return factor
    if len(class_weight) != num_classes:
        raise ValueError(
            f"class_weight has {len(class_weight)} numbers, but AIEC has {num_classes} classes"
        )
    return class_weight.to(factor.dtype) * factor
