"""All that can take the place of an activation in an image network, by name."""

from torch import nn

from aiec_graph.core.activations import ACTIVATIONS
from aiec_graph.vision.by_hand import GELUByHand, ReLUByHand
from aiec_graph.vision.rivals import CBAM, GELUL0, ReLUL0, SqueezeExcite

IMAGE_ACTIVATIONS: dict[str, type[nn.Module]] = ACTIVATIONS | {
    "relu_by_hand": ReLUByHand,
    "gelu_by_hand": GELUByHand,
    "relu_l0": ReLUL0,
    "gelu_l0": GELUL0,
    "senet": SqueezeExcite,
    "cbam": CBAM,
}
"""The eight of the core, two written by hand, and the rivals of the paper's Table 8."""
MAPS_ONLY = frozenset({"cbam"})
