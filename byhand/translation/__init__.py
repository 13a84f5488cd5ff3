"""Lesson 07's translator: English to Chinese, from texts to weights to translations.

    texts ─ words ─ pieces ─ ids ─ batches ─ fit ─ weights.safetensors ─ read ─ translate ─ bleu

    vocabulary = translation.Vocabulary.learn(data.pairs("general"), n_merges=4_000)
    recipe = translation.recipe("cpu")
    model = Transformer(**recipe.sizes(len(vocabulary)))          # yours, or blocks.Transformer
    translation.fit(model, vocabulary, recipe)                    # writes weights.safetensors
    translation.translate(model, vocabulary, ["Restart the kernel"])

In a terminal: python -m byhand.translation --recipe cpu; on several GPUs the same under torchrun.
"""

from __future__ import annotations

from byhand._weights import WeightsError
from byhand.translation.checkpoint import Checkpoint, base, read, write
from byhand.translation.decode import bleu, chrf, exam, greedy, translate
from byhand.translation.fit import fit
from byhand.translation.pieces import word_counts, words
from byhand.translation.recipe import RECIPES, Recipe, recipe
from byhand.translation.state import Run
from byhand.translation.step import OutOfMemory
from byhand.translation.vocabulary import BOS, EOS, PAD, UNKNOWN, Vocabulary

__all__ = [
    "BOS", "EOS", "PAD", "RECIPES", "UNKNOWN", "Checkpoint", "OutOfMemory", "Recipe", "Run", "Vocabulary",
    "WeightsError", "base", "bleu", "chrf", "exam", "fit", "greedy", "read", "recipe", "translate",
    "word_counts", "words", "write",
]  # fmt: skip
