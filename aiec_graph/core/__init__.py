"""The method: AIEC, its penalty and loss, the compared activations. Depends on torch alone."""

from aiec_graph.core.activations import ACTIVATIONS, make_activation
from aiec_graph.core.aiec import AIEC
from aiec_graph.core.convert import build_activations, convert, strip
from aiec_graph.core.gdn import GDN
from aiec_graph.core.loss import AIECLoss, Losses
from aiec_graph.core.penalty import AIECPenalty, PenaltyTerms
from aiec_graph.core.units import (
    ActivationCounter,
    ConsensusGate,
    DecisionUnit,
    ThresholdActivation,
)

__all__ = [
    "ACTIVATIONS",
    "AIEC",
    "GDN",
    "AIECLoss",
    "AIECPenalty",
    "ActivationCounter",
    "ConsensusGate",
    "DecisionUnit",
    "Losses",
    "PenaltyTerms",
    "ThresholdActivation",
    "build_activations",
    "convert",
    "make_activation",
    "strip",
]
