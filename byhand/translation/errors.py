"""A model's translations from best to worst, for a person to read: an average hides what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from byhand.translation.decode import translate
from byhand.translation.vocabulary import Vocabulary


class Judged(NamedTuple):
    """A translation beside its reference; points: chrF of this one sentence, 0 to 100."""

    points: float
    english: str
    made: str
    wanted: str


def judged(model: nn.Module, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> list[Judged]:
    """Every pair, translated greedily; the best first."""
    from sacrebleu.metrics.chrf import CHRF

    made = translate(model, vocabulary, [english for english, _ in pairs])
    scorer = CHRF()
    found = [
        Judged(scorer.sentence_score(text, [wanted]).score, english, text, wanted)
        for (english, wanted), text in zip(pairs, made, strict=True)
    ]
    return sorted(found, key=lambda one: -one.points)


def show(found: Sequence[Judged]) -> None:
    """Three lines for each: what was read, written and wanted."""
    for one in found:
        print(f"{one.points:5.1f}  {one.english}\n       it says  {one.made}\n       wanted   {one.wanted}")
