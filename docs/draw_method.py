"""Draws docs/images/method.svg: what AIEC does in training, and what is left of it afterwards.

Run it as `python docs/draw_method.py`.
"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

TARGET = Path(__file__).parent / "images" / "method.svg"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#4d4d4d"
WIDTH, HEIGHT = 3.0, 1.15  # of a box


def box(axes: Axes, x: float, y: float, text: str, color: str = GREY) -> None:
    """Draws a box around a centre."""
    style = "round,pad=0.05,rounding_size=0.12"
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, style, fc="white", ec=color, lw=1.8))
    axes.text(x, y, text, ha="center", va="center", fontsize=10)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "", side: int = 0
) -> None:
    """Draws an arrow with a text above its middle, or left (-1) or right (1) of it."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.3})
    x, y = (start[0] + end[0]) / 2 + 0.35 * side, (start[1] + end[1]) / 2
    across = {-1: "right", 0: "center", 1: "left"}[side]
    up = "bottom" if side == 0 else "center"
    axes.text(x, y + 0.08 * (side == 0), text, ha=across, va=up, fontsize=9, color=GREY)


def main() -> None:
    """Writes the picture."""
    mpl.rcParams["svg.hashsalt"] = "aiec_graph"  # the same file each time
    figure = Figure(figsize=(8.8, 4.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 13.2), ylim=(0, 6.4))
    axes.axis("off")
    box(axes, 1.7, 5.6, "layer's output F\n[N, C]")
    box(axes, 6.1, 5.6, "threshold (TAU)\nx if x > τ, else 0", BLUE)
    box(axes, 11.4, 5.6, "next layer")
    box(axes, 2.9, 3.2, "counter (ACU)\nwhich channels fire\nfor each class", ORANGE)
    box(axes, 9.3, 3.2, "decision unit (DMU)\na linear classifier W\nand its loss L_aux", ORANGE)
    box(axes, 6.1, 0.8, "gate (CGU)\nchannels that both call\nirrelevant to a class", ORANGE)
    box(axes, 11.4, 0.8, "loss L_gate\ntheir responses\ngo to zero", ORANGE)
    arrow(axes, (3.3, 5.6), (4.5, 5.6))
    arrow(axes, (7.7, 5.6), (9.8, 5.6), "activated\nfeatures a")
    arrow(axes, (5.2, 4.95), (3.6, 3.85))
    arrow(axes, (7.0, 4.95), (8.6, 3.85))
    arrow(axes, (7.7, 3.2), (4.5, 3.2), "counts what is classified\ncorrectly")
    arrow(axes, (3.6, 2.55), (5.2, 1.45), "fires for at most half", -1)
    arrow(axes, (8.6, 2.55), (7.0, 1.45), "weight at most 0", 1)
    arrow(axes, (7.7, 0.8), (9.8, 0.8), "gates, without\ngradient")
    axes.text(0.1, 1.0, "blue: in training and after", color=BLUE, fontsize=10)
    axes.text(0.1, 0.5, "orange: in training alone", color=ORANGE, fontsize=10)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
