"""Translating and scoring: greedy decoding, BLEU and chrF, and the sentences of the exam.

Any model with the contract's encode, decode and pad_id will do, in whichever mode it is; nothing here
keeps a graph. Order: a model at rest, greedy, whole texts, scores, the exam.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from byhand import data
from byhand._device import made_on
from byhand._weights import WeightsError
from byhand.data import Pair
from byhand.translation.vocabulary import BOS, EOS, PAD, Vocabulary

Item = TypeVar("Item")
Decoder = Callable[[list[list[int]]], list[list[int]]]

MAX_LEN = 64  # ids that a translation may have
ROWS = 64  # sentences encoded at once
LOGITS = 2**24  # numbers that one call of decode may return: 64 MiB in float32


@contextlib.contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in eval mode and builds no graph; afterwards each part is in the mode it was.

    What it makes inside is made where its parameters are.
    """
    modes = [(module, module.training) for module in model.modules()]
    first = next(model.parameters(), torch.empty(0))
    model.eval()
    try:
        with torch.no_grad(), made_on(first.device):
            yield
    finally:
        for module, training in modes:
            module.training = training


def greedy(
    model: nn.Module,
    src: Tensor | Sequence[Sequence[int]],
    max_len: int = MAX_LEN,
    bos_id: int = BOS,
    eos_id: int = EOS,
) -> list[list[int]]:
    """The likeliest next id, again and again, for each row of src: (B, S) or lists of ids with eos.

    Returns ids without bos and eos; at most max_len were made for a row, eos counted. Rows that have
    ended cost nothing more.
    """
    net: Any = model
    first = next(model.parameters())
    source = (src if isinstance(src, Tensor) else padded(src, int(net.pad_id))).to(first.device)
    found: list[list[int]] = [[] for _ in range(len(source))]
    with at_rest(model):
        memory, real = net.encode(source), source != net.pad_id
        going = torch.arange(len(source), device=first.device)  # which rows the lines below belong to
        made = torch.full((len(source), 1), bos_id, device=first.device)
        for _ in range(min(max_len, int(getattr(model, "max_len", max_len)))):
            if not len(going):
                break
            following = _next(net, made, memory, real)
            for row, number in zip(going.tolist(), following.tolist(), strict=True):
                found[row].append(number)
            on = following != eos_id
            made = torch.cat([made, following[:, None]], dim=1)
            if not bool(on.all()):
                going, made, memory, real = going[on], made[on], memory[on], real[on]
    return [until(row, eos_id) for row in found]


def _next(net: Any, made: Tensor, memory: Tensor, real: Tensor) -> Tensor:
    """The likeliest next id of each row (B,), in parts whose logits fit into memory."""
    n_rows, length = made.shape
    size = int(getattr(getattr(net, "embedding", None), "num_embeddings", LOGITS // ROWS // length))
    many = max(1, LOGITS // (length * size))
    parts = [slice(start, start + many) for start in range(0, n_rows, many)]
    return torch.cat([net.decode(made[at], memory[at], real[at])[:, -1].argmax(dim=-1) for at in parts])


def until(row: list[int], eos_id: int) -> list[int]:
    """The ids before the first eos."""
    return row[: row.index(eos_id)] if eos_id in row else row


def padded(rows: Sequence[Sequence[int]], pad_id: int = PAD) -> Tensor:
    """(B, S) of lists of ids, filled up on the right."""
    longest = max((len(row) for row in rows), default=0)
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], dtype=torch.long)


def sources(vocabulary: Vocabulary, texts: Sequence[str], max_len: int = MAX_LEN) -> list[list[int]]:
    """Ids of texts as a model reads them: eos at the end, cut to max_len ids."""
    return [[*vocabulary.encode(text)[: max_len - 1], EOS] for text in texts]


def translate(
    model: nn.Module, vocabulary: Vocabulary, texts: Sequence[str], max_len: int = MAX_LEN
) -> list[str]:
    """Translations of texts, in their order."""
    limit = int(getattr(model, "max_len", MAX_LEN))
    return translate_by(lambda rows: greedy(model, rows, max_len), vocabulary, texts, limit)


def translate_by(
    decoder: Decoder, vocabulary: Vocabulary, texts: Sequence[str], limit: int = MAX_LEN
) -> list[str]:
    """The same by whatever maps rows of ids to rows of ids; texts of like length are decoded together.

    limit: ids of a text that are read. Raises: WeightsError if not each row gets an answer.
    """
    rows = sources(vocabulary, texts, limit)
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    found = [""] * len(rows)
    for start in range(0, len(order), ROWS):
        some = order[start : start + ROWS]
        answers = decoder([rows[at] for at in some])
        if not isinstance(answers, list) or len(answers) != len(some):
            raise WeightsError(
                f"{len(some)} texts were to be translated; that many lists of ids must come back."
            )
        for at, ids in zip(some, answers, strict=True):
            found[at] = vocabulary.decode(int(number) for number in ids)
    return found


def bleu_of(model: nn.Module, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> float:
    """BLEU of a model's greedy translations of these pairs."""
    english, chinese = zip(*pairs, strict=True)
    return bleu(translate(model, vocabulary, english), chinese)


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU's BLEU with zh tokenisation, 0 to 100."""
    from sacrebleu.metrics.bleu import BLEU

    return _score(BLEU(tokenize="zh"), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU's chrF, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    return _score(CHRF(), hypotheses, references)


def _score(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses do not fit {len(references)} references")
    if not hypotheses:
        return 0.0
    return float(metric.corpus_score(list(hypotheses), [list(references)]).score)


def exam(split: str = "test", n: int = 200) -> list[Pair]:
    """The fixed n pairs on which weights handed in are graded: every k-th of the sorted general split."""
    found = data.pairs("general", split)
    if not 0 < n <= len(found):
        raise ValueError(f"n is {n}, but the {split} split has {len(found)} pairs")
    return spread(found, n)


def spread(items: Sequence[Item], n: int) -> list[Item]:
    """n of the items, evenly spread; all if there are fewer."""
    n = min(n, len(items))
    return [items[at * len(items) // n] for at in range(n)]
