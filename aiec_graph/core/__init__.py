"""The method: AIEC, its objective, the compared activations. Depends on torch alone."""

from aiec_graph.core.activations import ACTIVATIONS, make_activation
from aiec_graph.core.aiec import (
    AIEC,
    ActivationCounter,
    ConsensusGate,
    DecisionUnit,
    ThresholdActivation,
)
from aiec_graph.core.convert import build_activations, convert, strip
from aiec_graph.core.gdn import GDN
from aiec_graph.core.objective import AIECLoss, Losses

__all__ = [
    "ACTIVATIONS",
    "AIEC",
    "GDN",
    "AIECLoss",
    "ActivationCounter",
    "ConsensusGate",
    "DecisionUnit",
    "Losses",
    "ThresholdActivation",
    "build_activations",
    "convert",
    "make_activation",
    "strip",
]
