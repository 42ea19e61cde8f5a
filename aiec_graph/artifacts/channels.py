"""Measures a trained network's channels for each class: activity levels and decision weights."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from aiec_graph.core import AIEC
from aiec_graph.core.channelwise import ChannelwiseActivation
from aiec_graph.core.functional import count_activations, firing_rate, global_feature

MAX_ITER = 2000


class Channels(NamedTuple):
    """One layer of one network."""

    activity: NDArray[np.float32]
    """Activity level [K, C]: (activations − inhibitions) / samples, within −1 and 1 (eq. 6)."""
    weight: NDArray[np.float32]
    """Decision weights [K, C]."""
    gated: NDArray[np.bool_]
    """AIEC's gates G [K, C]; false everywhere for other activations."""
    own: bool
    """Whether the weights are those of AIEC's decision unit; otherwise they were fitted here."""


def collect_features(
    forward: Callable[[], Iterable[Tensor | None]], modules: Mapping[str, tuple[nn.Module, str]]
) -> dict[str, Tensor]:
    """Collects the global features of activation layers over a whole data set.

    Args:
        forward: runs the network in eval mode, batch by batch; after each batch it yields the
            positions of the samples to keep, None for all of them.
        modules: by name, the layer and the pooling that makes a vector of its tokens.

    Returns:
        By name, features after the activation [N, C].
    """
    current: dict[str, Tensor] = {}
    batches: dict[str, list[Tensor]] = {name: [] for name in modules}

    def register(name: str, module: nn.Module, pooling: str) -> torch.utils.hooks.RemovableHandle:
        def collect(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            layout = module.layout if isinstance(module, ChannelwiseActivation) else None
            current[name] = global_feature(output, pooling, layout=layout)

        return module.register_forward_hook(collect)

    handles = [register(name, *site) for name, site in modules.items()]
    try:
        with torch.no_grad():
            for index in forward():
                for name, a in current.items():
                    batches[name].append(a if index is None else a[index])
    finally:
        for handle in handles:
            handle.remove()
    return {name: torch.cat(parts) for name, parts in batches.items()}


def measure_channels(
    layer: nn.Module, a: Tensor, y: Tensor, num_classes: int, fit: bool = False
) -> Channels:
    """Computes a layer's activity levels over some samples, and its decision weights.

    AIEC brings the weights of its decision unit; for any other activation a linear classifier
    without bias is fitted to the features.

    Args:
        layer: the activation.
        a: its global features [N, C].
        y: labels [N], int64 in [0, K).
        num_classes: K.
        fit: fit a classifier for AIEC too, so that networks are compared by one instrument.
    """
    one_hot = torch.nn.functional.one_hot(y, num_classes).float()
    theta, phi = count_activations(a, one_hot)
    activity = firing_rate(theta, phi).numpy()
    if isinstance(layer, AIEC) and layer.decision is not None:
        gated = layer.gates().numpy()
        if not fit:
            return Channels(activity, layer.decision.weight.detach().numpy(), gated, True)
    else:
        gated = np.zeros(activity.shape, dtype=bool)
    return Channels(activity, _fit(a.numpy(), y.numpy(), num_classes), gated, False)


def _fit(a: NDArray[np.float32], y: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
    # One scale for all channels: the solver converges, and channels stay comparable.
    scale = float(a.std()) or 1.0
    classifier = LogisticRegression(
        fit_intercept=False, class_weight="balanced", max_iter=MAX_ITER
    ).fit(a / scale, y)
    weight = np.zeros((num_classes, a.shape[1]), dtype=np.float32)
    fitted = classifier.coef_ / scale
    weight[classifier.classes_] = np.vstack([-fitted, fitted]) / 2 if len(fitted) == 1 else fitted
    return weight
