"""Real texts, fetched once by `byhand data`, and generated ones. Only weights() and from_hub() use a network.

    data.pairs("general", "train")       [Pair(english, chinese), ...]   lesson 07: about 30,000
    data.pairs("domain", "test")         JupyterLab's own menus          lesson 08
    data.labelled("reviews", "train")    [Labelled(text, label), ...]    lesson 06; label 0, 1, ...
    data.labels("reviews")               ("negative", "positive"): what the numbers mean
    data.generated("dates", 100, seed=0) [(source, target), ...]         lesson 02; needs nothing
    data.about("general")                what it was made from: sources, counts, sha256 of each split
    data.weights("minilm")               a folder: model.safetensors, vocab.txt, tokenizer.json, config.json
    data.from_files(folder), data.from_hub(name, ...)                    your own texts

Splits are "train", "valid" and "test"; no text of one is in another, not even nearly. The same
versions give the same texts in the same order everywhere. What is missing raises DataError, a sentence
that says what to type; data.is_there(name) asks first. Pair and Labelled are plain tuples with names.

One verb per file: sources (what there is), fetch, read, clean, split, cache, card; command is `byhand data`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from byhand import generated as _generated
from byhand.data import cache as _cache, sources as _sources
from byhand.data.clean import Pair
from byhand.data.own import from_files, from_hub, from_table, splits
from byhand.data.sources import SPLITS, DataError

__all__ = [
    "SPLITS", "DataError", "Labelled", "Pair", "about", "from_files", "from_hub", "from_table", "generated",
    "is_there", "labelled", "labels", "pairs", "splits", "weights",
]  # fmt: skip


class Labelled(NamedTuple):
    """A text and the number of its label; labels(name) says what the numbers mean."""

    text: str
    label: int


def pairs(name: str = "general", split: str = "train") -> list[Pair]:
    """Translations, sorted by their English: "general", "domain", and on demand "compiler" and "help"."""
    return [Pair(*row) for row in _rows(name, split, "pairs")]


def labelled(name: str, split: str = "train") -> list[Labelled]:
    """Texts with labels: "reviews" (2 labels) or "questions" (6), sorted by text."""
    number = {label: at for at, label in enumerate(labels(name))}
    return [Labelled(text, number[label]) for text, label in _rows(name, split, "labelled")]


def labels(name: str) -> tuple[str, ...]:
    """What the labels 0, 1, … of this collection mean."""
    found = _cache.usable(name).get("labels")
    return tuple(found) if found else _sources.collection(name, "labelled").labels


def about(name: str) -> dict[str, Any]:
    """Sources, counts and checksums of a collection, for the card of a model trained on it."""
    found = _cache.usable(name)
    if not found:
        raise DataError(_sources.missing(_sources.collection(name)))
    return found


def is_there(name: str) -> bool:
    """Whether this collection (or these weights) can be used without a download."""
    return bool(_cache.usable(name))


def generated(name: str, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, str]]:
    """n pairs made by rule: "dates" (-> ISO 8601) or "numbers" (English words -> Chinese numerals).

    split: "train", "test" or "exam"; a date or a number is in one of them, in whatever style it is written.
    byhand.generated has the same texts as tensors.
    """
    makers = {"dates": _generated.dates, "numbers": _generated.numbers}
    if name not in makers:
        raise DataError(f"no texts called {name!r} are generated.\n  There is: {', '.join(makers)}.")
    return makers[name](n, seed, split)


def weights(name: str = "minilm") -> Path:
    """The folder of a pretrained model's files; fetched, after saying how large it is, if it is not there."""
    from byhand.data import fetch

    wanted = _sources.collection(name, "weights")
    if not is_there(name):
        fetch.weights(wanted)
    return _sources.home() / name


def _rows(name: str, split: str, kind: str) -> list[tuple[str, str]]:
    if split not in SPLITS:
        raise DataError(f"split is {split!r}; the splits of {name} are {', '.join(SPLITS)}.")
    if not _cache.usable(name):
        raise DataError(_sources.missing(_sources.collection(name, kind)))
    return _cache.rows(name, split)
