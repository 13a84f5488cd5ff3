"""Pictures of translation: where it looked, what the beam kept, how training went.

    draw.attention(maps)                one layer's heads together, source on top, translation at the left
    draw.heads(maps)                    every head of every layer, small
    draw.beam(steps, vocabulary)        what each step of a beam search kept, and where it came from
    draw.curves({"my run": run})        loss and BLEU against seconds of training

Weights are viridis from 0 to 1, as everywhere in the course. Order as above, then helpers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from byhand import fonts, plot
from byhand.figure import CAPTION_COLOUR, CaptionedFigure, QuietAxes, begin, colour, end, peaks, ticks, wrap
from byhand.translation.attended import Maps, names
from byhand.translation.beam import Hypothesis, Steps, answer, ended

KEPT, DROPPED, BEST = "#31688e", "#b8b8b8", "#c2410c"


def attention(
    maps: Maps,
    layer: int | None = -1,
    head: int | None = None,
    *,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One head of one layer; head None: the mean over its heads; layer None: the mean over all layers."""
    if head is not None and layer is None:
        raise ValueError(f"head {head} of which layer? Pass layer=0 to {len(maps.weights) - 1}.")
    weights = maps.mean(layer) if head is None else maps.weights[layer, head]
    return plot.alignment(weights, maps.source, maps.target, title=title, caption=caption, ax=ax)


def heads(maps: Maps, *, title: str = "", caption: str = "") -> CaptionedFigure:
    """A small map for each head (column) of each layer (row)."""
    n_layers, n_heads, n_rows, n_columns = maps.weights.shape
    with fonts.style():
        figure = plt.figure(
            figsize=(min(12.0, 1.2 + 1.9 * n_heads), min(12.0, 1.0 + 1.7 * n_layers)),
            layout="constrained",
            FigureClass=CaptionedFigure,
        )
        grid = figure.subplots(n_layers, n_heads, squeeze=False, sharex=True, sharey=True)
    for (layer, head), ax in np.ndenumerate(grid):
        image = ax.imshow(maps.weights[layer, head].numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
        ax.set_title(f"layer {layer}, head {head}", fontsize="small")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, labelsize=7, labelfontfamily=fonts.families())
        ticks(ax, "y", n_rows, maps.target if n_rows <= 24 else None)
        ax.set_xticks(range(n_columns), labels=maps.source if n_columns <= 24 else None, rotation=90)
    figure.colorbar(image, ax=grid, label="weight", ticks=[0, 0.5, 1], pad=0.01).outline.set_visible(False)
    see = peaks(maps.mean(None).numpy(), maps.target, maps.source)
    return _finish(figure, title, caption, f"Mean of all heads. {see}")


def beam(
    steps: Steps,
    vocabulary: Any,
    *,
    length_penalty: float = 1.0,
    most: int = 16,
    title: str = "",
    caption: str = "",
) -> Axes:
    """A column for each step, the kept hypotheses from best (top) to worst; lines come from the parent.

    Under each piece stands the sum of log-probabilities. The answer's way is drawn in its own colour;
    what left no descendant in the last step is grey. Steps beyond `most` are left out.
    """
    chosen, shown = answer(steps, length_penalty), steps[:most]
    alive = {prefix for produced, _ in steps[-1] for prefix in _prefixes(produced)}
    way = set(_prefixes(chosen[0]))
    ax = begin(None, min(14.0, 1.6 + 0.95 * len(shown)), max(2.4, 0.8 + 0.62 * max(map(len, shown))))
    places: dict[tuple[int, ...], tuple[int, int]] = {(): (-1, 0)}
    _box(ax, (-1, 0), "⟨start⟩", "", BEST)
    for column, kept in enumerate(shown):
        before, places = places, {}
        for row, one in enumerate(kept):
            places[one[0]] = (column, row)
            ink = BEST if one[0] in way else KEPT if one[0] in alive else DROPPED
            _hypothesis(ax, one, (column, row), before, ink, vocabulary)
    ax.set(xlim=(-1.6, len(shown) - 0.4), ylim=(max(map(len, shown)) - 0.4, -0.6))
    ax.set(xlabel="step", ylabel="rank in the beam", xticks=range(len(shown)))
    ax.set_xticklabels([str(step + 1) for step in range(len(shown))])
    ax.set_yticks(range(max(map(len, shown))), labels=[str(1 + rank) for rank in range(max(map(len, shown)))])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    text = vocabulary.decode([number for number in chosen[0] if number > 3])
    score = chosen[1] / len(chosen[0]) ** length_penalty
    see = f"A beam of {max(map(len, steps))} over {len(steps)} steps; answer {text!r}, score {score:.2f}"
    return end(ax, title, caption, see, own=True)


