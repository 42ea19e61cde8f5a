"""The neighbourhood of a suspect, placed for a small drawing."""

import math
from dataclasses import dataclass

import numpy as np

from aiec_graph.detect.reasons import Explainer
from aiec_graph.detect.reasons_words import NodeReasons

MOST_DRAWN = 10
CENTRE, RADIUS = (170.0, 105.0), (84.0, 72.0)


@dataclass(frozen=True)
class Dot:
    """A node of a drawing."""

    id: str
    x: float
    y: float
    is_flagged: bool
    is_named: bool
    """Among the reasons."""
    anchor: str
    """Where the label begins: start, middle or end."""


@dataclass(frozen=True)
class Drawing:
    """A suspect in the middle and some of its neighbours around it."""

    centre: Dot
    around: list[Dot]
    links: list[tuple[float, float, float, float]]
    """Edges among the neighbours that are drawn."""
    left_out: int
    """Neighbours that are not drawn."""


def draw_neighbourhood(explainer: Explainer, reasons: NodeReasons) -> Drawing:
    """Places a node's neighbours, those that the reasons name first, then the highest scores."""
    matrix, score = explainer.partners, explainer.score
    near = matrix.indices[matrix.indptr[reasons.node] : matrix.indptr[reasons.node + 1]]
    named = [neighbour.node for neighbour in reasons.neighbours]
    rest = near[~np.isin(near, named)]
    rest = rest[np.argsort(-score[rest], kind="stable")].tolist()
    drawn = (named + rest)[:MOST_DRAWN]
    dots = [_dot(explainer, j, k / max(len(drawn), 1), j in named) for k, j in enumerate(drawn)]
    links = []
    place = dict(zip(drawn, dots, strict=True))
    among = matrix[drawn][:, drawn].tocoo() if len(drawn) else None
    for a, b in zip(among.row, among.col, strict=True) if among is not None else ():
        if a < b:
            first, second = place[drawn[a]], place[drawn[b]]
            links.append((first.x, first.y, second.x, second.y))
    own = Dot(reasons.id, *CENTRE, bool(explainer.flag[reasons.node]), True, "middle")
    return Drawing(own, dots, links, len(near) - len(drawn))


def _dot(explainer: Explainer, node: int, turn: float, is_named: bool) -> Dot:
    angle = 2 * math.pi * turn - math.pi / 2
    x, y = (
        round(c + r * f, 1)
        for c, r, f in zip(CENTRE, RADIUS, (math.cos(angle), math.sin(angle)), strict=True)
    )
    anchor = "middle" if abs(x - CENTRE[0]) < 40 else "start" if x > CENTRE[0] else "end"
    name = str(explainer.graph.node_ids[node])
    return Dot(name, x, y, bool(explainer.flag[node]), is_named, anchor)
