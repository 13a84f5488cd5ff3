"""What a trained translator of dates must be able to do (lesson 02): dates it never saw, exactly.

    probe.trained(train_dates, lambda: train.read("weights.safetensors"), "test", 200)

Order: trained, one try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from byhand import check, generated, recurrent

PARTS = ("masked_softmax", "AdditiveAttention", "BilinearAttention", "Encoder", "AttentionDecoder")
BAR = 0.98  # of the dates
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
    more = "These dates are in no other split." if strict else "Train longer; look at the curve."
    say = f"{share:.1%} of {which} come out exactly, at least {100 * BAR:.0f} % must. {more}"
    check.true("train_dates()", share >= BAR, say)
    if not strict or not models:
        return
    encoder, decoder = models
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
