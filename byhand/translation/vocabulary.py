"""Pieces as numbers: one vocabulary, and so one embedding, for both languages.

0 pad   1 bos   2 eos   3 unknown   4 … characters   … one piece for each merge
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from byhand.translation import pieces

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
SPECIAL = 4  # how many ids come before the characters
STRANGE = "\ufffd"  # what an unknown piece is decoded to


class Vocabulary:
    """Text to ids and back. Ids: 0 to 3, then characters, then the pieces of merges, each piece once."""

    def __init__(self, characters: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        self.characters = list(characters)
        self.merges = [(str(left), str(right)) for left, right in merges]
        known = dict.fromkeys([*self.characters, *(left + right for left, right in self.merges)])
        self._pieces = list(known)
        self._ids = {piece: at for at, piece in enumerate(known, SPECIAL)}
        self._merger = pieces.Merger(self.merges)
        self._words: dict[str, tuple[str, ...]] = {}

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str]], n_merges: int) -> Vocabulary:
        """Merges of all words in the pairs, and every character in them."""
        counts = pieces.word_counts(pairs)
        characters = sorted({character for word in counts for character in word})
        return cls(characters, pieces.learn(counts, n_merges))

    @classmethod
    def from_metadata(cls, facts: Mapping[str, str]) -> Vocabulary:
        """Of metadata(). Raises: ValueError, which says what is wrong with them."""
        characters, merges = _read(facts, "characters"), _read(facts, "merges")
        if not _texts(characters) or not all(
            isinstance(merge, list) and _texts(merge, 2) for merge in merges
        ):
            raise ValueError('"characters" must be a list of texts, "merges" a list of pairs of texts')
        return cls(characters, [(left, right) for left, right in merges])

    def metadata(self) -> dict[str, str]:
        """What makes this vocabulary, as texts for the head of a safetensors file."""
        lists = {"characters": self.characters, "merges": self.merges}
        return {name: json.dumps(part, ensure_ascii=False) for name, part in lists.items()}

    def __len__(self) -> int:
        return SPECIAL + len(self._pieces)

    def pieces(self, text: str) -> list[str]:
        """The text in pieces, those unknown too."""
        return [piece for word in pieces.words(text) for piece in self._of_word(word)]

    def encode(self, text: str) -> list[int]:
        """Ids without bos and eos; a character that was never seen is UNKNOWN."""
        return [self._ids.get(piece, UNKNOWN) for piece in self.pieces(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; pad, bos and eos have none. Raises: ValueError for an id beyond the vocabulary."""
        return "".join(self.piece(number) for number in ids if number > EOS).replace(pieces.SPACE, " ")

    def piece(self, number: int) -> str:
        """The piece of an id, as plots label it: ▁ for a space, names for the first four."""
        if not 0 <= number < len(self):
            raise ValueError(f"id {number} is not one of this vocabulary's {len(self):,}")
        if number < SPECIAL:
            return ("<pad>", "<bos>", "<eos>", STRANGE)[number]
        return self._pieces[number - SPECIAL]

    def _of_word(self, word: str) -> tuple[str, ...]:
        if word not in self._words:
            self._words[word] = self._merger.apply(word)
        return self._words[word]


def _read(facts: Mapping[str, str], name: str) -> list[Any]:
    if name not in facts:
        raise ValueError(f"the file's metadata lack {name!r}, of which the vocabulary is made")
    found = json.loads(facts[name])
    if not isinstance(found, list):
        raise ValueError(f"the file's metadata have {type(found).__name__} as {name!r}, not a list")
    return found


def _texts(values: Sequence[Any], length: int | None = None) -> bool:
    return all(isinstance(value, str) for value in values) and length in (None, len(values))