def curves(runs: Mapping[str, Any], *, title: str = "", caption: str = "") -> CaptionedFigure:
    """Loss at the left and validation BLEU at the right, both against seconds of training."""
    with fonts.style():
        figure = plt.figure(figsize=(9.5, 3.4), layout="constrained", FigureClass=CaptionedFigure)
        left, right = (
            figure.add_subplot(1, 2, 1, axes_class=QuietAxes),
            figure.add_subplot(1, 2, 2, axes_class=QuietAxes),
        )
    said = []
    for number, (name, run) in enumerate(runs.items()):
        look: dict[str, Any] = {"color": colour(number, len(runs)), "label": name}
        seconds, losses = _smooth(run)
        left.plot(seconds, losses, **look)
        points = np.array(run.bleus, dtype=float).reshape(-1, 2)  # step, BLEU
        points[:, 0] *= run.seconds / len(run.losses)
        right.plot(points[:, 0], points[:, 1], marker="o", markersize=4, **look)
        last = f", BLEU {points[-1, 1]:.1f}" if len(points) else ""
        said.append(f"{name}: loss {losses[-1]:.2f}{last} after {seconds[-1]:.0f} s")
    for ax, label in ((left, "loss (nats a token)"), (right, "BLEU on the validation split")):
        ax.grid(alpha=0.25)
        ax.set(xlabel="seconds of training", ylabel=label)
        ax.set(xlim=(0, None), ylim=(0, None))
    if len(runs) > 1:
        left.legend(frameon=False)
    return _finish(figure, title, caption, "; ".join(said))


def _finish(figure: Any, title: str, caption: str, see: str) -> CaptionedFigure:
    """Title and caption of a figure with several axes, and its words for who cannot see it."""
    look: dict[str, Any] = {"x": 0.01, "ha": "left", "fontfamily": fonts.families()}
    if title:
        figure.suptitle(title, fontsize="medium", **look)
    if caption:
        letters = int(figure.get_figwidth() * 13.5)
        figure.supxlabel(wrap(caption, letters), fontsize="small", color=CAPTION_COLOUR, **look)
    fonts.tell_if_missing(title, caption, see)
    figure.alt = " ".join(f"{part.rstrip('.')}." for part in (title, caption, see) if part)
    drawn: CaptionedFigure = figure
    return drawn


def _prefixes(produced: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(produced[:length]) for length in range(len(produced) + 1)]


def _hypothesis(
    ax: Axes,
    one: Hypothesis,
    place: tuple[int, int],
    before: Mapping[tuple[int, ...], tuple[int, int]],
    ink: str,
    vocabulary: Any,
) -> None:
    """One kept hypothesis: its last piece, its sum, and a line from where it was a step earlier."""
    carried = one[0] in before  # finished in an earlier step, kept again
    parent = before[one[0] if carried else one[0][:-1]]
    style: dict[str, Any] = {
        "color": ink,
        "lw": 2.2 if ink == BEST else 1.1,
        "zorder": 3 if ink == BEST else 1,
    }
    ax.plot(
        [parent[0] + 0.36, place[0] - 0.36], [parent[1], place[1]], linestyle=":" if carried else "-", **style
    )
    piece = names(vocabulary, one[0][-1:])[0]
    _box(ax, place, piece, f"{one[1]:.2f}", ink, ended(one))


def _box(ax: Axes, place: tuple[int, int], piece: str, number: str, ink: str, finished: bool = False) -> None:
    across, down = place
    shape = "round,pad=0,rounding_size=0.12" if finished else "square,pad=0"
    face = "#f3f3f3" if finished else "white"
    box = FancyBboxPatch(
        (across - 0.36, down - 0.31), 0.72, 0.62, boxstyle=shape, fc=face, ec=ink, lw=1.2, zorder=4
    )
    ax.add_patch(box)
    look: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "zorder": 5,
        "color": ink if ink == BEST else "black",
    }
    short = piece if len(piece) <= 9 else f"{piece[:8]}…"
    ax.text(across, down - (0.1 if number else 0), short, fontsize=9 if len(short) < 7 else 7, **look)
    ax.text(across, down + 0.18, number, fontsize=6.5, **look)


def _smooth(run: Any, parts: int = 60) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Seconds and mean losses of about `parts` stretches of a run."""
    losses = np.asarray(run.losses, dtype=float)
    stretches = np.array_split(losses, min(parts, len(losses)))
    ends = np.cumsum([len(stretch) for stretch in stretches])
    return ends / len(losses) * run.seconds, np.array([stretch.mean() for stretch in stretches])
