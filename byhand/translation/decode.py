"""Translating and scoring: greedy decoding, BLEU and chrF, and the sentences of the exam.

Order: greedy, whole texts, scores, the exam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from byhand import data
from byhand.data import Pair
from byhand.translation.vocabulary import BOS, EOS, PAD, Vocabulary

MAX_LEN = 64  # ids that a translation may have
ROWS = 64  # sentences decoded at once


@torch.no_grad()
def greedy(
    model: nn.Module,
    src: Tensor | Sequence[Sequence[int]],
    max_len: int = MAX_LEN,
    bos_id: int = BOS,
    eos_id: int = EOS,
) -> list[list[int]]:
    """The likeliest next id, again and again, for each row of src: (B, S) or lists of ids with eos.

    Returns ids without bos and eos; at most max_len were made for a row, eos counted.
    """
    net: Any = model
    device = next(model.parameters()).device
    source = (src if isinstance(src, Tensor) else padded(src, int(net.pad_id))).to(device)
    was_training = model.training
    model.eval()
    try:
        memory, real = net.encode(source), source != net.pad_id
        made = torch.full((len(source), 1), bos_id, device=device)
        ended = torch.zeros(len(source), dtype=torch.bool, device=device)
        while made.shape[1] <= max_len and not bool(ended.all()):
            following = net.decode(made, memory, real)[:, -1].argmax(dim=-1)
            made = torch.cat([made, following.masked_fill(ended, eos_id)[:, None]], dim=1)
            ended |= following == eos_id
    finally:
        model.train(was_training)
    return [until(row, eos_id) for row in made[:, 1:].tolist()]


def until(row: list[int], eos_id: int) -> list[int]:
    """The ids before the first eos."""
    return row[: row.index(eos_id)] if eos_id in row else row


def padded(rows: Sequence[Sequence[int]], pad_id: int = PAD) -> Tensor:
    """(B, S) of lists of ids, filled up on the right."""
    longest = max((len(row) for row in rows), default=0)
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], dtype=torch.long)


def translate(
    model: nn.Module, vocabulary: Vocabulary, texts: Sequence[str], max_len: int = MAX_LEN
) -> list[str]:
    """Translations of texts, in their order; texts of like length are decoded together."""
    limit = int(getattr(model, "max_len", 0)) or MAX_LEN
    rows = [vocabulary.encode(text)[: limit - 1] + [EOS] for text in texts]
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    found = [""] * len(rows)
    for start in range(0, len(order), ROWS):
        some = order[start : start + ROWS]
        for at, ids in zip(some, greedy(model, [rows[at] for at in some], min(max_len, limit)), strict=True):
            found[at] = vocabulary.decode(ids)
    return found


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU's BLEU with zh tokenisation, 0 to 100."""
    from sacrebleu.metrics import BLEU

    _fit(hypotheses, references)
    return float(BLEU(tokenize="zh").corpus_score(list(hypotheses), [list(references)]).score)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU's chrF, 0 to 100."""
    from sacrebleu.metrics import CHRF

    _fit(hypotheses, references)
    return float(CHRF().corpus_score(list(hypotheses), [list(references)]).score)


def _fit(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses do not fit {len(references)} references")


def exam(split: str = "test", n: int = 200) -> list[Pair]:
    """The fixed n pairs on which weights handed in are graded: every k-th of the sorted general split."""
    found = data.pairs("general", split)
    if not 0 < n <= len(found):
        raise ValueError(f"n is {n}, but the {split} split has {len(found)} pairs")
    return [found[at * len(found) // n] for at in range(n)]
