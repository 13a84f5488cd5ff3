"""What a trained translator must be able to do (lesson 07): translate sentences it never met.

    probe_translator.trained(train_translator, handed_in, greedy, "test", bar=20.0, strict=True)

The texts stay here, with the check; the answer gets ids and gives ids back, so nothing large crosses to
another process. Order: trained, one score, without weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from byhand import check, translation
from byhand.data import DataError, Pair
from byhand.translation import decode

PARTS = ("DecoderBlock", "Transformer")  # classes of the lesson that the trained model is made of
MAX_LEN = 48  # ids of a translation; longer references are rare
QUICK = 50  # sentences of the visible check
FEW, SHORT = 20, 12  # sentences tried first; ids a translation of the try without weights
HOPELESS = 4  # times below the bar after the first few: the others would only cost minutes
NOTHING = 5.0  # BLEU that a model without weights stays below

Greedy = Callable[[Any, list[list[int]], int], list[list[int]]]


def trained(
    train: Callable[[], Any],
    handed_in: Callable[[], Any],
    greedy: Greedy,
    split: str,
    bar: float,
    strict: bool = False,
) -> None:
    """Fails unless the weights handed in reach `bar` BLEU on this split, through the learner's classes.

    handed_in: () -> Checkpoint of the file. greedy: translation.greedy, where the model is.
    If a class of the learner's failed its own check, the course's classes stand in. strict: try it without
    weights, too.
    """
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
    check.true("train_translator()", found >= bar, f"{say} Look at the curve: does the loss still fall?")
    if strict and model is not None:
        without_weights(model, handed_in(), greedy, pairs[:FEW])


def score(model: Any, file: Any, greedy: Greedy, pairs: Sequence[Pair], bar: float) -> float:
    """BLEU of the model's own translations; of the first few alone where these are far below the bar."""
    few = pairs[:: max(1, len(pairs) // FEW)]
    found = bleu(model, file, greedy, few, MAX_LEN)
    return found if found < bar / HOPELESS else bleu(model, file, greedy, pairs, MAX_LEN)


def bleu(model: Any, file: Any, greedy: Greedy, pairs: Sequence[Pair], max_len: int) -> float:
    """Of the model's translations; the pieces are those of the file handed in."""
    vocabulary = translation.Vocabulary(file.vocabulary.characters, file.vocabulary.merges)
    english, chinese = zip(*pairs, strict=True)
    limit = int(file.arguments.get("max_len", decode.MAX_LEN))
    made = decode.translate_by(lambda rows: greedy(model, rows, max_len), vocabulary, english, limit)
    return translation.bleu(made, chinese)


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
    found = bleu(model, file, greedy, pairs, SHORT)
    say = "translations come out right without weights; they must be learned."
    check.true("train_translator()", found < NOTHING, say)
