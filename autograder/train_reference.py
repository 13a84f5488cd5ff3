"""Train the weights that a lesson's author hands in, by the lesson's own cells and recipe.

    python -m autograder.train_reference 06_encoder    writes solutions/06_encoder/weights.safetensors

Runs the lesson's cells with its solutions, in order, up to the first that hands in weights: what
a learner would do. The same versions of everything give the same weights. Order: the cells, the command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder.lesson import SOLUTIONS, Cell, Lesson, names, read
from autograder.trial import execute

FILE = "weights.safetensors"


def cells(lesson: Lesson) -> Iterator[Cell]:
    """The cells to run, in order: code and solutions; those that only draw do no harm."""
    return (cell for cell in lesson.cells if cell.kind in ("code", "solution"))


def train(lesson: Lesson, target: Path) -> bool:
    """Run cells until one of them has written the weights, and put these at `target`; False if none did."""
    space: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell in cells(lesson):
            execute(cell, space)
            if Path(FILE).is_file():
                shutil.copy(FILE, target)
                return True
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    name = (arguments if arguments is not None else sys.argv[1:])[0]
    if name not in names():
        print(f"no lesson is called {name}. Lessons: {', '.join(names())}.", file=sys.stderr)
        return 2
    os.environ.setdefault("MPLBACKEND", "agg")
    target = SOLUTIONS / name / FILE
    if not train(read(name), target.resolve()):
        print(f"{name}: no cell writes {FILE}. Nothing was changed.", file=sys.stderr)
        return 1
    print(f"{target} written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
