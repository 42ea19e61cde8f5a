"""Sums and maxima over the neighbours of a node, as operators registered with torch."""

from aiec_graph.ops.operators import maximum, weighted_sum, winner_sum

__all__ = ["maximum", "weighted_sum", "winner_sum"]
