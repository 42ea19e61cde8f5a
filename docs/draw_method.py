"""Draws docs/images/method.svg: what AIEC does in training, and what is left of it afterwards."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

TARGET = Path(__file__).parent / "images" / "method.svg"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#4d4d4d"


def box(axes: Axes, x: float, y: float, text: str, color: str = GREY) -> None:
    """Draws a box of 2.6 × 1 around a centre."""
    style = "round,pad=0.05,rounding_size=0.12"
    shape = FancyBboxPatch((x - 1.3, y - 0.5), 2.6, 1, style, fc="white", ec=color, lw=1.6)
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """Draws an arrow with a text above its middle."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2})
    if text:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.14
        axes.text(*middle, text, ha="center", fontsize=7.5, color=GREY)


def main() -> None:
    """Writes the picture."""
    figure = Figure(figsize=(9.6, 3.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 13.2), ylim=(0, 5.3))
    axes.axis("off")
    box(axes, 1.6, 4.6, "layer's output F\n[N, C]")
    box(axes, 5.4, 4.6, "threshold (TAU)\nx if x > τ, else 0", BLUE)
    box(axes, 11.4, 4.6, "next layer")
    box(axes, 3.0, 2.6, "counter (ACU)\nwhich channels fire\nfor each class", ORANGE)
    box(axes, 7.4, 2.6, "decision unit (DMU)\na linear classifier W\nand its loss L_aux", ORANGE)
    box(axes, 5.2, 0.6, "gate (CGU)\nchannels that both call\nirrelevant to a class", ORANGE)
    box(axes, 10.6, 0.6, "loss L_gate\ntheir responses\ngo to zero", ORANGE)
    arrow(axes, (2.95, 4.6), (4.05, 4.6))
    arrow(axes, (6.75, 4.6), (10.05, 4.6), "activated features a [N, C]")
    arrow(axes, (4.9, 4.05), (3.5, 3.15))
    arrow(axes, (5.9, 4.05), (7.0, 3.15))
    arrow(axes, (3.3, 2.05), (4.4, 1.15), "firing rate ≤ 0" + 26 * " ")
    arrow(axes, (7.1, 2.05), (6.0, 1.15), 22 * " " + "weight ≤ 0")
    arrow(axes, (6.55, 0.6), (9.25, 0.6), "gates, without gradient")
    axes.text(12.9, 2.4, "orange: in training alone", color=ORANGE, ha="right", fontsize=8.5)
    axes.text(12.9, 2.75, "blue: in training and after", color=BLUE, ha="right", fontsize=8.5)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
