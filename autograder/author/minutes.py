"""How long a lesson takes, by a stated formula: an estimate from its source, not the stop-watch of a person.

    python -m autograder.author.minutes              every exercise and lesson, beside what the lesson says
    python -m autograder.author.minutes --write 01_scoring     put the estimates into that lesson's source

minutes = words / 180              prose, hints included; formulas count as words
        + lines of code / 20       code to read or run, the given part of an answer too
        + 1 a question             "Predict first", "Try"
        + 1.5 a line to write      the reference answer's lines, to think and to type
        + 2 a failed check         its message to read, the answer to mend: as often as in the lesson's trial
        + words to write / 15      the model answer of a written exercise
        + seconds / 60             to wait for cells, training included: as long as in the lesson's trial

A trial is somebody's way through the lesson in JupyterLab, from nothing but its notebook; solutions/README.md
says how, and `tried.json` beside the source holds what it took. An exercise not in it counts FAILED checks.
Not counted: test cells, and lines that refuse wrong arguments.
"""

from __future__ import annotations

import json
import re
import sys
from math import ceil
from typing import Any

from autograder.author.lesson import SOLUTIONS, Cell, Lesson, names, read

WORDS, CODE_LINES, QUESTION, LINE_TO_WRITE, FAILED_CHECK, WORDS_TO_WRITE = 180, 20, 1.0, 1.5, 2.0, 15
FAILED = 2  # checks of an exercise that nobody has tried yet

_HEADING = re.compile(r"^### Exercise [\d.]+ · `(\w+)`.*?(?:about (\d+) minutes)?$", re.MULTILINE)
_WHOLE = re.compile(r"([Aa]bout )(\d+) minutes")
_ANSWER = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
_RAISE = re.compile(r"^ *if [^\n]*:\n *raise [^\n]*$", re.MULTILINE)


def of_cell(cell: Cell) -> float:
    """Minutes for one cell."""
    answer = "".join(_ANSWER.findall(cell.source))
    given = _ANSWER.sub("", cell.source)
    if cell.kind == "markdown":
        prose = re.sub(r"<[^>]+>", " ", given)
        asked = len(re.findall(r"\*\*(?:Predict first|Try)", prose))
        return len(prose.split()) / WORDS + asked * QUESTION
    if cell.kind == "written":
        return len(answer.split()) / WORDS_TO_WRITE
    if cell.kind == "test":
        return 0.0
    return _lines(given) / CODE_LINES + _lines(answer) * LINE_TO_WRITE


def _lines(code: str) -> int:
    """Lines that are neither blank nor comment nor a refusal of wrong arguments."""
    return sum(1 for line in _RAISE.sub("", code).splitlines() if line.strip() and line.strip()[0] != "#")


def tried(name: str) -> dict[str, Any]:
    """What a trial took: {"date", "exercises": {name: {"attempts", "hints", "seconds"}}, "seconds"}.

    The inner seconds are those of the exercise's cells, the outer of all others. Without a trial: none.
    """
    path = SOLUTIONS / name / "tried.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {"exercises": {}, "seconds": 0.0} | found


def of_trial(lesson: Lesson) -> dict[str, float]:
    """Exercise -> minutes of failed checks and of waiting; a written exercise has no check."""
    found, spent = tried(lesson.name)["exercises"], {}
    checked = {cell.exercise for cell in lesson.of_kind("test")}
    for name in lesson.exercises:
        guess = {"attempts": 1 + FAILED * (name in checked), "seconds": 0.0}
        one = found.get(name, guess)
        spent[name] = (one["attempts"] - 1) * FAILED_CHECK + one["seconds"] / 60
    return spent


def of_exercises(lesson: Lesson) -> dict[str, int]:
    """Exercise -> whole minutes, from its heading to its check."""
    spent = of_trial(lesson)
    for cell in lesson.cells:
        heading = _HEADING.search(cell.source) if cell.kind == "markdown" else None
        name = heading[1] if heading else cell.grade_id
        if name in spent:
            spent[name] += of_cell(cell)
    return {name: ceil(minutes) for name, minutes in spent.items()}


def of_lesson(lesson: Lesson) -> int:
    """Minutes for the whole lesson, to the next five."""
    waited: float = tried(lesson.name)["seconds"] / 60
    return ceil((sum(map(of_cell, lesson.cells)) + sum(of_trial(lesson).values()) + waited) / 5) * 5


def stated(lesson: Lesson) -> dict[str, int]:
    """Exercise -> the minutes that its heading promises."""
    text = "\n".join(cell.source for cell in lesson.of_kind("markdown"))
    return {match[1]: int(match[2]) for match in _HEADING.finditer(text) if match[2]}


def promised(lesson: Lesson) -> int:
    """The minutes that its first cell promises for all of it; 0 if it names none."""
    found = _WHOLE.search(lesson.cells[0].source)
    return int(found[2]) if found else 0


def written(lesson: Lesson, source: str) -> str:
    """The lesson's source with the estimates in its headings and in its first cell."""
    estimated = of_exercises(lesson)

    def put(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{match[3]}about {estimated[match[2]]} minutes"

    source = re.sub(r"(?m)^(# ### Exercise [\d.]+ · `)(\w+)(`.*)about \d+ minutes$", put, source)
    return _WHOLE.sub(rf"\g<1>{of_lesson(lesson)} minutes", source, count=1)


def main() -> int:
    """Print the estimates, or write them. Exit status 1 if a lesson says something else."""
    if sys.argv[1:2] == ["--write"]:
        for name in sys.argv[2:]:
            path = SOLUTIONS / name / f"{name}.py"
            path.write_text(written(read(name), path.read_text("utf-8")), "utf-8")
        return 0
    differ = False
    for name in names():
        lesson = read(name)
        said, estimated = stated(lesson), of_exercises(lesson)
        other = promised(lesson) != of_lesson(lesson)
        differ = differ or other
        print(f"{name}: {of_lesson(lesson)} minutes" + (f" (it says {promised(lesson)})" if other else ""))
        for exercise, minutes in estimated.items():
            other = said.get(exercise, minutes) != minutes
            differ = differ or other
            print(
                f"  {exercise:<28}{minutes:>4}" + (f"   (its heading says {said[exercise]})" if other else "")
            )
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
