"""What a trained translator of dates must be able to do (lesson 02): dates it never saw, exactly.

    probe.trained(train_dates, lambda: train.read("weights.safetensors"), "test", 200)

It was trained, not written: without its weights it knows nothing, and it knows symbols by their rows of the
embedding. Order: trained, one try, its table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from byhand import check, generated, recurrent
from byhand.generated import BOS, EOS

PARTS = ("masked_softmax", "AdditiveAttention", "BilinearAttention", "Encoder", "AttentionDecoder")
BAR = 0.98  # of the dates
LONGER = "Train longer. Is the loss near 0 already? Then each step needs other dates; train.forget() first."
NOTHING = 0.5  # what a model without weights stays below

Trained = Callable[[], Any]
HandedIn = Callable[[], Mapping[str, Tensor]]


def trained(make: Trained, handed_in: HandedIn, split: str, n: int, strict: bool = False) -> None:
    """Fails unless the weights handed in translate n dates of this split well enough.

    make: () -> encoder, decoder. handed_in: reads the weights, where they are: maybe another process.
    strict: other dates each time; no hidden check is still to come; and without its weights the model
    must know nothing.
    """
    seed = int(check.rng().integers(2**31)) if strict else 0
    # While grading, hidden checks run after all visible ones.
    try:
        share, models = _share(make, handed_in, split, n, seed, early=check.host.grading and not strict)
    except Exception as error:
        if not strict:
            raise
        say = "your classes, as they are now, cannot use the weights that you handed in"
        raise check.CheckFailed(f"train_dates(): {say}; train again, hand in both.") from error
    which = f"{n} dates" if strict else f"{n} unseen dates"
    more = "These dates are in no other split." if strict else LONGER
    say = f"{share:.1%} of {which} come out exactly, at least {100 * BAR:.0f} % must. {more}"
    check.true("train_dates()", share >= BAR, say)
    if not strict or not models:
        return
    encoder, decoder = models
    _reads_its_table(encoder, decoder, 50, seed, split)
    for part in (encoder, decoder):
        nothing = {name: 0 * weight.detach() for name, weight in part.named_parameters()}
        part.load_state_dict(nothing, strict=False)
    share = recurrent.exact_share(encoder, decoder, generated.DATES, 50, seed, split)
    check.true(
        "train_dates()", share < NOTHING, "dates come out right without weights; they must be learned."
    )


def _share(
    make: Trained, handed_in: HandedIn, split: str, n: int, seed: int, early: bool
) -> tuple[float, Any]:
    """(share, models) through the learner's classes; (share, None) through the course's, which stand in
    if one of the learner's has a mistake of its own."""
    share, models, problem = 0.0, None, None
    try:
        models = make()
        check.true("train_dates()", models is not None, "returned None. Is a `return` missing?")
        encoder, decoder = models
        share = recurrent.exact_share(encoder, decoder, generated.DATES, n, seed, split)
    except Exception as error:
        problem = error
    if share < BAR and check.host.excused("train_dates", PARTS, early):
        ours = recurrent.from_weights(handed_in, generated.DATES)
        if ours:
            share, models = recurrent.exact_share(*ours, generated.DATES, n, seed, split), None
    if problem is not None and share < BAR:
        raise problem
    return share, models


def _reads_its_table(encoder: Any, decoder: Any, n: int, seed: int, split: str) -> None:
    """A reader that was trained knows a symbol by its row of the embedding: with the rows in another order,
    and the symbols' ids too, nothing changes."""
    task, call = generated.DATES, "train_dates()"
    size = len(task.source)
    tables = {name: part.detach() for name, part in encoder.named_parameters() if size in tuple(part.shape)}
    tables = {name: part for name, part in tables.items() if "embedding" in name} or tables
    say = f"no parameter of the encoder has a row for each of the {size} symbols of a date; embed them."
    check.true(call, bool(tables), say)
    order = torch.cat([torch.arange(3), 3 + torch.randperm(size - 3, generator=check.generator())])
    moved = {}
    for name, part in tables.items():
        axis = tuple(part.shape).index(size)
        moved[name] = torch.empty_like(part).index_copy_(axis, order, part)
    encoder.load_state_dict(moved, strict=False)
    pairs = task.pairs(n, seed, split)
    src, lengths = task.encode([text for text, _ in pairs])
    longest = 2 + max(len(answer) for _, answer in pairs)
    try:
        rows = recurrent.greedy_decode(encoder, decoder, order[src], lengths, BOS, EOS, longest)
    except Exception:  # rules may stop at what is no date to them
        rows = [[] for _ in pairs]
    encoder.load_state_dict(tables, strict=False)
    right = sum(task.target.text(row) == answer for row, (_, answer) in zip(rows, pairs, strict=True)) / n
    say = f"{right:.1%} come out right when symbols and the rows of their embedding are renumbered alike."
    check.true(call, right >= 0.9, f"{say} Dates must be read by what training found, not by rules.")
