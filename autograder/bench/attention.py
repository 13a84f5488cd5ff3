"""`make bench` for lesson 05: the reference local_attention beside torch's fused full attention.

The reference solution is read from the lesson's source and run in this process, both in one run on this
machine: the ratio is what to compare. FlexAttention stands beside them where it compiles.
Run alone: python -m autograder.bench.attention
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from autograder.author.lesson import read
from autograder.author.needed import needed
from autograder.author.trial import execute
from byhand import meter

LESSON, EXERCISE = "05_local_attention", "local_attention"
PROMISED = 10  # times as fast as torch's fused full attention on a CPU, at 16,384 tokens and window 128


def reference(lesson: str = LESSON, exercise: str = EXERCISE) -> Callable[..., Any]:
    """The lesson's own answer to an exercise."""
    cells = [cell for cell in read(lesson).cells if cell.kind in ("code", "solution")]
    last = next(at for at, cell in enumerate(cells) if cell.grade_id == exercise)
    cells = cells[: last + 1]
    space: dict[str, Any] = {"__name__": lesson}
    for place in needed(cells):
        execute(cells[place], space)
    function: Callable[..., Any] = space[exercise]
    return function


def run(n_tokens: int = 16384) -> dict[str, float]:
    """Print the table. Returns how many times as fast each one is as torch's fused full attention."""
    ratios = meter.beside_torch(reference(), n_tokens=n_tokens)
    print(f"promised: local at least {PROMISED} times as fast on a CPU, at 16,384 tokens")
    return ratios


def main() -> int:
    """0 if the table could be made, whatever it says."""
    run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
