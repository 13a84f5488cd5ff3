"""The paper that byhand.plot draws on: a figure that knows its caption and shows once.

Order: the figure and axes classes, `begin` and `end` of a drawing, checks of what was passed in.
"""

from __future__ import annotations

import html
import os
import unicodedata
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, MaxNLocator

from byhand import fonts
from byhand.checking.failed import notebook_shell

CAPTION_COLOUR = "#444444"
NUMBERS_UP_TO = 12  # beyond so many a side (or bars), numbers would not fit


class CaptionedFigure(Figure):
    """A Matplotlib figure whose caption is also the alt text of its picture."""

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], Any]:
        """The notebook's picture as an <img>: of a bare PNG, JupyterLab 4.6 ignores the alt text.

        While a class is graded it stays a PNG, since learners' HTML is not shown to others.
        """
        shell = notebook_shell()
        png: Any = shell.display_formatter.formatters["image/png"] if shell else {}
        if Figure not in png or os.environ.get("BYHAND_GRADING"):
            return {}, {"image/png": {"alt": self.alt}} if self.alt else {}
        png.for_type(CaptionedFigure, lambda figure: None)  # else the notebook would hold the picture twice
        made = png.lookup_by_type(Figure)(self)
        picture, size = made if isinstance(made, tuple) else (made, {})
        return {"text/html": image(self.alt, picture, size.get("width", 0))}, {}  # retina: half the pixels

    def __repr__(self) -> str:
        return self.alt or super().__repr__()

    def draw(self, renderer: Any) -> None:
        with fonts.quiet():
            super().draw(renderer)

    def get_tightbbox(self, *args: Any, **kwargs: Any) -> Any:
        with fonts.quiet():
            return super().get_tightbbox(*args, **kwargs)


def image(alt: str, png: str, width: int = 0) -> str:
    """An HTML element of a picture in base64, as wide as it is or `width` pixels."""
    size = f' width="{width}"' if width else ""
    return f'<img alt="{html.escape(alt)}"{size} src="data:image/png;base64,{png}">'


class PlainLog(LogFormatter):
    """Labels of a log axis as people write numbers: 3, not 3 × 10⁰."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""  # some minor ticks have none


class QuietAxes(Axes):
    """Axes that print nothing when a notebook cell ends with them: the figure shows by itself."""

    def _ipython_display_(self) -> None:
        return None


def begin(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes to draw on: `ax`, or those of a new figure, width x height inches."""
    if ax is not None:
        return ax
    with fonts.style():
        figure = plt.figure(
            figsize=(width, height),
            layout=ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.08),
            FigureClass=CaptionedFigure,
        )
        return figure.add_subplot(axes_class=QuietAxes)


def end(ax: Axes, title: str, caption: str, see: str, *, own: bool) -> Axes:
    """Write title and caption; `see` describes the picture in words, for who cannot see it."""
    families = fonts.families()
    figure = ax.figure.figure
    if title:
        ax.set_title(title, loc="left", fontsize="medium")
    ax.tick_params(labelfontfamily=families)
    for text in _texts(ax):
        text.set_fontfamily(families)
    fonts.tell_if_missing(title, caption, *(text.get_text() for text in _texts(ax)))
    if caption and own:
        letters = int(figure.get_figwidth() * 13.5)
        figure.supxlabel(
            wrap(caption, letters),
            x=0.01,
            ha="left",
            fontsize="small",
            color=CAPTION_COLOUR,
            fontfamily=families,
        )
    elif caption:
        width = ax.get_position().width * figure.get_figwidth()
        ax.set_xlabel(f"{ax.get_xlabel()}\n{wrap(caption, int(width * 12))}")
    if isinstance(figure, CaptionedFigure):
        parts = [figure.alt, title, caption, see.rstrip(".")]
        figure.alt = " ".join(part if part[-1] in ".。?？" else f"{part}." for part in parts if part)
    return ax


def _texts(ax: Axes) -> list[Text]:
    return [artist for artist in ax.findobj(Text) if isinstance(artist, Text)]


