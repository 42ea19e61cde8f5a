"""Detection for analysts: from tables to a ranked list of suspects with a defended cut."""

from aiec_graph.detect.alarms import (
    DetectionWarning,
    DriftWarning,
    SplitWarning,
    ThresholdWarning,
    TiesWarning,
)
from aiec_graph.detect.estimator import FraudDetector
from aiec_graph.detect.inputs import as_nodes
from aiec_graph.detect.leakage import LeakageGap, leakage_gap
from aiec_graph.detect.nodes import Nodes
from aiec_graph.detect.splits import GraphSplit

__all__ = [
    "DetectionWarning",
    "DriftWarning",
    "FraudDetector",
    "GraphSplit",
    "LeakageGap",
    "Nodes",
    "SplitWarning",
    "ThresholdWarning",
    "TiesWarning",
    "as_nodes",
    "leakage_gap",
]
