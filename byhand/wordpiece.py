"""BERT's way to cut text into pieces of a fixed vocabulary: lower case, words, then the longest pieces.

    pieces = WordPiece(lines)            lines: the tokens of vocab.txt, in order
    pieces.split("unaffable")            ["una", "##ffa", "##ble"]
    pieces.batch(["a text", "b"])        ids (B, T) with [CLS] in front, [SEP] at the end, [PAD] behind

Source: Devlin et al. 2019; Wu et al. 2016 for the pieces. Order: words, pieces, ids.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LONGEST_WORD = 100  # characters; a longer word is unknown
HAN = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


def words(text: str) -> list[str]:
    """Lower-case words without accents; each punctuation mark and each Han character is a word."""
    spaced = []
    for sign in text:
        kind = unicodedata.category(sign)
        if _is_space(sign, kind):
            spaced.append(" ")
        elif sign != "\ufffd" and kind not in ("Cc", "Cf", "Co"):
            spaced.append(f" {sign} " if any(a <= ord(sign) <= b for a, b in HAN) else sign)
    found = []
    for word in "".join(spaced).lower().split():
        plain = (s for s in unicodedata.normalize("NFD", word) if unicodedata.category(s) != "Mn")
        found += "".join(f" {s} " if _is_mark(s) else s for s in plain).split()
    return found


def _is_space(sign: str, kind: str) -> bool:
    return sign in "\t\n\r" or kind == "Zs"


def _is_mark(sign: str) -> bool:
    """Punctuation, and all that is on a keyboard besides letters and digits."""
    in_ascii = sign.isascii() and sign.isprintable() and not sign.isalnum() and sign != " "
    return in_ascii or unicodedata.category(sign)[0] == "P"


class WordPiece:
    """Words and pieces of words, each with an id; what cannot be spelt with them is [UNK]."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = tuple(tokens)
        self.ids = {token: at for at, token in enumerate(self.tokens)}
        missing = [name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if name not in self.ids]
        if missing:
            raise ValueError(f"the vocabulary has no {missing[0]}; it is not one of BERT's.")

    def split(self, text: str) -> list[str]:
        """The pieces of a text; "##" marks one that goes on a word."""
        return [piece for word in words(text) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[str]:
        pieces = list[str]()
        start = 0
        while start < len(word) <= LONGEST_WORD:
            ends = range(len(word), start, -1)
            mark = "##" if start else ""
            end = next((end for end in ends if mark + word[start:end] in self.ids), None)
            if end is None:
                return ["[UNK]"]
            pieces.append(mark + word[start:end])
            start = end
        return pieces or ["[UNK]"]

    def encode(self, text: str, max_len: int = 256) -> list[int]:
        """Ids of [CLS], the text's pieces and [SEP], cut to max_len."""
        inside = [self.ids[piece] for piece in self.split(text)[: max_len - 2]]
        return [self.ids["[CLS]"], *inside, self.ids["[SEP]"]]

    def batch(self, texts: Sequence[str], max_len: int = 256) -> Tensor:
        """Ids (B, T), filled up with [PAD]."""
        import torch

        rows = [self.encode(text, max_len) for text in texts]
        longest, pad = max(map(len, rows)), self.ids["[PAD]"]
        return torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