def wrap(text: str, letters: int) -> str:
    """`text` in lines of at most `letters` columns; Chinese letters take two and may end a line anywhere."""
    lines, line, used = [], "", 0
    for piece in _pieces(text):
        width = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in piece)
        if used + width > letters and line.strip():
            lines.append(line.rstrip())
            line, used, piece = "", 0, piece.lstrip()
        line, used = line + piece, used + width
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str) -> list[str]:
    """Words with the space before them; each Chinese letter, with what follows without a space, alone."""
    pieces = [""]
    for letter in text:
        if letter == " " or (fonts.has_chinese(letter) and unicodedata.category(letter) == "Lo"):
            pieces.append("")
        pieces[-1] += letter
    return pieces


def array(numbers: Any, name: str, *axes: int) -> np.ndarray[Any, Any]:
    """`numbers` (list, NumPy array or tensor) as an array that has one of the numbers of `axes`."""
    if hasattr(numbers, "detach"):  # a tensor; bfloat16 has no NumPy twin
        numbers = numbers.detach().cpu()
        numbers = numbers.float() if numbers.is_floating_point() else numbers
    result = np.asarray(numbers)
    if result.ndim not in axes or result.size == 0:
        wanted = " or ".join({1: "(S,)", 2: "(T, S)"}[count] for count in axes)
        raise ValueError(
            f"{name} has shape {result.shape}; draw one of shape {wanted} with at least 1 entry."
        )
    if result.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {result.dtype}, which cannot be drawn; it must hold numbers.")
    return result


def labelled(labels: Sequence[Any] | None, count: int, name: str, what: str) -> list[str] | None:
    """`labels` as text, one for each of `count`. Raises ValueError with both numbers otherwise."""
    if labels is None:
        return None
    if len(labels) != count:
        raise ValueError(f"{name} has {len(labels)} labels, but there are {count} {what}.")
    return [str(label) for label in labels]


def ticks(ax: Axes, side: str, count: int, names: list[str] | None) -> None:
    axis = ax.xaxis if side == "x" else ax.yaxis
    if names is None and count > 16:
        axis.set_major_locator(MaxNLocator(10, integer=True))
        return
    texts = names or [str(number) for number in range(count)]
    axis.set_ticks(range(count), labels=texts)
    if side == "x" and room(texts) > 9.0:
        for label in axis.get_ticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")


def legend(ax: Axes, **more: Any) -> None:
    """A legend at the right of the axes, where it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0, **more)


def room(texts: Sequence[str] | None) -> float:
    """Inches that these labels need side by side."""
    longest = max((sum(1 + fonts.has_chinese(letter) for letter in text) for text in texts or ()), default=0)
    return len(texts or ()) * (0.085 * longest + 0.15)


def colour(number: int, count: int) -> Any:
    """Viridis again, without the yellow end, which is faint on white."""
    return mpl.colormaps["viridis"](0.3 if count == 1 else 0.1 + 0.72 * number / (count - 1))


def short(number: float) -> str:
    """A number in about four letters: 0.25, 12.3, 1234, -inf."""
    size = abs(number)
    if number == 0 or 0.005 <= size < 10:
        return f"{number:.2f}"
    return f"{number:.2g}" if size < 10 else f"{number:.3g}"


def listed(numbers: np.ndarray[Any, Any]) -> str:
    shown = ", ".join(short(number) for number in numbers[:NUMBERS_UP_TO])
    return shown if len(numbers) <= NUMBERS_UP_TO else f"{shown}, and {len(numbers) - NUMBERS_UP_TO} more"


def ends(numbers: np.ndarray[Any, Any]) -> str:
    """The first and the last finite number of a line."""
    finite = numbers[np.isfinite(numbers)]
    return f"from {short(finite[0])} to {short(finite[-1])}" if len(finite) else "without a finite number"


def peaks(grid: np.ndarray[Any, Any], rows: list[str] | None, columns: list[str] | None) -> str:
    """The largest weight of the first rows, in words."""
    said = []
    for number, row in enumerate(grid[:NUMBERS_UP_TO]):
        if np.isnan(row).all():
            continue
        query = f"query {number}" if rows is None else rows[number]
        first, *others = np.flatnonzero(np.isclose(row, np.nanmax(row)))
        if others:
            said.append(f"{query}: equal on {1 + len(others)} keys ({short(row[first])} each)")
            continue
        key = f"key {first}" if columns is None else columns[first]
        said.append(f"{query}: most on {key} ({short(row[first])})")
    size = f"{grid.shape[0]} {'query' if len(grid) == 1 else 'queries'} over {grid.shape[1]} keys"
    return f"Attention weights of {size}. {'; '.join(said)}".rstrip()
