"""All that can take the place of an activation in an image network, by name."""

from torch import nn

from aiec_graph.core.activations import ACTIVATIONS
from aiec_graph.vision.baselines import CBAM, GELUL0, ReLUL0, SqueezeExcite
from aiec_graph.vision.naive import NaiveGELU, NaiveReLU

IMAGE_ACTIVATIONS: dict[str, type[nn.Module]] = ACTIVATIONS | {
    "relu_naive": NaiveReLU,
    "gelu_naive": NaiveGELU,
    "relu_l0": ReLUL0,
    "gelu_l0": GELUL0,
    "senet": SqueezeExcite,
    "cbam": CBAM,
}
"""The eight of the core, two naive implementations, and the baselines of the paper's Table 8."""
MAPS_ONLY = frozenset({"cbam"})
