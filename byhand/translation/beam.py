"""A beam search that keeps a record: slow, one sentence, for pictures and for comparing.

    steps = translation.beam_steps(model, [5, 9, 2], beam=3)
    steps[0]      kept after the first step, best first: [((ids…), sum of log-probabilities), …]

Ids are those produced, the end included. A record of one's own in this form can be drawn just as well.
Order: the record, the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from byhand.translation.decode import at_rest
from byhand.translation.vocabulary import BOS, EOS

Hypothesis = tuple[tuple[int, ...], float]
Steps = list[list[Hypothesis]]


def beam_steps(
    model: nn.Module,
    src: Sequence[int] | Tensor,
    beam: int = 4,
    max_len: int = 64,
    *,
    bos_id: int = BOS,
    eos_id: int = EOS,
) -> Steps:
    """What a beam search over one sentence keeps after each step, best sum first.

    A step tries every next id of every unfinished hypothesis; finished ones compete as they are.
    """
    net: Any = model
    ids = torch.as_tensor(src, device=next(model.parameters()).device).reshape(1, -1)
    kept: list[Hypothesis] = [((), 0.0)]
    steps: Steps = []
    with at_rest(model):
        memory = net.encode(ids)
        while len(steps) < max_len and not all(ended(one, eos_id) for one in kept):
            growing = [one for one in kept if not ended(one, eos_id)]
            found = [one for one in kept if ended(one, eos_id)]
            prefixes = torch.tensor([[bos_id, *produced] for produced, _ in growing], device=ids.device)
            many = len(growing)
            mask = ids.ne(net.pad_id).expand(many, -1)
            logits = net.decode(prefixes, memory.expand(many, -1, -1), mask)[:, -1]
            sums, tokens = logits.double().log_softmax(-1).topk(min(beam, logits.shape[-1]))
            for (produced, total), row, chosen in zip(growing, sums.tolist(), tokens.tolist(), strict=True):
                found += [((*produced, token), total + gain) for gain, token in zip(row, chosen, strict=True)]
            kept = sorted(found, key=lambda one: -one[1])[:beam]
            steps.append(kept)
    return steps


def ended(hypothesis: Hypothesis, eos_id: int = EOS) -> bool:
    return hypothesis[0][-1:] == (eos_id,)


def answer(steps: Steps, length_penalty: float = 1.0) -> Hypothesis:
    """The kept hypothesis with the highest sum / length**length_penalty, the end counted in its length."""
    return max(steps[-1], key=lambda one: one[1] / len(one[0]) ** length_penalty)
