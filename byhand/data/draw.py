"""The pictures of the data card: how long texts are, and how new the test is.

Order: draw, each picture, how similar texts are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from byhand.data import cache, clean, split
from byhand.data.cache import VIEWS
from byhand.data.sources import SPLITS, collection, collections

LONG = 40  # words: longer texts count as this


def draw(folder: Path) -> list[str]:
    """Draw lengths.png and nearest.png; their names."""
    mpl.use("agg")
    pictures = {"lengths.png": lengths, "nearest.png": newness}
    for name, picture in pictures.items():
        figure: Any = picture().figure
        figure.savefig(folder / name, dpi=110, metadata={"Software": None})
    return list(pictures)


def made() -> list[str]:
    """The collections of texts that every learner has."""
    return [name for name in collections(("pairs", "labelled")) if collection(name).default]


def lengths() -> Axes:
    """How many of a collection's texts have so many words."""
    from byhand import plot

    bins = np.arange(LONG + 2)
    series = {}
    for name in made():
        rows = [row for part in SPLITS for row in cache.rows(name, part)]
        found = [min(len(clean.WORD.findall(text)), LONG) for text, _ in rows]
        series[name] = 100 * np.histogram(found, bins)[0] / len(found)
    return plot.lines(
        bins[:-1],
        series,
        xlabel=f"English words ({LONG}: {LONG} or more)",
        ylabel="share of the texts (%)",
        title="How long the texts are",
    )


def newness() -> Axes:
    """How similar the test's texts are to what was seen in training."""
    from byhand import plot

    at = np.arange(0, 1.001, 0.05)
    series = {}
    for name in made():
        train, test = ([VIEWS[0](row) for row in cache.rows(name, part)] for part in ("train", "test"))
        best = np.array(nearest(test, train))
        series[name] = [100 * float((best >= x).mean()) for x in at]
    return plot.lines(
        at,
        series,
        xlabel="overlap with the most similar training text (1: the same)",
        ylabel="texts of the test with at least this (%)",
        title="How new the test is",
    )


def nearest(texts: Sequence[str], others: Iterable[str]) -> list[float]:
    """For each text how much its n-grams overlap with those of the most similar other text (0 to 1)."""
    known = [split.grams(text) for text in sorted(set(others))]
    holds: dict[str, list[int]] = {}
    for at, found in enumerate(known):
        for gram in found:
            holds.setdefault(gram, []).append(at)
    best = []
    for own in map(split.grams, texts):
        shared = Counter(at for gram in own for at in holds.get(gram, ()))
        best.append(max((n / (len(own) + len(known[at]) - n) for at, n in shared.items()), default=0.0))
    return best
