"""Train the weights that a lesson's author hands in, by the lesson's own cells and recipe.

    python -m autograder.author.train_reference 06_encoder    writes solutions/06_encoder/weights.safetensors
    ... 06_encoder --seed 1 --show 'reviews.share_right(classifier, "held-out")'   prints, writes nothing

Runs the lesson's cells with its solutions, in order, up to the first that hands in weights: what
a learner would do. The same versions of everything give the same weights. With --seed, everything random
in the training is another: how far do runs differ? Order: the cells, another seed, the command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder.author.lesson import SOLUTIONS, Cell, Lesson, names, read
from autograder.author.trial import execute
from byhand import train as training

FILE = "weights.safetensors"
FAR = 10**7  # between the numbers of two seeds: more than steps of any training


def cells(lesson: Lesson) -> Iterator[Cell]:
    """The cells to run, in order: code and solutions; those that only draw do no harm."""
    return (cell for cell in lesson.cells if cell.kind in ("code", "solution"))


def train(lesson: Lesson, target: Path | None, show: str = "") -> bool:
    """Run cells until one of them has written the weights, and put these at `target`; False if none did.

    show: an expression in the lesson's names, printed then.
    """
    space: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell in cells(lesson):
            execute(cell, space)
            if Path(FILE).is_file():
                if target is not None:
                    shutil.copy(FILE, target)
                if show:
                    execute(Cell("code", f"print({show})"), space)
                return True
    return False


@contextlib.contextmanager
def another(seed: int) -> Iterator[None]:
    """Inside, models start from other numbers, drop others, and meet other batches; with seed 0, the same."""
    fit, seeded, shift = training.fit, training.seeded, seed * FAR

    def other_fit(model: Any, loss: Any, batches: Any, *more: Any, **named: Any) -> training.Run:
        return fit(model, loss, lambda step: batches(step + shift), *more, **named)

    training.fit = other_fit
    training.seeded = lambda seed, device=None: seeded(seed + shift, device)
    try:
        yield
    finally:
        training.fit, training.seeded = fit, seeded


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="train_reference", description="Train a lesson's weights.")
    parser.add_argument("lesson")
    parser.add_argument("--seed", type=int, help="train with another seed, and write no weights")
    parser.add_argument("--show", default="", help="print this expression of the lesson's names afterwards")
    options = parser.parse_args(arguments)
    name = options.lesson
    if name not in names():
        print(f"no lesson is called {name}. Lessons: {', '.join(names())}.", file=sys.stderr)
        return 2
    os.environ.setdefault("MPLBACKEND", "agg")
    target = (SOLUTIONS / name / FILE).resolve() if options.seed is None else None
    with another(options.seed or 0):
        trained = train(read(name), target, options.show)
    if not trained:
        print(f"{name}: no cell writes {FILE}. Nothing was changed.", file=sys.stderr)
        return 1
    if target is not None:
        print(f"{target} written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
