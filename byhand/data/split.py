"""Split texts so that nothing of the test was seen in training, not even nearly.

    texts that share a key, or are alike -> one group -> the group's hash decides its split

The hash depends on the group alone: neither the order of the texts nor texts elsewhere change it.
Order: splits, groups, what is alike, what is not like others, counting leaks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from byhand.data.sources import SPLITS

Item = TypeVar("Item")
ALIKE = 8  # tenths: texts whose sets of n-grams overlap by this much (Jaccard) count as the same


def split(
    items: Sequence[Item], views: Sequence[Callable[[Item], str]], parts: tuple[int, int]
) -> dict[str, list[Item]]:
    """Split name -> items, in their order.

    views: each turns an item into a masked text; items alike in one of them stay together.
    parts: of 1000 groups, about how many are for valid and for test.
    """
    names: dict[str, list[Item]] = {name: [] for name in SPLITS}
    for item, group in zip(items, groups(items, views), strict=True):
        names[_belongs(group, parts)].append(item)
    return names


def _belongs(group: str, parts: tuple[int, int]) -> str:
    at = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 1000
    valid, test = parts
    return "valid" if at < valid else "test" if at < valid + test else "train"


# ---- groups


def groups(items: Sequence[Item], views: Sequence[Callable[[Item], str]]) -> list[str]:
    """For each item the name of its group: the least masked text (by the first view) in it."""
    parent = list(range(len(items)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for view in views:
        masked = [view(item) for item in items]
        first: dict[str, int] = {}
        for at, text in enumerate(masked):
            parent[root(at)] = root(first.setdefault(text, at))
        for one, other in alike(list(first)):
            parent[root(first[one])] = root(first[other])
    name: dict[int, str] = {}
    for at, item in enumerate(items):
        text = views[0](item)
        name[root(at)] = min(name.get(root(at), text), text)
    return [name[root(at)] for at in range(len(items))]


# ---- what is alike


def grams(text: str) -> frozenset[str]:
    """The text's n-grams: pairs of signs where signs are words (Chinese), else four letters."""
    size = 4 if text.isascii() else 2
    return frozenset(text[at : at + size] for at in range(max(1, len(text) - size + 1)))


def alike(texts: Iterable[str], tenths: int = ALIKE) -> list[tuple[str, str]]:
    """The pairs of different texts whose n-grams overlap by so many tenths or more.

    Two sets overlap so much only if they share one of their rarest grams (prefix filtering), so few
    pairs are compared. Bayardo, Ma and Srikant 2007.
    """
    known = {text: grams(text) for text in sorted(set(texts))}
    often = Counter(gram for found in known.values() for gram in found)
    found: list[tuple[str, str]] = []
    holds: dict[str, list[str]] = {}
    for text in sorted(known, key=lambda text: (len(known[text]), text)):
        own = known[text]
        rare = sorted(own, key=lambda gram: (often[gram], gram))[: len(own) - _least(len(own), tenths) + 1]
        near = {other for gram in rare for other in holds.get(gram, ())}
        found += [(text, other) for other in sorted(near) if _overlap(own, known[other], tenths)]
        for gram in rare:
            holds.setdefault(gram, []).append(text)
    return found


def _least(size: int, tenths: int) -> int:
    """The least number of grams that a set of this size shares with one that is alike."""
    return -(-size * tenths // 10)


def _overlap(one: frozenset[str], other: frozenset[str], tenths: int) -> bool:
    if 10 * len(other) < tenths * len(one):
        return False
    shared = len(one & other)
    return 10 * shared >= tenths * (len(one) + len(other) - shared)


def apart(
    items: Sequence[Item], others: Sequence[Item], views: Sequence[Callable[[Item], str]]
) -> list[Item]:
    """The items whose masked texts are neither the same as those of the others nor alike to one."""
    left = list(items)
    for view in views:
        known = {view(other) for other in others}
        crossing = alike(known | {view(item) for item in left})
        near = {text for pair in crossing if len(known.intersection(pair)) == 1 for text in pair}
        left = [item for item in left if view(item) not in known | near]
    return left


# ---- counting leaks


def leaks(
    splits: Mapping[str, Sequence[Item]], view: Callable[[Item], str], tenths: int = ALIKE
) -> tuple[int, int]:
    """How many texts of valid and test are also in train: exactly (masked), and alike but not exactly."""
    train = {view(item) for item in splits["train"]}
    held = {view(item) for name in SPLITS[1:] for item in splits[name]}
    crossing = [pair for pair in alike(train | held, tenths) if (pair[0] in train) != (pair[1] in train)]
    near = {text for pair in crossing for text in pair} & (held - train)
    return len(held & train), len(near)
