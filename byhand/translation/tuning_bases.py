"""What lesson 08's ways of fine-tuning begin with: the shipped translator, or larger ones made to compare.

    size("large")               (numbers, width)
    checkpoint_of("large")      trained first, if that was not done: about an hour and a half of one core

The larger ones know the shipped one's texts and pieces. They lie in `artefacts/translation`, not shipped.
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import lru_cache

from torch import nn

from byhand import blocks, train
from byhand.translation import checkpoint, tuning
from byhand.translation.fit import fit
from byhand.translation.recipe import RECIPES, Recipe
from byhand.translation.reference import FOLDER

SHIPPED, MEDIUM, LARGE = tuning.BASES
LARGER = {  # what differs from the recipe `cpu`, by which the shipped one was made
    MEDIUM: ("d_model=192", "d_hidden=768", "n_layers=4", "steps=8000", "rate=0.0015", "eval_every=1000"),
    LARGE: ("d_model=256", "d_hidden=1024", "n_layers=4", "steps=8000", "rate=0.0012", "eval_every=1000"),
}


def known_by(name: str) -> str:
    """By what a base is told from an older one of its name: its bytes, or what its recipe changes."""
    if name == SHIPPED:
        return hashlib.sha256(checkpoint.BASE.read_bytes()).hexdigest()
    return " ".join(LARGER[name])


@lru_cache(maxsize=4)
def size(name: str) -> tuple[int, int]:
    """How many numbers a base has, and how many of them a piece's row."""
    model = tuning.start() if name == SHIPPED else _untrained(name)
    return sum(part.numel() for part in model.parameters()), int(
        model.get_parameter("embedding.weight").shape[1]
    )


def checkpoint_of(name: str) -> checkpoint.Checkpoint:
    """A base, with all that its file says; a larger one is trained to its end if it is not yet."""
    if name == SHIPPED:
        return tuning.base()
    file = f"{name}.safetensors"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(FOLDER):
        fit(_untrained(name), tuning.base().vocabulary, _recipe(name), file=file)
        return checkpoint.read(file)


def _recipe(name: str) -> Recipe:
    return RECIPES["cpu"].with_texts(LARGER[name])


def _untrained(name: str) -> nn.Module:
    recipe = _recipe(name)
    with train.seeded(recipe.seed):
        return blocks.Transformer(**recipe.sizes(len(tuning.base().vocabulary)))
