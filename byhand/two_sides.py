"""The picture of lesson 07: how the two sides of an encoder-decoder meet.

two_sides.draw()    the figure's Axes
"""

from __future__ import annotations

from matplotlib.axes import Axes

from byhand import figure, plot

# What stands in the boxes, bottom up
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
        for height, text in zip((0, 0.8, 2, 3.3), texts, strict=True):
            look = {"bbox": box | {"facecolor": "#cfe8e4" if text.startswith("memory") else "white"}}
            ax.text(1.3 * side, height, text, ha="center", va="center", fontsize="small", zorder=3, **look)
        for low, high in ((0.2, 0.58), (1.02, 1.45), (2.55, 3.0)):
            ax.annotate("", (1.3 * side, high), (1.3 * side, low), arrowprops={"arrowstyle": "-|>"})
    back = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=-0.35", "color": "#666666"}
    ax.annotate("", (1.5, 0), (1.55, 3.2), arrowprops=back)
    ax.text(1.86, 1.6, "written,\nthen read", fontsize="small", color="#666666", ha="center")
    meet = {"arrowstyle": "-|>", "lw": 2, "color": plot.QUERY}
    ax.annotate("", (0.98, 2.15), (0.2, 3.2), arrowprops=meet)
    ax.text(0.6, 2.8, "keys and values,\nfor every block", fontsize="small", color=plot.QUERY, va="bottom")
    ax.set(xlim=(-0.35, 2.1), ylim=(-0.25, 3.65))
    ax.axis("off")
    return figure.end(ax, "", CAPTION, ALT, own=True)
