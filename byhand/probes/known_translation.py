"""A translator whose answers are known, and small examples with what usual mistakes give (lesson 07).

    model = Toy(6, pad_id=0, scripts={4: [5, 3, 2]})      a source that begins with 4 becomes 5 3 2
    check.values(call, got, want, known_wrong=known_translation.GREEDY)

Order: the model, then the mistakes of each exercise's visible check.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Ids = tuple[int, ...]


class Toy(nn.Module):
    """A model whose answers are drawn once for each source and prefix; notes what it is asked.

    encode is `read`, decode is `say`, see toy(); what no answer may see or change begins with _. For what is
    to be known by heart, keyed by the source's first id: scripts, {id: what is written, whatever was before},
    and tables, {id: {ids written so far, without bos: the probability of each id}}.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        seed: Any = 0,
        *,
        scripts: Mapping[int, Sequence[int]] | None = None,
        tables: Mapping[int, Mapping[Ids, Sequence[float]]] | None = None,
        favours: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self._vocab_size, self.pad_id, self._seed = vocab_size, pad_id, seed
        self._scripts, self._tables, self._favours = scripts or {}, tables or {}, favours or {}
        self._encoded: list[Tensor] = []
        self._asked: list[tuple[Tensor, Tensor, Tensor, bool]] = []

    def read(self, src: Tensor) -> Tensor:
        self._encoded.append(src)
        return self.weight * src[..., None]  # (B, S, 1)

    def say(self, tgt: Tensor, memory: Tensor, src_mask: Tensor) -> Tensor:
        self._asked.append((tgt, memory, src_mask, torch.is_grad_enabled()))
        sizes = tuple(tgt.shape), tuple(memory.shape), tuple(src_mask.shape)
        if tgt.ndim != 2 or memory.shape[:2] != src_mask.shape or len(tgt) != len(memory):
            raise ValueError(f"decode(tgt {sizes[0]}, memory {sizes[1]}, src_mask {sizes[2]}) do not fit")
        logits = torch.zeros(*tgt.shape, self._vocab_size, dtype=torch.float64)
        for row, ids in enumerate(tgt.tolist()):
            source = tuple(int(one) for one in memory[row, src_mask[row], 0])
            for at in range(len(ids)):
                logits[row, at] = torch.tensor(self.logits(source, tuple(ids[: at + 1])))
        return logits * self.weight

    def logits(self, source: Ids, prefix: Ids) -> list[float]:
        first = source[0] if source else self.pad_id
        if first in self._scripts:
            script = self._scripts[first]
            said = script[min(len(prefix), len(script)) - 1]
            return [3.0 * (one == said) for one in range(self._vocab_size)]
        if prefix[1:] in self._tables.get(first, {}):
            return [math.log(part) + 2 for part in self._tables[first][prefix[1:]]]
        draw = random.Random(f"{self._seed} {source} {prefix}")
        return [draw.gauss(0, 1.5) + self._favours.get(one, 0.0) for one in range(self._vocab_size)]

    def log_probabilities(self, source: Ids, prefix: Ids) -> list[float]:
        logits = self.logits(source, prefix)
        total = math.log(sum(map(math.exp, logits)))
        return [one - total for one in logits]

    def sources(self, src: Tensor) -> list[Ids]:
        return [tuple(one for one in row if one != self.pad_id) for row in src.tolist()]


def toy(encode: Callable[..., Tensor], decode: Callable[..., Tensor]) -> type[Toy]:
    """Toy with these methods, which a test cell writes itself: only a test's own may be called."""
    return type("Toy", (Toy,), {"encode": encode, "decode": decode})


# What usual mistakes give

GREEDY: Mapping[str, list[list[int]]] = {
    "bos_id belongs to no result.": [[1, 5, 3], [1, 4], [1, 5, 4, 5, 4]],
    "eos_id is not part of the result.": [[5, 3, 2], [4, 2], [5, 4, 5, 4]],
    "a row goes on after its first eos_id; cut it there.": [[5, 3], [4, 3], [5, 4, 5, 4]],
    "nothing was cut; a row ends before its first eos_id.": [[5, 3, 2, 2], [4, 2, 3, 2], [5, 4, 5, 4]],
    "one step is missing: max_len = 4 ids, bos_id not counted.": [[5, 3], [4], [5, 4, 5]],
    "one step too many: at most max_len = 4 ids.": [[5, 3], [4], [5, 4, 5, 4, 5]],
    "all rows stopped with the first that ended.": [[5, 3], [4], [5, 4]],
    "read the last position, and feed back all ids written so far.": [[5] * 4, [4] * 4, [5] * 4],
}

