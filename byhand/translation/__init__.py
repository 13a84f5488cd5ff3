"""Lesson 07's translator: English to Chinese, from texts to weights to translations.

    texts ─ words ─ pieces ─ ids ─ batches ─ fit ─ weights.safetensors ─ read ─ translate ─ bleu

    vocabulary = translation.Vocabulary.learn(data.pairs("general"), n_merges=4_000)
    recipe = translation.recipe("cpu")
    model = Transformer(**recipe.sizes(len(vocabulary)))          # yours, or blocks.Transformer
    translation.fit(model, vocabulary, recipe)                    # writes weights.safetensors
    translation.translate(model, vocabulary, ["Restart the kernel"])

    translation.draw.attention(translation.attended(model, vocabulary, "Restart the kernel"))
    translation.draw.beam(translation.beam_steps(model, ids, beam=4), vocabulary)
    translation.ladder.climb(model, vocabulary, recipe)           # what each way to train faster brings

In a terminal: python -m byhand.translation --recipe cpu; on several GPUs the same under torchrun.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from byhand._weights import WeightsError
from byhand.translation.attended import attended
from byhand.translation.beam import beam_steps
from byhand.translation.checkpoint import Checkpoint, base, figures, read, write
from byhand.translation.decode import bleu, chrf, exam, greedy, padded, translate
from byhand.translation.errors import Judged, judged
from byhand.translation.fit import fit
from byhand.translation.fused import fused, unfused
from byhand.translation.pieces import word_counts, words
from byhand.translation.recipe import RECIPES, Recipe, recipe
from byhand.translation.state import Run
from byhand.translation.step import OutOfMemory
from byhand.translation.vocabulary import BOS, EOS, PAD, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from byhand.translation import draw, ladder

__all__ = [
    "BOS", "EOS", "PAD", "RECIPES", "UNKNOWN", "Checkpoint", "Judged", "OutOfMemory", "Recipe", "Run",
    "Vocabulary", "WeightsError", "attended", "base", "beam_steps", "bleu", "chrf", "draw", "exam",
    "figures", "fit", "fused", "greedy", "judged", "ladder", "padded", "read", "recipe", "translate",
    "unfused", "word_counts", "words", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """draw and ladder load when they are asked for: grading needs no pictures."""
    if name in ("draw", "ladder"):
        return importlib.import_module(f"byhand.translation.{name}")
    raise AttributeError(f"translation has no {name!r}. It has: {', '.join(__all__)}.")
