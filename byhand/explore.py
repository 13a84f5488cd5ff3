"""A figure to play with: drag a query, see scores, weights and output move.

    plot.explore(keys, labels=["cat", "dog", "car"], score="dot", temperature=1.0)

One output holds the live figure (explore.html: HTML, SVG and script, nothing from the internet) and
a still picture for where scripts do not run. The script computes what `still` computes here.
Order: explore, what it returns, the still picture, checks of what was passed in.
"""

from __future__ import annotations

import base64
import io
import json
import os
import uuid
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from byhand.figure import array, image, labelled

Array = np.ndarray[Any, Any]
SCORES = ("dot", "scaled", "cosine", "gaussian")
MOST_KEYS = 12
TEMPERATURES = (0.05, 20.0)


def explore(
    keys: Any,
    values: Any = None,
    labels: Sequence[Any] | None = None,
    *,
    query: Any = None,
    score: str = "dot",
    temperature: float = 1.0,
    title: str = "",
    caption: str = "",
) -> Exploration:
    """A live figure of one query over keys (S, 2) and values (S, 2); without values, the keys are summed.

    score: dot, scaled (by the root of 2), cosine or gaussian (width 1), to begin with.
    End a cell with the call, or pass what it returns to `display`.
    """
    places = _plane(keys, "keys")
    summed = places if values is None else _plane(values, "values")
    if len(summed) != len(places):
        raise ValueError(f"values has {len(summed)} rows, but there are {len(places)} keys.")
    if len(places) > MOST_KEYS:
        raise ValueError(f"keys has {len(places)} rows; the figure has room for {MOST_KEYS}.")
    names = labelled(labels, len(places), "labels", "keys") or [f"key {n}" for n in range(len(places))]
    if score not in SCORES:
        near = get_close_matches(str(score), SCORES, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"score is {score!r}; choose one of {', '.join(SCORES)}.{hint}")
    if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
        raise ValueError(f"temperature is {temperature}; the slider goes from 0.05 to 20.")
    start = 0.6 * places[0] + 0.4 * places.mean(axis=0) if query is None else _plane([query], "query")[0]
    return Exploration(start, places, summed, names, score, float(temperature), title, caption)


class Exploration:
    """What `explore` returns: shows itself at the end of a cell."""

    def __init__(
        self,
        query: Array,
        keys: Array,
        values: Array,
        labels: list[str],
        score: str,
        temperature: float,
        title: str,
        caption: str,
    ) -> None:
        self.query, self.keys, self.values, self.labels = query, keys, values, labels
        self.score, self.temperature, self.title, self.caption = score, temperature, title, caption

    @property
    def weights(self) -> Array:
        """The weights that the figure starts with, (S,)."""
        logits = scores(self.score, self.query, self.keys) / self.temperature
        parts = np.exp(logits - logits.max())
        result: Array = parts / parts.sum()
        return result

    @property
    def alt(self) -> str:
        shares = ", ".join(f"{name} {w:.2f}" for name, w in zip(self.labels, self.weights, strict=True))
        parts = [self.title, self.caption, f"Attention of one query, {self.score} score: {shares}."]
        return " ".join(part for part in parts if part)

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        if os.environ.get("BYHAND_GRADING"):  # no one drags there, and a class has many pictures
            return {"text/plain": self.alt}, {}
        picture = base64.b64encode(self.still()).decode()
        bundle = {"text/html": self.html(picture), "image/png": picture, "text/plain": self.alt}
        return bundle, {"image/png": {"alt": self.alt}}

    def still(self) -> bytes:
        """The start as a PNG picture, drawn by Matplotlib without a trace in pyplot."""
        from byhand import plot

        ax = plot.points(
            self.keys, self.query, self.weights, self.labels, title=self.title, caption=self.caption
        )
        figure = ax.get_figure(root=True)
        assert figure is not None
        plt.close(figure)
        output = io.BytesIO()
        figure.savefig(output, format="png", dpi=80)
        return output.getvalue()

    def html(self, picture: str) -> str:
        """The live figure; `picture` (base64 PNG) stays visible where its script does not run."""
        data = {
            "query": self.query.tolist(),
            "keys": self.keys.tolist(),
            "values": self.values.tolist(),
            "labels": self.labels,
            "score": self.score,
            "temperature": self.temperature,
            "title": self.title,
            "caption": self.caption,
            "reach": _reach(self.keys, self.query[None]),
            "value_reach": _reach(self.values),
            "viridis": (255 * mpl.colormaps["viridis"](np.linspace(0, 1, 17))[:, :3])
            .round()
            .astype(int)
            .tolist(),
        }
        fallback = image(self.alt, picture)
        safe = json.dumps(data).replace("<", "\\u003c")  # so that no label can end the script
        page = files("byhand").joinpath("explore.html").read_text(encoding="utf-8")
        page = page.replace("{{id}}", uuid.uuid4().hex).replace("{{fallback}}", fallback)
        return page.replace("{{data}}", safe)


def scores(kind: str, query: Array, keys: Array) -> Array:
    """The score of each key, (S,), as the live figure computes it."""
    products: Array = keys @ query
    if kind == "cosine":
        lengths = np.linalg.norm(keys, axis=1) * np.linalg.norm(query)
        return np.asarray(products / np.maximum(lengths, 1e-8))
    if kind == "gaussian":
        return np.asarray(-((keys - query) ** 2).sum(axis=1) / 2)
    return products / np.sqrt(2) if kind == "scaled" else products


def _plane(vectors: Any, name: str) -> Array:
    result = array(vectors, name, 2).astype(float)
    if result.shape[1] != 2:
        raise ValueError(f"{name} has {result.shape[1]} columns; the figure draws vectors with 2.")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} holds a number that is not finite; the figure cannot place it.")
    return result


def _reach(*vectors: Array) -> float:
    """Half the side of the drawn square, with room around the outermost vector."""
    return 1.3 * max(float(np.abs(each).max()) for each in vectors) or 1.0