_EVEN, _SURE = [0.02, 0.02, 0.34, 0.31, 0.31], [0.02, 0.02, 0.9, 0.03, 0.03]
TABLES: Mapping[int, Mapping[Ids, Sequence[float]]] = {  # of ids 0 to 4; 2 ends
    3: {
        (): [0.03, 0.02, 0.05, 0.5, 0.4],
        (3,): [0.05, 0.05, 0.25, 0.34, 0.31],
        (4,): [0.02, 0.02, 0.03, 0.03, 0.9],
        (4, 4): [0.01, 0.01, 0.95, 0.02, 0.01],
        (3, 3): _SURE,
        (3, 4): _SURE,
    },
    4: {
        (): [0.03, 0.02, 0.3, 0.6, 0.05],
        (3,): [0.06, 0.05, 0.02, 0.45, 0.42],
        (3, 3): _EVEN,
        (3, 4): _SURE,
    },
}
_FIRST = ([4, 4], ...)  # that row comes out right
BEAM: Mapping[str, list[tuple[list[int], Any]]] = {
    "eos_id counts in the length.": [([4, 4], -0.268236), ([3, 3], -0.597036)],
    "bos_id does not count in the length.": [([4, 4], -0.067059), ([3, 3], -0.149259)],
    "length_penalty is an exponent: length**length_penalty.": [([4, 4], -0.178824), ([3, 3], -0.398024)],
    "this is another penalty, ((5 + length) / 6)**length_penalty.": [
        ([4, 4], -0.603532),
        ([], -1.203973),
    ],
    "this is greedy decoding; keep `beam` hypotheses.": [([3, 3], -0.208591), ([3, 3], ...)],
    "this is the sum; divide it by length**length_penalty.": [([4, 4], -1.072945), ([], -1.203973)],
    "the answer is the kept one with the highest score, not the highest sum.": [_FIRST, ([], -1.203973)],
    "finished ones stay candidates and take room, and sums alone say what is kept; normalise at the end.": [
        _FIRST,
        ([3, 4], -0.164854),
    ],
    "the search stopped with the first that was finished.": [_FIRST, ([3], -0.510826)],
    "eos_id is not part of the result.": [([4, 4, 2], ...), ([3, 3, 2], ...)],
    "what is finished is never extended.": [([4, 4, 2, 1], -0.091407), ([3, 4, 2, 1], -0.13526)],
    "these are probabilities; add log-probabilities.": [([4, 4], 0.25), ([3, 4], 0.213333)],
    "these are logits; add log-probabilities: log_softmax.": [([4, 4], 0.547451), ([3, 4], 0.501813)],
    "each row has a memory of its own.": [_FIRST, _FIRST],
}

BLEU: Mapping[str, Any] = {
    "an n-gram matches at most as often as the reference has it.": (27.954243, ...),
    "each n-gram counts as often as it occurs.": (27.701237, ...),
    "hypotheses that are too short cost: min(1, exp(1 - r / c)).": (30.213754, ...),
    "the penalty for short texts is exp(1 - r / c).": (27.192379, ...),
    "without smoothing one order without a match makes all 0.": (0.0, ...),
    "each further order without a match counts half as much as the one before.": (27.036455, 37.991784),
    "the first order without a match counts half a match.": (32.151945, ...),
    "orders without a match were left out; smooth them.": (36.283957, ...),
    "BLEU runs from 0 to 100.": (0.270365, ...),
    "this is the arithmetic mean; take the fourth root of the product.": (34.257787, ...),
    "this is the product of the four shares; take its fourth root.": (0.745699, ...),
    "this is the mean over sentences; add the counts of all sentences first.": (15.369704, ...),
    "divide by the n-grams of the hypotheses, not of the references.": (24.3342, ...),
}

MFU: Mapping[str, float] = {
    "this is percent; return the fraction.": 4.0,
    "flops_per_token counts forward and backward already; no further factor.": 0.12,
    "this is peak over used; turn it round.": 25.0,
}
