"""From text to words to pieces: byte-pair encoding, as in lesson 07, only fast.

    "Reset the WLAN" ─ words ─ Reset ▁the ▁WLAN ─ apply ─ Re set ▁the ▁W LAN

A space becomes the mark ▁ at the head of the word after it, so pieces put together are the text again.
Order: words, learning merges, applying them.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

Merge = tuple[str, str]

SPACE = "▁"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# A run of Han characters, a run of letters, or one digit or mark; each may follow a space.
_WORD = re.compile(f"{SPACE}?(?:[{_HAN}]+|(?:(?![{_HAN}])[^\\W\\d_])+|[^{SPACE}])|{SPACE}", re.DOTALL)


def words(text: str) -> list[str]:
    """The words of a text; one that follows a space begins with ▁. Joined, they are the text again."""
    return _WORD.findall(text.replace(" ", SPACE))


def word_counts(pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """How often each word occurs, both languages together, in the order of their first appearance."""
    counts = Counter(word for pair in pairs for text in pair for word in words(text))
    return dict(counts)


def learn(word_counts: Mapping[str, int], n_merges: int) -> list[Merge]:
    """The merges of lesson 07's learn_bpe: each time the pair that occurs most; of equals, the smallest."""
    table = _Table(word_counts)
    merges: list[Merge] = []
    while len(merges) < n_merges and (best := table.most()) is not None:
        merges.append(best)
        table.merge(best)
    return merges


class _Table:
    """All words in pieces, with an index from each pair to the words that hold it.

    The heap may hold old counts of a pair; only an entry that agrees with `counts` is believed.
    """

    def __init__(self, word_counts: Mapping[str, int]) -> None:
        self.pieces = [list(word) for word in word_counts]
        self.times = list(word_counts.values())
        self.counts: Counter[Merge] = Counter()
        self.places: defaultdict[Merge, set[int]] = defaultdict(set)
        for at, parts in enumerate(self.pieces):
            for pair in pairwise(parts):
                self.counts[pair] += self.times[at]
                self.places[pair].add(at)
        self.heap = [(-count, pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def most(self) -> Merge | None:
        while self.heap:
            count, pair = heapq.heappop(self.heap)
            if -count == self.counts[pair] > 0:
                return pair
        return None

    def merge(self, pair: Merge) -> None:
        changed: Counter[Merge] = Counter()
        for at in self.places.pop(pair):
            before = self.pieces[at]
            after = self.pieces[at] = joined(before, pair)
            for old in pairwise(before):
                changed[old] -= self.times[at]
                self.places[old].discard(at)
            for new in pairwise(after):
                changed[new] += self.times[at]
                self.places[new].add(at)
        for other, change in changed.items():
            if change:
                self.counts[other] += change
                heapq.heappush(self.heap, (-self.counts[other], other))


def joined(parts: Sequence[str], pair: Merge) -> list[str]:
    """The pieces with each neighbouring `pair` made one, from left to right."""
    result: list[str] = []
    at = 0
    while at < len(parts):
        together = tuple(parts[at : at + 2]) == pair
        result.append(parts[at] + parts[at + 1] if together else parts[at])
        at += 2 if together else 1
    return result


class Merger:
    """Applies merges to words as lesson 07's apply_bpe does, without trying every merge on every word."""

    def __init__(self, merges: Iterable[Merge]) -> None:
        # A pair may be learned again, after other merges have made it anew.
        self.ranks: defaultdict[Merge, list[int]] = defaultdict(list)
        for rank, merge in enumerate(merges):
            self.ranks[merge].append(rank)

    def apply(self, word: str) -> tuple[str, ...]:
        parts, last = list(word), -1
        while len(parts) > 1:
            following = ((rank, pair) for pair in pairwise(parts) for rank in self._after(pair, last))
            found = min(following, default=None)
            if found is None:
                break
            last, pair = found
            parts = joined(parts, pair)
        return tuple(parts)

    def _after(self, pair: Merge, last: int) -> list[int]:
        ranks = self.ranks.get(pair, [])
        at = bisect_right(ranks, last)
        return ranks[at : at + 1]
