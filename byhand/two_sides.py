"""The picture of lesson 07: how the two sides of an encoder-decoder meet.

two_sides.draw()    the figure's Axes
"""

from __future__ import annotations

from matplotlib.axes import Axes

from byhand import figure, plot

READS = "encoder blocks × L\n(1) attend to all of the English\n(2) feed-forward"
WRITES = "decoder blocks × L\n(1) attend to the Chinese so far\n(2) attend to memory\n(3) feed-forward"
COLUMNS = (
    ("English pieces", "embed + positions", READS, "memory\none vector a piece"),
    ("Chinese so far", "embed + positions", WRITES, "which piece comes next?"),
)
CAPTION = "What to see: the sides meet in one place, the second attention of each decoder block."
ALT = "Two columns of boxes, bottom up; an arrow leads from the memory to the decoder blocks"


def draw() -> Axes:
    """Both columns, from ids at the bottom to memory and the next piece at the top, and what joins them."""
    ax = figure.begin(None, 7.4, 3.9)
    box = {"boxstyle": "round,pad=0.4", "edgecolor": "black"}
    for side, texts in enumerate(COLUMNS):
        for up, text in enumerate(texts):
            place, fill = (
                (1.3 * side, (0, 0.8, 2, 3.3)[up]),
                "#cfe8e4" if text.startswith("memory") else "white",
            )
            ax.text(
                *place, text, ha="center", va="center", fontsize="small", bbox=box | {"fc": fill}, zorder=3
            )
        for low, high in ((0.2, 0.58), (1.02, 1.45), (2.55, 3.0)):
            ax.annotate("", (1.3 * side, high), (1.3 * side, low), arrowprops={"arrowstyle": "-|>"})
    meet = {"arrowstyle": "-|>", "lw": 2, "color": plot.QUERY, "connectionstyle": "angle3,angleA=0,angleB=90"}
    ax.annotate("", (0.88, 1.95), (0.4, 3.3), arrowprops=meet)
    ax.text(0.7, 2.85, "keys and values\nfor every block", fontsize="small", color=plot.QUERY, va="center")
    ax.set(xlim=(-0.55, 1.85), ylim=(-0.3, 3.7))
    ax.axis("off")
    return figure.end(ax, "", CAPTION, ALT, own=True)
