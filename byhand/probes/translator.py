"""What a trained translator must be able to do (lesson 07): translate sentences it never met.

    probe_translator.trained(train_translator, handed_in, greedy, "test", bar=20.0, strict=True)

The texts stay here, with the check; the answer gets ids and gives ids back, so nothing large crosses to
another process. Order: trained, why it is below the bar, one score, without weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch

from byhand import check, translation
from byhand.data import DataError, Pair
from byhand.translation import decode

PARTS = ("DecoderBlock", "Transformer")  # classes of the lesson that the trained model is made of
MAX_LEN = 48  # ids of a translation; longer references are rare
QUICK, SLACK = 50, 8  # sentences of the visible check, and BLEU below the bar that it lets pass: they are few
FEW, SHORT = 20, 12  # sentences tried first; ids a translation of the try without weights
HOPELESS = 4  # times below the bar after the first few: the others would only cost minutes
COPIED = 0.9  # of the translations; two trainings from other seeds shared a quarter
NOTHING = 5.0  # BLEU that a model without weights stays below

Greedy = Callable[[Any, list[list[int]], int], list[list[int]]]


def trained(
    train: Callable[[], Any],
    handed_in: Callable[[], Any],
    greedy: Greedy,
    split: str,
    bar: float | None = None,
    strict: bool = False,
) -> None:
    """Fails unless the weights handed in reach `bar` BLEU on this split, through the learner's classes.

    bar: the lesson's, SLACK less unless strict.

    handed_in: () -> Checkpoint of the file. greedy: translation.greedy, where the model is.
    If a class of the learner's failed its own check, the course's classes stand in. strict: try it without
    weights, too.
    """
    if bar is None:
        bar = float(translation.figures()["bar"]) - (0 if strict else SLACK)
    # First of all: without the texts nothing can be said.
    pairs = translation.exam(split) if strict else translation.exam(split, QUICK)
    found, model, problem = 0.0, None, None
    try:
        model = train()
        check.true("train_translator()", model is not None, "returned None. Is a `return` missing?")
        found = score(model, handed_in(), greedy, pairs, bar)
    except (DataError, check.CheckFailed):
        raise
    except Exception as error:
        problem = error
    # While grading, hidden checks run after all visible ones.
    early = check.host.grading and not strict
    stand_in = found < bar and check.host.excused("train_translator", PARTS, early)
    if stand_in and by_the_courses_classes(handed_in, greedy, pairs, bar) >= bar:
        return
    if problem is not None and found < bar:
        raise problem
    say = f"BLEU on {split}'s {len(pairs)} sentences is {found:.1f}, at least {bar:.1f} is asked."
    if found < bar:
        check.true("train_translator()", False, f"{say} {_why(model, handed_in, pairs[:FEW])}")
    if strict and model is not None:
        without_weights(model, handed_in(), greedy, pairs[:FEW])


def _why(model: Any, handed_in: Callable[[], Any], pairs: Sequence[Pair]) -> str:
    # While grading the model is in another process: its logits are too large to be sent.
    if not check.host.grading and repeats(model, handed_in, pairs):
        cause = "It repeats each id that it reads: measure against tgt without its first column."
    else:
        cause = "Look at the curve: does the loss still fall?"
    return f"{cause}\n  If you change your code, call train.forget() first: else the old training goes on."


@torch.no_grad()
def repeats(model: Any, handed_in: Callable[[], Any], pairs: Sequence[Pair]) -> bool:
    """Whether the model is sure that the next id is the one it has just read: trained without the shift.

    Sure, since an untrained one guesses the same, but hardly: one table embeds and scores.
    """
    try:
        encode, device = handed_in().vocabulary.encode, next(model.parameters()).device
        src = translation.padded([[*encode(pair.english), translation.EOS] for pair in pairs]).to(device)
        tgt = translation.padded([[translation.BOS, *encode(pair.chinese)] for pair in pairs]).to(device)
        shares = model(src, tgt).softmax(dim=-1).gather(-1, tgt[..., None]).squeeze(-1)
        return bool(shares[tgt != translation.PAD].mean() > 0.5)
    except Exception:  # a model that fails here has failed before: there is nothing to add
        return False


def score(model: Any, file: Any, greedy: Greedy, pairs: Sequence[Pair], bar: float) -> float:
    """BLEU of the model's own translations; of the first few alone where these are far below the bar.

    Raises: CheckFailed if nearly all of them are the shipped translator's: then nothing was trained.
    """
    few = pairs[:: max(1, len(pairs) // FEW)]
    found = bleu(few, translations(model, file, greedy, few, MAX_LEN))
    if found < bar / HOPELESS:
        return found
    made = translations(model, file, greedy, pairs, MAX_LEN)
    share = shared_with_the_shipped(made, pairs)
    say = f"{share:.0%} of the translations are the shipped translator's, word for word. Train your own."
    check.true("train_translator()", share < COPIED, say)
    return bleu(pairs, made)


def translations(model: Any, file: Any, greedy: Greedy, pairs: Sequence[Pair], max_len: int) -> list[str]:
    """By the model; the pieces are those of the file handed in."""
    vocabulary = translation.Vocabulary(file.vocabulary.characters, file.vocabulary.merges)
    english, limit = [pair.english for pair in pairs], int(file.arguments.get("max_len", decode.MAX_LEN))
    return decode.translate_by(lambda rows: greedy(model, rows, max_len), vocabulary, english, limit)


def bleu(pairs: Sequence[Pair], made: Sequence[str]) -> float:
    return translation.bleu(made, [pair.chinese for pair in pairs])


def shared_with_the_shipped(made: Sequence[str], pairs: Sequence[Pair]) -> float:
    """The share of translations that the shipped translator gives, too; its weights may come disguised."""
    theirs = _by_the_shipped(tuple(pair.english for pair in pairs))
    return sum(map(str.__eq__, made, theirs)) / len(theirs)


@lru_cache(maxsize=4)  # the same few hundred texts for every submission
def _by_the_shipped(english: tuple[str, ...]) -> list[str]:
    base = translation.base()
    return translation.translate(base.model(), base.vocabulary, english, MAX_LEN)


def by_the_courses_classes(
    handed_in: Callable[[], Any], greedy: Greedy, pairs: Sequence[Pair], bar: float
) -> float:
    """BLEU of the weights in blocks.Transformer; 0 if they do not fit it."""
    try:
        file = handed_in()
        return score(file.model(), file, greedy, pairs, bar)
    except Exception:
        return 0.0


def without_weights(model: Any, file: Any, greedy: Greedy, pairs: Sequence[Pair]) -> None:
    """Fails if the model still translates when all its numbers are 0: then it learned nothing."""
    nothing = {name: 0 * weight.detach() for name, weight in model.named_parameters()}
    model.load_state_dict(nothing, strict=False)
    found = bleu(pairs, translations(model, file, greedy, pairs, SHORT))
    say = "translations come out right without weights; they must be learned."
    check.true("train_translator()", found < NOTHING, say)
