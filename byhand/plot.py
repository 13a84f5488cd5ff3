"""Pictures of attention, one language for the whole course.

    plot.weights(weights, queries=["the", "cat"], keys=["die", "Katze"])

Weights are always viridis from 0 to 1, so that pictures can be compared. Every function takes a
list, NumPy array or tensor, draws a new figure (or on `ax`), and returns the Axes. `caption` is
printed under the figure and, with the numbers that matter, read out by screen readers.
Order: heat maps (weights, alignment, mask), bars, lines, points; `explore` is in byhand/explore.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from byhand.explore import explore
from byhand.figure import (
    NUMBERS_UP_TO,
    array,
    begin,
    colour,
    end,
    ends,
    labelled,
    legend,
    listed,
    peaks,
    room,
    short,
    ticks,
)
from byhand.fonts import style

__all__ = ["alignment", "bars", "explore", "lines", "mask", "points", "style", "weights"]

Labels = Sequence[Any] | None
KEYS, QUERIES = "key position (tokens)", "query position (tokens)"
ATTEND, BLOCKED, QUERY = "#21918c", "#e4e4e4", "#c2410c"


def weights(
    weights: Any,
    *,
    queries: Labels = None,
    keys: Labels = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Heat map of attention weights, (T, S) or (S,) for one query; colours always run from 0 to 1."""
    grid = np.atleast_2d(array(weights, "weights", 1, 2)).astype(float)
    rows, columns = _names(grid, queries, keys)
    drawn = begin(ax, *_size(grid, rows, columns))
    _heat(drawn, grid)
    _axes(drawn, grid, rows, columns)
    if grid.shape[0] == 1 and rows is None:
        drawn.set(ylabel="", yticks=[])
    return end(drawn, title, caption, peaks(grid, rows, columns), own=ax is None)


