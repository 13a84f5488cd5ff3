"""Read a lesson's bank of known answers, solutions/NN_name/answers.py.

The bank is cells of plain Python, each the whole text of one solution cell:

    # %% wrong softmax: subtracts the maximum after dividing
    # reads: overflow
    def softmax(scores, axis=-1, temperature=1.0): ...

    # %% right softmax: a loop over rows
    def softmax(scores, axis=-1, temperature=1.0): ...

`reads:` holds words the learner must then read; several lines are several phrases. A wrong answer
must lose points of that exercise and of no other; a right one must earn them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autograder.author.lesson import SOLUTIONS, LessonError

_HEADER = re.compile(r"^# %% (right|wrong) (\w+): (.+)$")
_READS = re.compile(r"^# reads: (.+)$")


@dataclass(frozen=True)
class Answer:
    """A known answer: the text of one solution cell and what must come of it."""

    verdict: Literal["right", "wrong"]
    exercise: str
    name: str
    source: str
    reads: tuple[str, ...] = ()


def read(lesson: str, solutions: Path = SOLUTIONS) -> tuple[Answer, ...]:
    """All known answers of a lesson, in file order. Raises LessonError for a cell with no clear header."""
    path = solutions / lesson / "answers.py"
    if not path.is_file():
        raise LessonError(f"no bank of known answers at {path}.")
    parts = re.split(r"^(?=# %% )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    answers = tuple(_answer(part, path.name) for part in parts[1:])
    keys = [(answer.verdict, answer.exercise, answer.name) for answer in answers]
    for key in keys:
        if keys.count(key) > 1:
            raise LessonError(f"{path.name}: two answers are called '{key[0]} {key[1]}: {key[2]}'.")
    return answers


def _answer(part: str, file: str) -> Answer:
    header, *lines = part.rstrip().splitlines()
    match = _HEADER.match(header)
    if not match:
        raise LessonError(f"{file}: {header!r} is not '# %% right|wrong exercise: name of the answer'.")
    reads: list[str] = []
    while lines and (found := _READS.match(lines[0])):
        reads.append(found[1].strip())
        lines.pop(0)
    if match[1] == "wrong" and not reads:
        raise LessonError(f"{file}: {header!r} promises no words; add '# reads: …' under it.")
    return Answer(match[1], match[2], match[3], "\n".join(lines).strip() + "\n", tuple(reads))  # type: ignore[arg-type]