def alignment(
    weights: Any,
    source: Sequence[Any],
    target: Sequence[Any],
    *,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Heat map of a translation, weights (T, S): source tokens on top, target tokens at the left."""
    grid = array(weights, "weights", 2).astype(float)
    rows, columns = _names(grid, target, source)
    drawn = begin(ax, *_size(grid, rows, columns))
    _heat(drawn, grid)
    _axes(drawn, grid, rows, columns)
    drawn.xaxis.tick_top()
    drawn.xaxis.set_label_position("top")
    drawn.set(xlabel="source tokens (keys)", ylabel="target tokens (queries)")
    drawn.tick_params(length=0)
    return end(drawn, title, caption, peaks(grid, rows, columns), own=ax is None)


def mask(
    mask: Any,
    *,
    queries: Labels = None,
    keys: Labels = None,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A boolean mask, (T, S) or (S,): True, in colour, means that the query may attend to the key."""
    grid = np.atleast_2d(array(mask, "mask", 1, 2))
    if grid.dtype != bool:
        raise ValueError(f"mask holds {grid.dtype}; a mask holds bool, True where the query may attend.")
    rows, columns = _names(grid, queries, keys)
    width, height = _size(grid, rows, columns)
    drawn = begin(ax, width + 0.3, height)
    drawn.imshow(grid, cmap=ListedColormap([BLOCKED, ATTEND]), vmin=0, vmax=1, aspect="auto")
    _axes(drawn, grid, rows, columns)
    patches = [Patch(color=ATTEND, label="may attend"), Patch(color=BLOCKED, label="blocked")]
    legend(drawn, handles=patches)
    see = f"{int(grid.sum())} of {grid.size} cells may attend"
    return end(drawn, title, caption, see, own=ax is None)


def bars(
    values: Any,
    labels: Labels = None,
    *,
    title: str = "",
    ylabel: str = "score",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One bar a key; `values` is (S,), or a dict of name -> (S,) for bars side by side."""
    given = values if isinstance(values, Mapping) else {"": values}
    series = {str(name): array(numbers, f"values {name}".strip(), 1) for name, numbers in given.items()}
    sizes = {len(numbers) for numbers in series.values()}
    if len(sizes) != 1:
        raise ValueError(f"values must be as long as each other, got lengths {sorted(sizes)}.")
    n_keys, n_series = sizes.pop(), len(series)
    names = labelled(labels, n_keys, "labels", "bars")
    wide = max(0.36 * n_keys * (1 + n_series), room(names)) + (1.4 if n_series > 1 else 0)  # the legend's
    drawn = begin(ax, min(9.5, max(4.2, 1.2 + wide)), 2.9)
    width, largest = 0.8 / n_series, max(float(np.max(np.abs(numbers))) for numbers in series.values())
    for number, (name, numbers) in enumerate(series.items()):
        place = np.arange(n_keys) + (number - (n_series - 1) / 2) * width
        container = drawn.bar(place, numbers, width * 0.94, color=colour(number, n_series), label=name)
        if n_keys * n_series <= NUMBERS_UP_TO:
            shown = [short(number) if abs(number) * 500 > largest else f"{number:.2f}" for number in numbers]
            drawn.bar_label(container, labels=shown, fontsize="small", padding=2)
    drawn.axhline(0, color="black", linewidth=0.8)
    drawn.margins(y=0.15)
    drawn.grid(axis="y", alpha=0.25)
    drawn.set(xlabel=KEYS if names is None else "key", ylabel=ylabel)
    ticks(drawn, "x", n_keys, names)
    if n_series > 1:
        legend(drawn)
    see = "; ".join(f"{name} {listed(numbers)}".strip() for name, numbers in series.items())
    return end(drawn, title, caption, f"{ylabel}: {see}", own=ax is None)


def lines(
    x: Any,
    series: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    caption: str = "",
    log: bool = False,
    dashed: Collection[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """One line for each entry of `series`, name -> numbers as long as `x`; log: on both axes.

    dashed: names of lines that lie on others, which show through the gaps.
    """
    across, said = array(x, "x", 1), []
    drawn = begin(ax, 6.4, 3.2)
    for number, (name, numbers) in enumerate(series.items()):
        up = array(numbers, str(name), 1)
        if len(up) != len(across):
            raise ValueError(f"{name} has {len(up)} numbers, but x has {len(across)}.")
        marker = "osD^vPX*"[number % 8] if len(up) <= 40 else ""
        look: dict[str, Any] = {"linestyle": (0, (3, 3)), "fillstyle": "none"} if name in dashed else {}
        look |= {"color": colour(number, len(series)), "label": name}
        drawn.plot(across, up, marker=marker, markersize=4.5, **look)
        said.append(f"{name} {ends(up)}")
    if log:
        drawn.set(xscale="log", yscale="log")
    drawn.grid(alpha=0.25)
    drawn.set(xlabel=xlabel, ylabel=ylabel)
    if len(series) > 1:
        legend(drawn)
    see = f"Lines of {ylabel} against {xlabel}: {'; '.join(said)}"
    return end(drawn, title, caption, see, own=ax is None)


def points(
    keys: Any,
    query: Any = None,
    weights: Any = None,
    labels: Labels = None,
    *,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Keys (S, 2) as dots in the plane, area and colour by weight (S,); the query (2,) as an arrow."""
    dots = array(keys, "keys", 2).astype(float)
    if dots.shape[1] != 2:
        raise ValueError(f"keys has shape {dots.shape}; points in the plane have shape (S, 2).")
    share = np.full(len(dots), np.nan) if weights is None else array(weights, "weights", 1).astype(float)
    if len(share) != len(dots):
        raise ValueError(f"weights has {len(share)} entries, but there are {len(dots)} keys.")
    names = labelled(labels, len(dots), "labels", "keys") or [f"key {number}" for number in range(len(dots))]
    drawn = begin(ax, 4.6 if weights is None else 5.4, 4.2)
    reach = [*dots, np.zeros(2)]
    if query is not None:
        arrow = array(query, "query", 1).astype(float)
        if arrow.shape != (2,):
            raise ValueError(f"query has shape {arrow.shape}; an arrow in the plane has shape (2,).")
        reach.append(arrow)
        _arrow(drawn, arrow)
    _dots(drawn, dots, share)
    for (across, up), name, part in zip(dots, names, share, strict=True):
        text = name if np.isnan(part) else f"{name}\n{part:.2f}"
        offset = 7 + 11 * np.sqrt(max(0.0, np.nan_to_num(part)))
        drawn.annotate(
            text, (across, up), (offset, 0), textcoords="offset points", fontsize="small", va="center"
        )
    _square(drawn, np.array(reach))
    places = (f"{name} ({x:.3g}, {y:.3g})" for name, (x, y) in zip(names, dots, strict=True))
    see = f"Keys at {', '.join(places)}"
    return end(drawn, title, caption, see, own=ax is None)


def _names(
    grid: np.ndarray[Any, Any], queries: Labels, keys: Labels
) -> tuple[list[str] | None, list[str] | None]:
    return labelled(queries, grid.shape[0], "queries", "rows"), labelled(
        keys, grid.shape[1], "keys", "columns"
    )


def _size(
    grid: np.ndarray[Any, Any], rows: list[str] | None, columns: list[str] | None
) -> tuple[float, float]:
    """Inches of a figure in which every cell and label has room."""
    n_rows, n_columns = grid.shape
    wide = max(0.55 * n_columns, room(columns)) if n_columns <= 20 else 0.2 * n_columns
    high = 0.42 * n_rows if n_rows <= 15 else 0.15 * n_rows
    longest = room(rows) / n_rows if rows else 0.2
    width = min(9.5, max(4.2, 1.7 + longest + wide))
    return width, min(7.5, max(1.7 if n_rows == 1 else 2.6, 1.2 + high))


def _heat(ax: Axes, grid: np.ndarray[Any, Any]) -> None:
    image = ax.imshow(grid, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    below, above = np.any(grid < 0), np.any(grid > 1 + 1e-6)
    extend = ("both" if above else "min") if below else ("max" if above else "neither")
    bar = ax.figure.colorbar(image, ax=ax, label="weight", extend=extend, ticks=[0, 0.5, 1], pad=0.02)
    bar.outline.set_visible(False)
    if max(grid.shape) > NUMBERS_UP_TO:
        return
    for (row, column), weight in np.ndenumerate(grid):
        ink = "black" if weight > 0.6 or np.isnan(weight) else "white"
        text = "0" if weight == 0 else f"{weight:.2f}"  # 0 by a mask, or merely small
        ax.text(column, row, text, ha="center", va="center", fontsize="small", color=ink)


def _axes(ax: Axes, grid: np.ndarray[Any, Any], rows: list[str] | None, columns: list[str] | None) -> None:
    """Name both axes, label the ticks, and draw thin lines between cells."""
    ax.set(xlabel=KEYS, ylabel=QUERIES)
    ticks(ax, "y", grid.shape[0], rows)
    ticks(ax, "x", grid.shape[1], columns)
    ax.spines[:].set_visible(False)
    n_rows, n_columns = grid.shape
    if max(grid.shape) <= 20:
        ax.vlines(np.arange(1, n_columns) - 0.5, -0.5, n_rows - 0.5, color="white", linewidth=1)
        ax.hlines(np.arange(1, n_rows) - 0.5, -0.5, n_columns - 0.5, color="white", linewidth=1)
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))


def _dots(ax: Axes, dots: np.ndarray[Any, Any], share: np.ndarray[Any, Any]) -> None:
    if np.isnan(share).all():
        ax.scatter(dots[:, 0], dots[:, 1], s=60, color=colour(1, 3), zorder=3)
        return
    area = 25 + 600 * np.clip(np.nan_to_num(share), 0, 1)
    look: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1, "edgecolor": "black", "lw": 0.5}
    image = ax.scatter(dots[:, 0], dots[:, 1], s=area, c=share, zorder=3, **look)
    ax.figure.colorbar(image, ax=ax, label="weight", ticks=[0, 0.5, 1], shrink=0.8).outline.set_visible(False)


def _arrow(ax: Axes, query: np.ndarray[Any, Any]) -> None:
    shape = {"arrowstyle": "-|>", "color": QUERY, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tuple(query), (0, 0), arrowprops=shape, zorder=4)
    ax.annotate(
        "query", tuple(query), (6, 8), textcoords="offset points", color=QUERY, fontsize="small", zorder=5
    )


def _square(ax: Axes, reach: np.ndarray[Any, Any]) -> None:
    """Equal units on both axes, the origin marked, room for the labels."""
    low, high = reach.min(axis=0), reach.max(axis=0)
    centre, half = (low + high) / 2, 0.66 * float((high - low).max() or 1.0)
    ax.set(
        xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half), aspect="equal"
    )
    ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    ax.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
    ax.set(xlabel="first feature", ylabel="second feature")
